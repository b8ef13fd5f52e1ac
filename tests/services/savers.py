"""Savers of every backend for tests, each on fresh storage."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bson
import pytest
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from memory.checkpoints import Saver
from memory.mongo.checkpoints import MongoSaver
from memory.redis.checkpoints import RedisSaver
from memory.sqlite.checkpoints import SQLiteSaver
from memory.sqlite.database import Database


@dataclass
class Savers:
    """Opens savers of one backend over the same storage; ``dump`` is every byte it keeps."""

    backend: str
    open: Callable[..., Awaitable[Saver]]
    dump: Callable[[], Awaitable[bytes]]


@pytest.fixture(params=["sqlite", "mongo", "redis"])
async def savers(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Savers]:
    async with AsyncExitStack() as stack:
        opening = {"sqlite": _sqlite, "mongo": _mongo, "redis": _redis}[request.param]
        yield await opening(request, tmp_path, stack)


async def _sqlite(request: pytest.FixtureRequest, folder: Path, stack: AsyncExitStack) -> Savers:
    database = await Database.open(folder / "tomato.db")
    stack.push_async_callback(database.close)

    async def open_saver(**options: Any) -> Saver:
        return SQLiteSaver(database, **options)

    async def dump() -> bytes:
        await database.forget()
        return _bytes_in(folder)

    return Savers("sqlite", open_saver, dump)


async def _mongo(request: pytest.FixtureRequest, folder: Path, stack: AsyncExitStack) -> Savers:
    client = AsyncMongoClient[dict[str, Any]](request.getfixturevalue("mongo_url"))
    stack.push_async_callback(client.close)
    database = client.get_default_database()

    async def open_saver(**options: Any) -> Saver:
        saver = MongoSaver(database, **options)
        await saver.prepare()
        return saver

    async def dump() -> bytes:
        return b"".join(
            [
                bson.encode(document)
                for name in await database.list_collection_names()
                async for document in database[name].find()
            ]
        )

    return Savers("mongo", open_saver, dump)


async def _redis(request: pytest.FixtureRequest, folder: Path, stack: AsyncExitStack) -> Savers:
    client = Redis.from_url(request.getfixturevalue("redis_url"))
    stack.push_async_callback(client.aclose)

    async def open_saver(**options: Any) -> Saver:
        return RedisSaver(client, **options)

    async def dump() -> bytes:
        return b"".join([bytes(await client.dump(key) or b"") for key in await client.keys()])

    return Savers("redis", open_saver, dump)


def _bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())
