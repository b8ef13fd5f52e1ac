"""The schema of our MongoDB database: its version and indexes; opening it brings it to this one."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, IndexModel
from pymongo.errors import ConfigurationError, InvalidURI

from memory.errors import Conflict, Invalid, Newer
from memory.lease import held
from memory.mongo.database import WAIT_MS, Document, MongoDatabase, has_transactions
from memory.mongo.faults import mapped_errors
from memory.mongo.lease import MongoLease
from memory.mongo.old_turns import settled
from memory.mongo.reindexing import renewed

SCHEMA_VERSION = 7

CONNECTIONS = 16
"""How many commands are sent at once: with more, each of them only takes longer."""

INDEXES: Mapping[str, Sequence[IndexModel]] = {
    "rooms": [
        IndexModel([("owner", ASCENDING), ("updated_at", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("open.run_id", ASCENDING)], sparse=True),
        IndexModel([("recent.run._id", ASCENDING)], sparse=True),
    ],
    "entries": [
        IndexModel([("owner", ASCENDING), ("fingerprint", ASCENDING)], unique=True),
        IndexModel([("owner", ASCENDING), ("created_at", DESCENDING), ("number", DESCENDING)]),
        IndexModel(
            [
                ("owner", ASCENDING),
                ("category", ASCENDING),
                ("created_at", DESCENDING),
                ("number", DESCENDING),
            ]
        ),
        IndexModel([("owner", ASCENDING), ("number", ASCENDING)]),
        IndexModel([("owner", ASCENDING), ("category", ASCENDING), ("number", ASCENDING)]),
        IndexModel([("owner", ASCENDING), ("embedded", ASCENDING)]),
    ],
    "terms": [
        IndexModel(
            [("_id.o", ASCENDING), ("c", ASCENDING)],
            partialFilterExpression={"c": {"$exists": True}},
        )
    ],
    "vectors": [IndexModel([("owner", ASCENDING), ("model", ASCENDING)])],
    "users": [
        IndexModel([("folded", ASCENDING)], unique=True),
    ],
    "sessions": [
        IndexModel([("uid", ASCENDING)]),
        IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
    ],
    "usage": [
        IndexModel([("owner", ASCENDING), ("day", DESCENDING)], unique=True),
    ],
    "files": [
        IndexModel([("owner", ASCENDING)]),
        IndexModel([("entry", ASCENDING), ("name", ASCENDING)], unique=True),
    ],
    "loose_blobs": [IndexModel([("since", ASCENDING)]), IndexModel([("owner", ASCENDING)])],
    "counted_runs": [IndexModel([("until", ASCENDING)], expireAfterSeconds=0)],
    "runs": [
        IndexModel([("room", ASCENDING)]),
        IndexModel(
            [("owner", ASCENDING), ("room", ASCENDING), ("idempotency_key", ASCENDING)],
            unique=True,
            partialFilterExpression={"idempotency_key": {"$type": "string"}},
        ),
    ],
}


@asynccontextmanager
async def open_mongo(url: str, *, prepare: bool = True) -> AsyncIterator[MongoDatabase]:
    """Connect, prepare unless it is only to be looked at, and, at the end, disconnect.

    Raises Invalid for a URL that is none or names no database, Newer if a newer version wrote the
    data, Unavailable if nothing answers.
    """
    client = _client(url)
    try:
        with mapped_errors():
            hello = await client.admin.command("hello")
            database = MongoDatabase(
                client.get_default_database(), transactions=has_transactions(hello)
            )
            if prepare:
                await _prepare(database)
        yield database
    finally:
        await client.close()


async def _prepare(database: MongoDatabase) -> None:
    schema = await database["schema"].find_one({"_id": "tomato"})
    if schema is not None and schema["version"] > SCHEMA_VERSION:
        raise Newer(
            f"The database has schema version {schema['version']}; this version of Tomato knows"
            f" up to {SCHEMA_VERSION}. Nothing was changed: open it with the newer Tomato."
        )
    if schema is not None and "restoring" in schema:
        raise Conflict(
            "A backup's restore into the database was cut short: run it again.",
            code="restore_unfinished",
        )
    for name, indexes in INDEXES.items():
        await database[name].create_indexes(list(indexes))
    if schema is not None and schema["version"] < SCHEMA_VERSION:
        await _carry_over(database)
    await _mark(database)


async def _carry_over(database: MongoDatabase) -> None:
    """Bring what an older version left into this one's form; who opens it meanwhile waits."""
    async with held(MongoLease(database, "schema")):
        schema = await database["schema"].find_one({"_id": "tomato"})
        if schema is not None and schema["version"] < SCHEMA_VERSION:
            await renewed(database, schema["version"])
            await settled(database)
            await _mark(database)


async def _mark(database: MongoDatabase) -> None:
    await database["schema"].update_one(
        {"_id": "tomato"}, {"$max": {"version": SCHEMA_VERSION}}, upsert=True
    )


def _client(url: str) -> AsyncMongoClient[Document]:
    try:
        client: AsyncMongoClient[Document] = AsyncMongoClient(
            url,
            w="majority",
            journal=True,
            timeoutMS=WAIT_MS,
            serverSelectionTimeoutMS=WAIT_MS // 2,
            maxPoolSize=CONNECTIONS,
            appname="tomato",
        )
        client.get_default_database()
    except (InvalidURI, ConfigurationError) as error:
        raise Invalid.field("MONGODB_URL", "it must be a URL with the database's name") from error
    return client
