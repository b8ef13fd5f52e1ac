"""Checkpoints of rooms in Redis: a turn goes on without them, and none are left anywhere else."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from pydantic import SecretStr
from redis.asyncio import Redis

from memory.errors import Unavailable
from memory.redis.hot_checkpoints import HotSaver
from server.settings import Settings
from server.stores import open_stores
from tests.services.process import free_ports

CONFIG: RunnableConfig = {"configurable": {"thread_id": "room_1", "checkpoint_ns": ""}}


async def put(saver: "BaseCheckpointSaver[int]") -> None:
    await saver.aput(CONFIG, empty_checkpoint(), {"source": "loop", "step": 1, "parents": {}}, {})


@pytest.fixture
async def away() -> AsyncIterator[HotSaver]:
    async with Redis(port=free_ports(1)[0]) as client:
        yield HotSaver(client, keep="latest")


async def test_a_turn_goes_on_while_redis_is_away(away: HotSaver) -> None:
    await put(away)
    assert await away.aget_tuple(CONFIG) is None


async def test_nothing_is_said_to_be_deleted_while_redis_is_away(away: HotSaver) -> None:
    with pytest.raises(Unavailable):
        await away.adelete_thread("room_1")


@pytest.mark.parametrize("store", ["sqlite", "mongo"])
async def test_what_stood_beside_redis_is_gone_once_it_is_used(
    store: str, request: pytest.FixtureRequest, redis_url: str, tmp_path: Path
) -> None:
    mongo = request.getfixturevalue("mongo_url") if store == "mongo" else None
    without = Settings(data=tmp_path, mongodb_url=SecretStr(mongo) if mongo else None)
    with_redis = without.model_copy(update={"redis_url": SecretStr(redis_url)})
    async with open_stores(without) as stores:
        saver = await stores.make_checkpointer()
        await put(saver)
        assert await saver.aget_tuple(CONFIG) is not None

    async with open_stores(with_redis) as stores:
        saver = await stores.make_checkpointer()
        assert await saver.aget_tuple(CONFIG) is None
        await put(saver)
        assert await saver.aget_tuple(CONFIG) is not None

    async with open_stores(without) as stores:
        assert await (await stores.make_checkpointer()).aget_tuple(CONFIG) is None
