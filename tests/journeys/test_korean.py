"""Korean queries read by Kiwi, over HTTP; the archive is the same with it and without."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import httpx

from server.app import create_app
from server.settings import Settings


@asynccontextmanager
async def served(folder: Path, korean: Literal["ngrams", "kiwi"]) -> AsyncIterator[Any]:
    app = create_app(Settings(data=folder, model="offline", korean=korean))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            yield client


async def save(client: httpx.AsyncClient, summary: str, content: str) -> None:
    entry = {"summary": summary, "category": "c", "content": content}
    assert (await client.post("/api/archive", json=entry)).status_code == 201


async def found(client: httpx.AsyncClient, query: str) -> list[tuple[str, list[str]]]:
    answer = await client.get("/api/archive", params={"q": query})
    assert answer.status_code == 200
    return [(one["summary"], one["matched"]) for one in answer.json()["items"]]


async def test_with_the_analyser_and_without_one_archive_is_searched(tmp_path: Path) -> None:
    async with served(tmp_path, "ngrams") as client:
        await save(client, "책상 위", "빌린 책을 책상 위에 두었다")
        await save(client, "여권", "여권은 금고에 있다")
        assert await found(client, "책은 어디 뒀지?") == []
    async with served(tmp_path, "kiwi") as client:
        await save(client, "redis", "레디스 세션 만료는 30분이다")
        assert await found(client, "책은 어디 뒀지?") == [("책상 위", ["책"])]
        assert await found(client, "세션이 만료되는 건 언제였더라") == [("redis", ["세션", "만료"])]
        assert await found(client, "where is redis?") == [("redis", ["redis"])]
        assert await found(client, "은는이가 " * 199) == []
        assert await found(client, "😀여권🎉") == [("여권", ["여권"])]
    async with served(tmp_path, "ngrams") as client:
        assert await found(client, "만료는") == [("redis", ["만료는"])]
