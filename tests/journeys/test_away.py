"""MongoDB or Redis away, dead or silent: an answer within five seconds, and deletion stays true."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from redis import Redis

from tests.services.mongo import MongoServer
from tests.services.openai_server import OpenAIServer, Reply
from tests.services.process import ServerProcess
from tests.services.redis import RedisServer
from tests.services.talk import ask, assert_agrees, messages
from tests.services.tomato_server import TomatoServer

PATIENCE_SECONDS = 30
MARKER = "zqkdeleted"

pytestmark = pytest.mark.timeout(120)


def answers(request: dict[str, Any]) -> Reply:
    """Echo the question; a title where one is asked for."""
    if "RoomTitle" in json.dumps(request):
        return Reply(data={"title": "토마토 이야기"})
    return Reply(text=str(request["messages"][-1]["content"]))


@pytest.fixture
async def client(
    tmp_path: Path, openai_server: OpenAIServer, mongo_url: str, redis_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a real server on MongoDB and Redis."""
    openai_server.script = answers
    server = TomatoServer(
        tmp_path,
        {
            "TOMATO_MODEL": "openai:test",
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": openai_server.base_url,
            "MONGODB_URL": mongo_url,
            "REDIS_URL": redis_url,
        },
    )
    await server.start()
    async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE_SECONDS) as client:
        yield client
    await server.kill()


@contextmanager
def silent(server: ServerProcess) -> Iterator[None]:
    """The server takes connections but says nothing, as behind a broken network."""
    assert server.process is not None
    server.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, server.process.pid, os.WSTOPPED)  # its threads go on until it is seen
    try:
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


@contextmanager
def dead(server: ServerProcess) -> Iterator[None]:
    server.kill()
    try:
        yield
    finally:
        server.start()


async def every_request(client: httpx.AsyncClient) -> list[httpx.Request]:
    """One request to each route that asks the stores, over a room and an entry with content."""
    room = f"/api/rooms/{await talked(client)}"
    body: dict[str, Any] = {"content": "토마토는 붉다", "summary": "토마토", "category": "채소"}
    entry = f"/api/archive/{(await client.post('/api/archive', json=body)).json()['id']}"
    key = (await client.get(f"{room}/messages")).json()["items"][0]["key"]
    person = {"username": "김민지", "password": "비밀번호는 길게"}
    assert (await client.post("/api/auth/register", json=person)).status_code == 201
    sid = (await client.post("/api/auth/login", json=person)).json()["sid"]
    asked: list[tuple[str, str, Any]] = [
        ("GET", "/api/rooms", None),
        ("POST", "/api/rooms", {}),
        ("GET", room, None),
        ("PATCH", room, {"title": "새 이름"}),
        ("GET", f"{room}/messages", None),
        ("DELETE", f"{room}/messages", {"keys": [key]}),
        ("GET", f"{room}/context", None),
        ("POST", f"{room}/chat", {"message": "안녕?", "stream": False}),
        ("POST", f"{room}/title", None),
        ("GET", "/api/archive", None),
        ("GET", "/api/archive?q=토마토", None),
        ("GET", "/api/archive/categories", None),
        ("POST", "/api/archive", {**body, "content": "감자는 땅속에서 자란다"}),
        ("POST", "/api/archive/drafts", {"content": "감자는 땅속에서 자라는 줄기다"}),
        ("PATCH", entry, {"summary": "붉은 토마토"}),
        ("GET", entry, None),
        ("PUT", f"{entry}/files/a.txt", None),
        ("GET", f"{entry}/files/a.txt", None),
        ("DELETE", entry, None),
        ("POST", "/api/auth/register", {**person, "username": "새사람"}),
        ("POST", "/api/auth/login", person),
        ("GET", "/readyz", None),
        ("DELETE", room, None),
    ]
    me = client.build_request("GET", "/api/auth/me", headers={"Authorization": f"Bearer {sid}"})
    return [*(client.build_request(method, path, json=json) for method, path, json in asked), me]


async def talked(client: httpx.AsyncClient) -> str:
    """A room of two turns; the first holds the marker."""
    room: str = (await client.post("/api/rooms", json={"title": "방"})).json()["id"]
    for question in (f"{MARKER} 기억해", "다음 이야기"):
        assert (await ask(client, room, question)).status_code == 200
    return room


async def answered_soon(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    async with asyncio.timeout(5):
        return await client.send(request)


@pytest.mark.parametrize("away", [silent, dead])
async def test_without_mongodb_every_request_is_refused_soon(
    client: httpx.AsyncClient, mongo_server: MongoServer, away: Any
) -> None:
    requests = await every_request(client)
    with away(mongo_server):
        answers = await asyncio.gather(*(answered_soon(client, one) for one in requests))
    for request, answer in zip(requests, answers, strict=True):
        assert answer.status_code == 503, (request.method, request.url, answer.text)
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize("away", [silent, dead])
async def test_without_redis_every_request_is_answered_soon(
    client: httpx.AsyncClient, redis_server: RedisServer, away: Any
) -> None:
    # What a deletion takes away, another would not find.
    requests = [one for one in await every_request(client) if one.method != "DELETE"]
    with away(redis_server):
        answers = await asyncio.gather(*(answered_soon(client, one) for one in requests))
    for request, answer in zip(requests, answers, strict=True):
        told = (request.method, request.url, answer.text)
        assert answer.is_success or answer.status_code == 503, told
        assert answer.status_code != 503 or int(answer.headers["retry-after"]) > 0


async def test_a_room_is_deleted_whole_or_not_at_all(
    client: httpx.AsyncClient, redis_server: RedisServer
) -> None:
    room = await talked(client)
    before = await messages(client, room)
    with dead(redis_server):
        refused = await client.delete(f"/api/rooms/{room}")
        assert refused.status_code == 503
        assert await messages(client, room) == before
    # It is back, but the first connections may still be the old ones: that is told, and retried.
    async with asyncio.timeout(10):
        while (answer := await client.delete(f"/api/rooms/{room}")).status_code == 503:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    assert answer.status_code == 204, answer.text
    with Redis.from_url(redis_server.url) as redis:
        assert [key for key in redis.scan_iter() if room.encode() in key] == []


async def test_a_redis_that_forgot_a_deletion_does_not_bring_it_back(
    client: httpx.AsyncClient, redis_server: RedisServer, openai_server: OpenAIServer
) -> None:
    room = await talked(client)
    first = [one["key"] for one in await messages(client, room) if MARKER in one["content"]]
    with Redis.from_url(redis_server.url) as redis:
        # What was on its disk a second before it died.
        old = {key: redis.dump(key) for key in redis.scan_iter() if room.encode() in key}
        assert any(MARKER.encode() in (value or b"") for value in old.values())
        gone = await client.request("DELETE", f"/api/rooms/{room}/messages", json={"keys": first})
        assert gone.status_code == 200, gone.text
        for key, value in old.items():
            redis.restore(key, 0, value or b"", replace=True)
        openai_server.requests.clear()
        assert (await ask(client, room, "계속하자")).status_code == 200
        assert MARKER not in repr(openai_server.requests)
        await assert_agrees(client, room)
        assert not any(MARKER.encode() in (redis.dump(key) or b"") for key in old)
