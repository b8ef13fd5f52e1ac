"""Opens what is remembered where the settings say: the SQLite file, or MongoDB; Redis beside it.

Drivers are loaded only for the servers that are asked for.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from memory.accounts import Sessions, Users
from memory.attachments import Attachments
from memory.blobs import Blobs
from memory.board import Board
from memory.contents import Contents
from memory.extraction import Extractor
from memory.files import Files
from memory.objects import Objects
from memory.protocols import Archive, History, Rooms, RunRecords
from memory.sessions import Lifetime
from memory.sqlite import loose as sqlite_loose
from memory.sqlite.archive import SQLiteArchive
from memory.sqlite.database import Database
from memory.sqlite.files import SQLiteFiles
from memory.sqlite.history import SQLiteHistory
from memory.sqlite.rooms import SQLiteRooms
from memory.sqlite.run_records import SQLiteRunRecords
from memory.sqlite.sessions import SQLiteSessions
from memory.sqlite.usage import SQLiteUsageRecords
from memory.sqlite.users import SQLiteUsers
from memory.usage import GatheredUsage, UsageRecords
from server.objects import open_objects
from server.settings import Settings

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from memory.embeddings import Vectors
    from memory.mongo.checkpoints import MongoSaver
    from memory.mongo.database import MongoDatabase
    from memory.redis.connection import Client
    from memory.sqlite.checkpoints import SQLiteSaver

Check = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """What is remembered. ``forget`` wipes what was deleted from the disk.

    ``shared`` tells that other processes may work on the same data, and ``board`` is where they
    tell each other of their runs. ``make_checkpointer`` imports langgraph and ``make_vectors``
    numpy, so that they are for the heavy half. Each of ``checks`` raises Unavailable while what it
    is named after is down.
    """

    rooms: Rooms
    history: History
    run_records: RunRecords
    archive: Archive
    files: Files
    attachments: Attachments
    users: Users
    sessions: Sessions
    usage: UsageRecords
    objects: Objects
    blobs: Blobs
    redis: "Client | None"
    forget: Callable[[], Awaitable[None]]
    shared: bool
    board: Board | None
    checks: Mapping[str, Check]
    make_checkpointer: "Callable[[], Awaitable[BaseCheckpointSaver[Any]]]"
    make_vectors: "Callable[[], Vectors]"


@asynccontextmanager
async def open_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Open all that the settings name.

    Raises memory.errors.Newer, Invalid or Unavailable, and then nothing was changed.
    """
    async with AsyncExitStack() as stack:
        redis = await _redis(settings, stack)
        objects = await stack.enter_async_context(open_objects(settings))
        if settings.mongodb_url is None:
            yield await _on_sqlite(settings, stack, redis, objects)
        else:
            yield await _on_mongo(settings, stack, redis, objects)


async def _redis(settings: Settings, stack: AsyncExitStack) -> "Client | None":
    if settings.redis_url is None:
        return None
    from memory.redis.connection import open_redis

    return await stack.enter_async_context(open_redis(settings.redis_url.get_secret_value()))


async def _database(settings: Settings, stack: AsyncExitStack) -> Database:
    database = await Database.open(settings.database_path)
    stack.push_async_callback(database.close)
    return database


async def _on_sqlite(
    settings: Settings, stack: AsyncExitStack, redis: "Client | None", objects: Objects
) -> Stores:
    database = await _database(settings, stack)

    async def make_checkpointer() -> "BaseCheckpointSaver[Any]":
        saver = _sqlite_saver(database)
        return await _in_redis(settings, saver, redis) or saver

    async def forget() -> None:
        await database.forget()
        await attachments.sweep_if_possible()

    rooms, blobs = SQLiteRooms(database), Blobs(objects)
    archive = SQLiteArchive(database, Contents(blobs, partial(sqlite_loose.promise, database)))
    files = SQLiteFiles(database, archive)
    attachments = _attachments(settings, archive, files, blobs)
    await attachments.sweep_if_possible()  # what a crash left
    return Stores(
        rooms=rooms,
        history=SQLiteHistory(database),
        run_records=SQLiteRunRecords(database),
        archive=_with_digests(archive, redis, stack),
        files=files,
        attachments=attachments,
        users=SQLiteUsers(database),
        sessions=_sessions(settings, redis) or SQLiteSessions(database, lifetime(settings)),
        usage=_gathered(SQLiteUsageRecords(database), stack),
        objects=objects,
        blobs=blobs,
        redis=redis,
        forget=forget,
        shared=False,
        board=None,
        checks=_checks(rooms, redis, objects),
        make_checkpointer=make_checkpointer,
        make_vectors=partial(_sqlite_vectors, database),
    )


async def _on_mongo(
    settings: Settings, stack: AsyncExitStack, redis: "Client | None", objects: Objects
) -> Stores:
    from memory.mongo import loose as mongo_loose
    from memory.mongo.archive import MongoArchive
    from memory.mongo.files import MongoFiles
    from memory.mongo.history import MongoHistory
    from memory.mongo.rooms import MongoRooms
    from memory.mongo.run_records import MongoRunRecords
    from memory.mongo.runs import MongoBoard
    from memory.mongo.schema import open_mongo
    from memory.mongo.sessions import MongoSessions
    from memory.mongo.usage import MongoUsageRecords
    from memory.mongo.users import MongoUsers

    assert settings.mongodb_url is not None  # noqa: S101 - the caller has looked
    url = settings.mongodb_url.get_secret_value()
    database = await stack.enter_async_context(open_mongo(url))
    file = await _database(settings, stack) if settings.checkpointer_name == "sqlite" else None

    async def make_checkpointer() -> "BaseCheckpointSaver[Any]":
        saver = _sqlite_saver(file) if file else await _mongo_saver(database)
        return await _in_redis(settings, saver, redis) or saver

    async def forget() -> None:
        if file is not None:
            await file.forget()
        await attachments.sweep_if_possible()

    rooms, blobs = MongoRooms(database), Blobs(objects)
    archive = MongoArchive(database, Contents(blobs, partial(mongo_loose.promise, database)))
    files = MongoFiles(database, archive)
    attachments = _attachments(settings, archive, files, blobs)
    await attachments.sweep_if_possible()  # what a crash left
    return Stores(
        rooms=rooms,
        history=MongoHistory(database),
        run_records=MongoRunRecords(database),
        archive=_with_digests(archive, redis, stack),
        files=files,
        attachments=attachments,
        users=MongoUsers(database),
        sessions=_sessions(settings, redis) or MongoSessions(database, lifetime(settings)),
        usage=_gathered(MongoUsageRecords(database), stack),
        objects=objects,
        blobs=blobs,
        redis=redis,
        forget=forget,
        shared=True,
        board=_board(redis) or MongoBoard(database),
        checks=_checks(rooms, redis, objects),
        make_checkpointer=make_checkpointer,
        make_vectors=partial(_mongo_vectors, database),
    )


def _attachments(settings: Settings, archive: Archive, files: Files, blobs: Blobs) -> Attachments:
    return Attachments(
        archive,
        files,
        blobs,
        extract=Extractor().text,
        max_bytes=settings.max_file,
        uploads=settings.data / "uploads",
    )


def _gathered(records: UsageRecords, stack: AsyncExitStack) -> UsageRecords:
    usage = GatheredUsage(records)
    stack.push_async_callback(usage.close)
    return usage


def lifetime(settings: Settings) -> Lifetime:
    """How long the settings let a session last."""
    return Lifetime(
        idle=timedelta(seconds=settings.session_idle_seconds),
        longest=timedelta(seconds=settings.session_max_seconds),
    )


def _sessions(settings: Settings, redis: "Client | None") -> Sessions | None:
    """In Redis where there is one, for it lets each go by itself."""
    if redis is None:
        return None
    from memory.redis.sessions import RedisSessions

    return RedisSessions(redis, lifetime(settings))


def _with_digests(archive: Archive, redis: "Client | None", stack: AsyncExitStack) -> Archive:
    """Its digests kept in Redis where there is one."""
    if redis is None:
        return archive
    from memory.redis.digests import CachedDigest, RedisDigests

    cached = CachedDigest(archive, RedisDigests(redis))
    stack.push_async_callback(cached.close)
    return cached


def _board(redis: "Client | None") -> Board | None:
    if redis is None:
        return None
    from memory.redis.runs import RedisBoard

    return RedisBoard(redis)


def _checks(rooms: Rooms, redis: "Client | None", objects: Objects) -> Mapping[str, Check]:
    async def storage() -> None:
        await rooms.page("", limit=1)

    async def ping() -> None:
        from memory.redis.faults import mapped_errors

        if redis is not None:
            with mapped_errors():
                await redis.ping()

    always = {"storage": storage, "objects": objects.check}
    return always if redis is None else {**always, "redis": ping}


def _sqlite_saver(database: Database) -> "SQLiteSaver":
    from memory.sqlite.checkpoints import SQLiteSaver

    return SQLiteSaver(database, keep="latest")


async def _mongo_saver(database: "MongoDatabase") -> "MongoSaver":
    from memory.mongo.checkpoints import MongoSaver

    saver = MongoSaver(database.database, keep="latest")
    await saver.prepare()
    return saver


def _sqlite_vectors(database: Database) -> "Vectors":
    from memory.sqlite.vectors import SQLiteVectors

    return SQLiteVectors(database)


def _mongo_vectors(database: "MongoDatabase") -> "Vectors":
    from memory.mongo.search_nodes import SearchNodes
    from memory.mongo.vectors import MongoVectors

    return MongoVectors(database, SearchNodes(database))


async def _in_redis(
    settings: Settings, beside: "SQLiteSaver | MongoSaver", redis: "Client | None"
) -> "BaseCheckpointSaver[Any] | None":
    """The saver in Redis if checkpoints are kept there; none are left beside it then.

    What stood there from before would otherwise outlive a deletion.
    """
    if redis is None or settings.checkpointer_name != "redis":
        return None
    from memory.redis.hot_checkpoints import HotSaver

    await beside.clear()
    ttl = timedelta(seconds=settings.hot_seconds) if settings.hot_seconds else None
    return HotSaver(redis, keep="latest", ttl=ttl)
