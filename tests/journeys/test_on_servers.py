"""The main job on real MongoDB and Redis: the same answers as on the embedded file."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from server.app import create_app
from server.settings import Settings
from tests.services.redis import RedisServer


@pytest.fixture(params=["mongo", "redis"])
def settings(
    request: pytest.FixtureRequest, tmp_path: Path, mongo_url: str, redis_url: str
) -> Settings:
    return Settings(
        data=tmp_path / "data",
        mongodb_url=SecretStr(mongo_url),
        redis_url=SecretStr(redis_url),
        checkpointer=request.param,
    )


@pytest.fixture
async def second(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another application over the same stores."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        yield client


async def said(client: httpx.AsyncClient, room: str, message: str) -> str:
    answer = await client.post(
        f"/api/rooms/{room}/chat", json={"message": message, "stream": False}
    )
    assert answer.status_code == 200, answer.text
    return str(answer.json()["message"]["content"])


async def test_rooms_go_on_from_one_server_to_the_other(
    client: httpx.AsyncClient, second: httpx.AsyncClient, tmp_path: Path
) -> None:
    room = (await client.post("/api/rooms", json={"title": "두 서버"})).json()["id"]
    await said(client, room, "기억해: 회의실 와이파이 비밀번호는 tomato2026 이다")
    assert "tomato2026" in await said(second, room, "와이파이 비밀번호 뭐였지?")
    assert "tomato2026" in await said(client, room, "와이파이 비밀번호 다시 알려줘")

    path = f"/api/rooms/{room}/messages"
    messages = (await second.get(path)).json()["items"]
    assert messages == (await client.get(path)).json()["items"]
    gone = await second.request("DELETE", path, json={"keys": [messages[-1]["key"]]})
    assert gone.status_code == 200
    assert messages[-1]["key"] not in (await client.get(f"/api/rooms/{room}/context")).text
    assert (await client.delete(f"/api/rooms/{room}")).status_code == 204
    assert (await second.get(f"/api/rooms/{room}")).status_code == 404
    assert not (tmp_path / "data").exists()


async def test_ready_tells_which_server_is_down(
    client: httpx.AsyncClient, redis_server: RedisServer
) -> None:
    room = (await client.post("/api/rooms", json={"title": "둘"})).json()["id"]
    ready = {"agent": "ok", "storage": "ok", "objects": "ok", "redis": "ok"}
    told = (await client.get("/readyz")).json()
    assert (told["status"], told["checks"]) == ("ready", ready)
    redis_server.stop()
    try:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["checks"] == {**ready, "redis": "down"}
        # The copy in Redis is only a copy: rooms and their messages are there without it.
        assert (await client.get("/api/rooms")).status_code == 200
        # But nobody could be told of a run: it is refused before anything is stored.
        refused = await client.post(f"/api/rooms/{room}/chat", json={"message": "안녕?"})
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert (await client.get(f"/api/rooms/{room}/messages")).json()["items"] == []
    finally:
        redis_server.start()
    assert (await client.get("/readyz")).status_code == 200
    assert await said(client, room, "안녕?")
