"""kill -9 of the server at random moments of a turn: whole turns are left, or none, in every room.

A kill hits several rooms, each at a moment of its own of a turn that calls tools.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from memory.redis.checkpoints import RedisSaver
from memory.redis.connection import open_redis
from memory.sqlite.checkpoints import SQLiteSaver
from memory.sqlite.database import Database
from tests.services.openai_server import Call, OpenAIServer, Reply
from tests.services.talk import (
    PATIENCE_SECONDS,
    Heard,
    ask,
    ask_when_free,
    assert_agrees,
    assert_kept,
)
from tests.services.tomato_server import TomatoServer

ROOMS = 6
KILLS = 5
TURN_TAKES_SECONDS = 0.9

pytestmark = pytest.mark.timeout(300)


def script(request: dict[str, Any]) -> Reply:
    """Save the question, look for it, answer: about as long as TURN_TAKES_SECONDS."""
    said = request["messages"]
    question = [one["content"] for one in said if one["role"] == "user"][-1]
    if said[-1]["role"] == "user":
        saving = Call(
            name="archive_save",
            arguments={"content": f"{question}: 기록", "label": "기록", "category": "정전"},
            id=f"call_save_{len(said)}",
        )
        return Reply(tool_calls=[saving], pause=0.01)
    if len(said[-2].get("tool_calls") or ()) == 1 and "saved" in said[-1]["content"]:
        looking = Call(name="archive_search", arguments={"query": question}, id=f"call_{len(said)}")
        return Reply(tool_calls=[looking], pause=0.01)
    return Reply(text="토마토는 붉고 둥글다. " * 6, pause=0.01)


@pytest.fixture
async def embedded(tmp_path: Path, openai_server: OpenAIServer) -> AsyncIterator[TomatoServer]:
    """A server on a folder alone."""
    server = TomatoServer(tmp_path / "embedded", settings(openai_server))
    server.home.mkdir()
    yield server
    await server.kill()


@pytest.fixture
async def on_servers(
    tmp_path: Path, openai_server: OpenAIServer, mongo_url: str, redis_url: str
) -> AsyncIterator[TomatoServer]:
    """A server on MongoDB and Redis."""
    kept_in = {"MONGODB_URL": mongo_url, "REDIS_URL": redis_url}
    server = TomatoServer(tmp_path / "servers", settings(openai_server) | kept_in)
    server.home.mkdir()
    yield server
    await server.kill()


def settings(model: OpenAIServer) -> dict[str, str]:
    model.script = script
    return {
        "TOMATO_MODEL": "openai:test",
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": model.base_url,
        # A room whose server was killed is free again after twice this time.
        "TOMATO_TURN_SECONDS": "2",
        "TOMATO_RATE_LIMITS": "off",
    }


async def test_killed_at_any_moment_nothing_acknowledged_is_lost(
    embedded: TomatoServer, on_servers: TomatoServer, redis_url: str
) -> None:
    kept = await asyncio.gather(power_cuts(embedded, 25), power_cuts(on_servers, 50))
    database = await Database.open(embedded.data / "tomato.db")
    try:
        await assert_same_state(SQLiteSaver(database, keep="latest"), kept[0])
    finally:
        await database.close()
    async with open_redis(redis_url) as redis:
        await assert_same_state(RedisSaver(redis, keep="latest"), kept[1])


async def power_cuts(server: TomatoServer, seed: int) -> dict[str, list[str]]:
    """Kill the server again and again; the windows of its rooms at the end, the server dead."""
    dice = random.Random(seed)
    await server.start()
    async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE_SECONDS) as client:
        rooms = [(await client.post("/api/rooms", json={})).json()["id"] for _ in range(ROOMS)]
        await asyncio.gather(*(ask(client, room, "안녕?") for room in rooms))
    for number in range(KILLS):
        heard = await cut(server, rooms, number, dice)
        await server.start()
        async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE_SECONDS) as client:
            await asyncio.gather(
                *(assert_goes_on(client, room, heard[room], number) for room in rooms)
            )
            windows = {
                room: (await client.get(f"/api/rooms/{room}/context")).json()["window"]
                for room in rooms
            }
    await server.kill()
    return windows


async def cut(
    server: TomatoServer, rooms: Sequence[str], number: int, dice: random.Random
) -> dict[str, Heard]:
    """Ask in every room, each at a moment of its own, and kill the server; what was heard."""
    heard = {room: Heard(f"{number}번째 질문, {room}") for room in rooms}

    async def asked(room: str, wait: float) -> None:
        await asyncio.sleep(wait)
        async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE_SECONDS) as client:
            await heard[room].listen(client, room)

    asking = [
        asyncio.create_task(asked(room, dice.uniform(0, TURN_TAKES_SECONDS))) for room in rooms
    ]
    await asyncio.sleep(TURN_TAKES_SECONDS)
    await server.kill()
    await asyncio.gather(*asking)
    return heard


async def assert_goes_on(client: httpx.AsyncClient, room: str, heard: Heard, number: int) -> None:
    """The room opens with all that was acknowledged, and has its next turn."""
    await assert_kept(client, heard, await assert_agrees(client, room))
    answer = await ask_when_free(client, room, f"{number}번째 질문 뒤, {room}")
    assert answer.status_code == 200, answer.text
    talk = await assert_agrees(client, room)
    await assert_kept(client, heard, talk)
    assert talk[-1]["key"] == answer.json()["message"]["key"]
    assert talk[-1]["status"] == "complete"


async def assert_same_state(saver: Any, windows: dict[str, list[str]]) -> None:
    """The checkpoint of each room holds what its history says."""
    for room, window in windows.items():
        found = await saver.aget_tuple({"configurable": {"thread_id": room}})
        assert [one.id for one in found.checkpoint["channel_values"]["messages"]] == window
