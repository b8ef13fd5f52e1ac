"""Search by meaning over HTTP, with a real client of embeddings; its server comes and goes."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from server.app import create_app
from server.settings import Settings
from tests.services.openai_server import OpenAIServer


@pytest.fixture(params=["sqlite", "mongo"])
async def client(
    request: pytest.FixtureRequest, tmp_path: Path, openai_server: OpenAIServer
) -> AsyncIterator[httpx.AsyncClient]:
    mongo = request.getfixturevalue("mongo_url") if request.param == "mongo" else None
    settings = Settings(
        data=tmp_path,
        model="offline",
        embeddings="openai:test-embedding",
        openai_base_url=openai_server.base_url,
        mongodb_url=mongo and SecretStr(mongo),
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client


async def save(client: httpx.AsyncClient, summary: str, content: str) -> None:
    entry = {"summary": summary, "category": "c", "content": content}
    assert (await client.post("/api/archive", json=entry)).status_code == 201


async def found(client: httpx.AsyncClient, query: str) -> list[dict[str, Any]]:
    answer = await client.get("/api/archive", params={"q": query})
    assert answer.status_code == 200
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_parts_of_words_find_their_entry_by_meaning(client: httpx.AsyncClient) -> None:
    await save(client, "timeouts", "sessiontimeouts of the proxy")
    await save(client, "여권", "여권 번호는 금고에 있다")
    items = await found(client, "timeout session")
    assert [one["summary"] for one in items][:1] == ["timeouts"]
    assert "≈" in items[0]["matched"]


async def test_while_embeddings_are_away_words_find_and_saves_save(
    client: httpx.AsyncClient, openai_server: OpenAIServer
) -> None:
    openai_server.stop()
    await save(client, "만료", "레디스 세션 만료는 30분이다")
    items = await found(client, "세션 만료")
    assert [(one["summary"], one["matched"]) for one in items] == [("만료", ["세션", "만료"])]
