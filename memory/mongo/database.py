"""A MongoDB database as the stores use it: its indexes, its schema's version, units of work."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self, TypeVar

from pymongo import ASCENDING, DESCENDING, AsyncMongoClient, IndexModel, timeout
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError, InvalidURI

from memory.errors import Conflict, Invalid, Newer
from memory.mongo.faults import mapped_errors

T = TypeVar("T")
Document = dict[str, Any]
Session = AsyncClientSession | None
Work = Callable[[Session], Awaitable[T]]

SCHEMA_VERSION = 7
WAIT_MS = 3_500
"""How long one unit of work may take, its search for a server included."""

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


class MongoDatabase:
    """Collections by name; ``atomic`` runs work in a transaction where the server has them.

    On a standalone server, which has none, the same steps run one by one: they are ordered so
    that what a crash leaves behind is never seen.
    """

    def __init__(self, database: AsyncDatabase[Document], *, transactions: bool) -> None:
        self.database = database
        self._transactions = transactions

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str, *, prepare: bool = True) -> AsyncIterator[Self]:
        """Connect, prepare unless it is only to be looked at, and, at the end, disconnect.

        Raises Invalid for a URL that is none or names no database, Newer if a newer version wrote
        the data, Unavailable if nothing answers.
        """
        client = _client(url)
        try:
            with mapped_errors():
                hello = await client.admin.command("hello")
                transactions = "setName" in hello or hello.get("msg") == "isdbgrid"
                database = cls(client.get_default_database(), transactions=transactions)
                if prepare:
                    await database._prepare()
            yield database
        finally:
            await client.close()

    def __getitem__(self, name: str) -> AsyncCollection[Document]:
        return self.database[name]

    async def atomic(self, work: Work[T]) -> T:
        """Run ``work`` so that all of it is kept, or none of it."""
        with self.in_order():
            if not self._transactions:
                return await work(None)
            async with self.database.client.start_session() as session:
                return await session.with_transaction(work)

    @contextmanager
    def in_order(self) -> Iterator[None]:
        """Steps that may be cut short anywhere, within the time of one unit of work."""
        # One deadline for all of it: else each step, retry and abort would have its own.
        with mapped_errors(), timeout(WAIT_MS / 1000):
            yield

    async def _prepare(self) -> None:
        schema = await self.database["schema"].find_one({"_id": "tomato"})
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
            await self.database[name].create_indexes(list(indexes))
        if schema is not None and schema["version"] < SCHEMA_VERSION:
            await self._carry_over()
        await self._mark()

    async def _carry_over(self) -> None:
        """Bring what an older version left into this one's form; who opens it meanwhile waits."""
        from memory.mongo.lease import MongoLease, held
        from memory.mongo.old_turns import settled
        from memory.mongo.reindexing import renewed

        async with held(MongoLease(self, "schema")):
            schema = await self.database["schema"].find_one({"_id": "tomato"})
            if schema is not None and schema["version"] < SCHEMA_VERSION:
                await renewed(self, schema["version"])
                await settled(self)
                await self._mark()

    async def _mark(self) -> None:
        await self.database["schema"].update_one(
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
            minPoolSize=CONNECTIONS // 2,
            maxPoolSize=CONNECTIONS,
            appname="tomato",
        )
        client.get_default_database()
    except (InvalidURI, ConfigurationError) as error:
        raise Invalid.field("MONGODB_URL", "it must be a URL with the database's name") from error
    return client
