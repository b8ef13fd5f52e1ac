"""What is left when the power goes, or a server that Tomato leans on: whole turns, or none."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from server.client import read_events
from tests.services.mongo import MongoServer
from tests.services.openai_server import OpenAIServer, Reply
from tests.services.redis import RedisServer
from tests.services.tomato_server import TomatoServer

KILLS = 25
PATIENCE_SECONDS = 30

pytestmark = pytest.mark.timeout(400)


@pytest.fixture
def model(openai_server: OpenAIServer) -> dict[str, str]:
    """The settings for a model whose answer takes about a third of a second."""

    def answer(request: dict[str, Any]) -> Reply:
        return Reply(text="토마토는 붉고 둥글다. " * 6, pause=0.01)

    openai_server.script = answer
    return {
        "TOMATO_MODEL": "openai:test",
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": openai_server.base_url,
        "TOMATO_TURN_SECONDS": "1",
    }


@pytest.fixture(params=["embedded", "servers"])
async def killed_server(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    model: dict[str, str],
    mongo_url: str,
    redis_url: str,
) -> AsyncIterator[TomatoServer]:
    servers = {"MONGODB_URL": mongo_url, "REDIS_URL": redis_url}
    server = TomatoServer(tmp_path, {**model, **(servers if request.param == "servers" else {})})
    await server.start()
    yield server
    await server.kill()


async def acknowledged(address: str, room: str, question: str) -> list[tuple[str, dict[str, Any]]]:
    """The events that came before the connection broke."""
    lines: list[str] = []
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_SECONDS) as client:
        with suppress(httpx.HTTPError):
            async with client.stream(
                "POST", f"/api/rooms/{room}/chat", json={"message": question}
            ) as answer:
                async for line in answer.aiter_lines():
                    lines.append(line)  # noqa: PERF401 - a broken stream must keep what came
    whole = lines[: len(lines) - lines[::-1].index("")] if "" in lines else []
    return [(event.name, dict(event.data)) for event in read_events(whole)]


async def messages(client: httpx.AsyncClient, room: str) -> list[dict[str, Any]]:
    """All of the room, oldest first."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        query: dict[str, str | int] = {"limit": 100, **({"cursor": cursor} if cursor else {})}
        page = (await client.get(f"/api/rooms/{room}/messages", params=query)).json()
        found += page["items"]
        cursor = page["next_cursor"]
    return found[::-1]


async def ask_when_free(client: httpx.AsyncClient, room: str, question: str) -> httpx.Response:
    """Ask until the room is free: the turn that was killed keeps it for a bounded time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await client.post(
                f"/api/rooms/{room}/chat", json={"message": question, "stream": False}
            )
            if answer.status_code != 409:
                return answer
            await asyncio.sleep(0.2)


async def test_killed_at_any_moment_nothing_acknowledged_is_lost(
    killed_server: TomatoServer,
) -> None:
    dice = random.Random(50)
    async with httpx.AsyncClient(base_url=killed_server.address) as client:
        room = (await client.post("/api/rooms", json={"title": "정전"})).json()["id"]
        assert (await client.get("/api/tools")).status_code == 200
    for number in range(KILLS):
        question = f"{number}번째 질문"
        asking = asyncio.create_task(acknowledged(killed_server.address, room, question))
        await asyncio.sleep(dice.uniform(0, 0.8))
        await killed_server.kill()
        seen = await asking
        await killed_server.start()
        async with httpx.AsyncClient(
            base_url=killed_server.address, timeout=PATIENCE_SECONDS
        ) as client:
            kept = {message["key"]: message for message in await messages(client, room)}
            for name, data in seen:
                if name == "run":
                    assert kept[data["user_key"]]["content"] == question
                if name == "message":
                    assert kept[data["key"]]["content"] == data["content"]
            answer = await ask_when_free(client, room, f"{number}번째 질문 뒤")
            assert answer.status_code == 200, answer.text
            assert_whole(await messages(client, room))
            context = (await client.get(f"/api/rooms/{room}/context")).json()
            assert answer.json()["message"]["key"] == context["window"][-1]


def assert_whole(talk: list[dict[str, Any]]) -> None:
    """Each turn begins with its question; each call has its result."""
    turns: dict[int, list[dict[str, Any]]] = {}
    for message in talk:
        turns.setdefault(message["turn"], []).append(message)
    for turn in turns.values():
        assert turn[0]["role"] == "user"
        called = [call["id"] for message in turn for call in message.get("tool_calls") or ()]
        results = [message["tool_call_id"] for message in turn if message["role"] == "tool"]
        assert sorted(called) == sorted(results)
    assert [message["key"] for message in talk] == sorted({message["key"] for message in talk})


async def test_without_mongodb_a_503_comes_soon_and_the_room_goes_on_after(
    tmp_path: Path, model: dict[str, str], mongo_server: MongoServer, mongo_url: str
) -> None:
    server = TomatoServer(tmp_path, {**model, "MONGODB_URL": mongo_url})
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE_SECONDS) as client:
            room = (await client.post("/api/rooms", json={"title": "자리"})).json()["id"]
            assert (await ask_when_free(client, room, "하나")).status_code == 200
            before = await messages(client, room)
            mongo_server.kill()
            try:
                async with asyncio.timeout(5):
                    answer = await client.post(
                        f"/api/rooms/{room}/chat", json={"message": "둘", "stream": False}
                    )
            finally:
                mongo_server.start()
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert await messages(client, room) == before
            assert (await ask_when_free(client, room, "셋")).status_code == 200
            assert_whole(await messages(client, room))
    finally:
        await server.kill()


async def test_an_emptied_redis_costs_nothing_but_time(
    tmp_path: Path,
    model: dict[str, str],
    redis_server: RedisServer,
    redis_url: str,
    openai_server: OpenAIServer,
) -> None:
    server = TomatoServer(tmp_path, {**model, "REDIS_URL": redis_url})
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE_SECONDS) as client:
            room = (await client.post("/api/rooms", json={"title": "빈 곳"})).json()["id"]
            assert (await ask_when_free(client, room, "내 이름은 민지")).status_code == 200
            assert redis_server.tell("FLUSHALL") == b"+OK"
            assert (await ask_when_free(client, room, "내 이름이 뭐라고?")).status_code == 200
            assert "민지" in str(openai_server.requests[-1]["messages"])
    finally:
        await server.kill()


async def test_mongodb_of_a_newer_version_is_left_alone(tmp_path: Path, mongo_url: str) -> None:
    with MongoClient[dict[str, Any]](mongo_url) as client:
        database = client.get_default_database()
        database["schema"].insert_one({"_id": "tomato", "version": 9999})
        server = TomatoServer(tmp_path, {"MONGODB_URL": mongo_url})
        with pytest.raises(AssertionError, match="schema version 9999"):
            await server.start()
        assert server.process is not None
        assert await server.process.wait() == 1
        assert database.list_collection_names() == ["schema"]
        assert list(database["schema"].find()) == [{"_id": "tomato", "version": 9999}]
