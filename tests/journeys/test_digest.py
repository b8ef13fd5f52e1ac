"""What the model is told of an archive on MongoDB and Redis: on two servers, until logout."""

from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from pymongo import MongoClient
from redis.asyncio import Redis

from memory.redis.digests import PREFIX
from server.app import create_app
from server.settings import Settings

PASSWORD = "correct horse battery"


@pytest.fixture
def settings(tmp_path: Path, mongo_url: str, redis_url: str) -> Settings:
    return Settings(
        data=tmp_path / "data",
        mongodb_url=SecretStr(mongo_url),
        redis_url=SecretStr(redis_url),
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


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url) as client:
        yield client


async def signed_up(*clients: httpx.AsyncClient) -> str:
    """A new user, signed in with each client; their uid."""
    account = {"username": "토마토", "password": PASSWORD}
    new = await clients[0].post("/api/auth/register", json=account)
    for client in clients:
        sid = (await client.post("/api/auth/login", json=account)).json()["sid"]
        client.cookies.clear()
        client.headers["Authorization"] = f"Bearer {sid}"
    return str(new.json()["user"]["uid"])


async def keep(client: httpx.AsyncClient, summary: str, category: str) -> dict[str, Any]:
    body = {"content": f"{summary}의 내용", "summary": summary, "category": category}
    kept = await client.post("/api/archive", json=body)
    assert kept.status_code == 201, kept.text
    answer: dict[str, Any] = kept.json()
    return answer


async def talk(client: httpx.AsyncClient, room: str) -> None:
    body = {"message": "안녕?", "stream": False}
    answer = await client.post(f"/api/rooms/{room}/chat", json=body)
    assert answer.status_code == 200, answer.text


def asked_of_entries(mongo_url: str) -> Collection[str]:
    """What the database was asked of the archive since its profiler was turned on, in order."""
    with MongoClient[dict[str, Any]](mongo_url) as mongo:
        database = mongo.get_default_database()
        of_entries = {"ns": f"{database.name}.entries"}
        return [next(iter(one["command"])) for one in database["system.profile"].find(of_entries)]


async def test_a_turn_asks_mongodb_nothing_of_an_archive_that_is_known(
    client: httpx.AsyncClient, mongo_url: str, redis: Redis
) -> None:
    uid = await signed_up(client)
    await keep(client, "레디스 만료", "개발")
    room = (await client.post("/api/rooms", json={"title": "인사"})).json()["id"]
    with MongoClient[dict[str, Any]](mongo_url) as mongo:
        mongo.get_default_database().command("profile", 2)
    await talk(client, room)
    made = asked_of_entries(mongo_url)
    assert list(made) == ["aggregate", "find"]
    for _ in range(2):
        await talk(client, room)
    assert asked_of_entries(mongo_url) == made
    assert "레디스 만료".encode() in (await redis.get(PREFIX + uid) or b"")


async def test_each_server_tells_what_the_other_has_just_changed(
    client: httpx.AsyncClient, second: httpx.AsyncClient
) -> None:
    await signed_up(client, second)
    room = (await client.post("/api/rooms", json={"title": "둘"})).json()["id"]

    async def told() -> str:
        context = await client.get(f"/api/rooms/{room}/context")
        return str(context.json()["archive_digest"])

    assert await told() == ""
    entry = await keep(second, "김치찌개", "요리")
    assert await told() == "요리 (1)\n- 김치찌개 [요리]"
    path = f"/api/archive/{entry['id']}"
    assert (await second.patch(path, json={"summary": "묵은지찌개"})).status_code == 200
    assert await told() == "요리 (1)\n- 묵은지찌개 [요리]"
    renamed = await second.patch("/api/archive/categories/요리", json={"name": "부엌"})
    assert renamed.status_code == 200
    assert await told() == "부엌 (1)\n- 묵은지찌개 [부엌]"
    assert (await second.delete(path)).status_code == 204
    assert await told() == ""


@pytest.mark.parametrize("way", ["logout", "logout-all", "goodbye"])
async def test_it_is_gone_with_the_session(
    client: httpx.AsyncClient, redis: Redis, way: str
) -> None:
    uid = await signed_up(client)
    await keep(client, "여권", "여행")
    room = (await client.post("/api/rooms", json={"title": "떠남"})).json()["id"]
    await client.get(f"/api/rooms/{room}/context")
    assert await redis.exists(PREFIX + uid)
    if way == "goodbye":
        ended = await client.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
    else:
        ended = await client.post(f"/api/auth/{way}")
    assert ended.status_code == 204, ended.text
    assert not await redis.exists(PREFIX + uid)
