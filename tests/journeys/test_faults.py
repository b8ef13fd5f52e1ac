"""MongoDB away, Redis emptied, data of a newer version: clear words, and nothing lost."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from pymongo import MongoClient

from tests.services.mongo import MongoServer
from tests.services.openai_server import OpenAIServer
from tests.services.redis import RedisServer
from tests.services.talk import ask, ask_when_free, assert_agrees, messages
from tests.services.tomato_server import TomatoServer

PATIENCE_SECONDS = 30

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def model(openai_server: OpenAIServer) -> dict[str, str]:
    """The settings for the test's own model server."""
    return {
        "TOMATO_MODEL": "openai:test",
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": openai_server.base_url,
    }


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
                    answer = await ask(client, room, "둘")
            finally:
                mongo_server.start()
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
            assert await messages(client, room) == before
            assert (await ask_when_free(client, room, "셋")).status_code == 200
            await assert_agrees(client, room)
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
            asked = [str(one["messages"]) for one in openai_server.requests]
            assert "민지" in next(one for one in asked if "뭐라고" in one)
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
