"""Dumps a MongoDB database to files that the standard tools read, and loads them; knows no archive.

``mongodb/<collection>.bson`` holds the documents as the server sent them and
``<collection>.metadata.json`` options and indexes, both as mongodump writes them:
``mongorestore --db name mongodb/`` reads the folder.
"""

import asyncio
import hashlib
import secrets
import struct
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast
from urllib.parse import parse_qs, quote, urlsplit, urlunsplit

from bson import json_util
from bson.raw_bson import RawBSONDocument
from pymongo import AsyncMongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import ConfigurationError, InvalidURI, OperationFailure

from memory.errors import Conflict, Invalid, Unavailable
from memory.mongo.database import Document, has_transactions
from memory.mongo.faults import mapped_errors
from memory.mongo.schema import SCHEMA_VERSION

Database = AsyncDatabase[Document]

FOLDER = "mongodb"
DRILL = "tomato_drill_"
BATCH_BYTES, BATCH_DOCUMENTS = 4 << 20, 500
ANSWER_MS = 60_000
"""How long the server may take for one command before it counts as away."""

MARK = "schema"
"""The collection that tells a server whether it may open the database; loaded last."""

_SNAPSHOT_TOO_OLD, _SNAPSHOT_UNAVAILABLE = 239, 246
_JSON = json_util.CANONICAL_JSON_OPTIONS


class MongoBackup:
    """The Durable protocol on the database that ``url`` names.

    On a replica set a dump is one point in time; a standalone server has none to offer, and the
    dump says ``"consistent": false``.
    """

    kind = "mongodb"
    schema = SCHEMA_VERSION

    def __init__(self, url: str) -> None:
        self._url = url

    async def dump(self, folder: Path) -> Mapping[str, Any]:
        """Raises Unavailable, too, if the server keeps no point in time for so long as it takes."""
        target = folder / FOLDER
        await asyncio.to_thread(target.mkdir, parents=True)
        async with self._connected() as database:
            listed = [dict(one) async for one in await database.list_collections()]
            names = [await _describe(database, one, target) for one in listed]
            async with _one_point_in_time(database) as session:
                contents = {name: await _dump(database, name, target, session) for name in names}
            mark = await database[MARK].find_one({"_id": "tomato"}) or {"version": 0}
        consistent = session is not None
        return {"schema": mark["version"], "consistent": consistent, "collections": contents}

    async def prepare(self, manifest: Mapping[str, Any], *, overwrite: bool) -> None:
        """Forbid servers to open the database until all is loaded, and empty it.

        What an earlier load of the same backup finished stays.
        """
        async with self._connected() as database:
            names = await database.list_collection_names()
            mark = await database[MARK].find_one({"_id": "tomato"}) or {}
            if mark.get("restoring") != manifest["made_at"]:
                if names and not overwrite:
                    raise Conflict(
                        f"The database {database.name} is not empty: --overwrite replaces it,"
                        " --database names another.",
                        code="target_not_empty",
                    )
                mark = {"version": SCHEMA_VERSION, "restoring": manifest["made_at"], "done": []}
                await database[MARK].replace_one({"_id": "tomato"}, mark, upsert=True)
            for name in names:
                if name not in (MARK, *mark["done"]) and not name.startswith("system."):
                    await database.drop_collection(name)

    async def load(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        source = folder / FOLDER
        described = [_read_description(path) for path in sorted(source.glob("*.metadata.json"))]
        async with self._connected() as database:
            mark = await database[MARK].find_one({"_id": "tomato"})
            done = mark["done"] if mark else []
            for one in described:
                if one["collectionName"] not in (MARK, *done):
                    await _load(database, one, source)
                    done_now = {"$push": {"done": one["collectionName"]}}
                    await database[MARK].update_one({"_id": "tomato"}, done_now)
            for one in described:
                if one["collectionName"] != MARK:
                    await _compare(database, one, manifest["collections"])
            await _load_mark(database, source)

    async def drop(self) -> None:
        """Let nothing of the database be there."""
        async with self._connected() as database:
            await database.client.drop_database(database.name)

    async def drop_old_drills(self) -> None:
        """Drop the throw-away databases of drills that were killed."""
        oldest = drill_name(datetime.now(UTC) - timedelta(days=1))
        async with self._connected() as database:
            for name in await database.client.list_database_names():
                if name.startswith(DRILL) and name < oldest:
                    await database.client.drop_database(name)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[Database]:
        try:
            client: AsyncMongoClient[Document] = AsyncMongoClient(
                self._url,
                w="majority",
                journal=True,
                serverSelectionTimeoutMS=5_000,
                socketTimeoutMS=ANSWER_MS,
                serverMonitoringMode="poll",  # no second connection beside the one that it watches
                appname="tomato-backup",
            )
            database = client.get_default_database()
        except (InvalidURI, ConfigurationError) as error:
            reason = "it must be a URL with the database's name"
            raise Invalid.field("MONGODB_URL", reason) from error
        try:
            with mapped_errors():
                yield database
        finally:
            await client.close()


def at_database(url: str, name: str) -> str:
    """The same server's URL with another database, and the same place to look for the user."""
    parts = urlsplit(url)
    query = parts.query
    if "@" in parts.netloc and "authSource" not in parse_qs(query):
        query = f"{query}&authSource={parts.path.lstrip('/') or 'admin'}".lstrip("&")
    return urlunsplit(parts._replace(path=f"/{name}", query=query))


def drill_name(moment: datetime) -> str:
    """A database that nobody uses; the name tells since when."""
    return f"{DRILL}{moment.astimezone(UTC):%Y%m%dT%H%M%S}_{secrets.token_hex(4)}"


class _Content:
    """What a collection holds, in whatever order: its number of documents, a sum of hashes."""

    def __init__(self) -> None:
        self._count, self._sum = 0, 0

    def add(self, batch: bytes) -> None:
        for document in _documents(batch):
            self._count += 1
            self._sum += int.from_bytes(hashlib.sha256(document).digest())

    def told(self) -> dict[str, Any]:
        return {"count": self._count, "sum": f"{self._sum % (1 << 256):064x}"}


@asynccontextmanager
async def _one_point_in_time(database: Database) -> AsyncIterator[AsyncClientSession | None]:
    hello = await database.client.admin.command("hello")
    if not has_transactions(hello):
        yield None
        return
    async with database.client.start_session(snapshot=True) as session:
        try:
            yield session
        except OperationFailure as error:
            if error.code == _SNAPSHOT_TOO_OLD:
                raise Unavailable(
                    "The backup took longer than MongoDB keeps one point in time. Raise its"
                    " parameter minSnapshotHistoryWindowInSeconds (300 unless set)."
                ) from error
            if error.code == _SNAPSHOT_UNAVAILABLE:
                raise Unavailable("Collections or indexes were just changed.") from error
            raise


async def _describe(database: Database, one: Document, folder: Path) -> str:
    if one["type"] != "collection":
        raise Unavailable(f"{one['name']} is a {one['type']}, which is none of Tomato's.")
    name: str = one["name"]
    about = {
        "options": one["options"],
        "indexes": await _indexes(database, name),
        "uuid": one["info"]["uuid"].hex(),
        "collectionName": name,
        "type": one["type"],
    }
    path = folder / f"{quote(name, safe='')}.metadata.json"
    await asyncio.to_thread(path.write_text, json_util.dumps(about, json_options=_JSON))
    return name


def _read_description(path: Path) -> Document:
    about: Document = json_util.loads(path.read_text())
    return about


async def _dump(
    database: Database, name: str, folder: Path, session: AsyncClientSession | None
) -> dict[str, Any]:
    content = _Content()
    with _bson(folder, name).open("wb") as file:
        async for batch in _raw(database, name, session):
            content.add(batch)
            await asyncio.to_thread(file.write, batch)
    return content.told()


async def _load(database: Database, about: Document, folder: Path) -> None:
    """One collection; its indexes come last, which is the quicker way."""
    name = about["collectionName"]
    await database.command({"create": name, **about["options"]})
    for batch in _batches(_bson(folder, name)):
        await _insert(database, name, batch)
    indexes = [one for one in about["indexes"] if one["name"] != "_id_"]
    if indexes:
        await database.command({"createIndexes": name, "indexes": indexes})


async def _insert(database: Database, name: str, batch: bytes) -> None:
    documents = [RawBSONDocument(bytes(one)) for one in _documents(batch)]
    await database[name].insert_many(documents, bypass_document_validation=True)


async def _compare(database: Database, about: Document, expected: Mapping[str, Any]) -> None:
    """Read a collection back; Unavailable if it is not as it was."""
    name, content = about["collectionName"], _Content()
    async for batch in _raw(database, name, None):
        content.add(batch)
    same_indexes = _by_name(await _indexes(database, name)) == _by_name(about["indexes"])
    if content.told() != expected[name] or not same_indexes:
        raise Unavailable(
            f"The collection {name} is not as in the backup after it was restored: does something"
            " else write to the database? Restore again with --overwrite."
        )


async def _load_mark(database: Database, folder: Path) -> None:
    """From here on a server may open the database."""
    if not _bson(folder, MARK).exists():
        await database.drop_collection(MARK)
        return
    for batch in _batches(_bson(folder, MARK)):
        for one in _documents(batch):
            document = RawBSONDocument(bytes(one))
            await database[MARK].replace_one({"_id": document["_id"]}, document, upsert=True)


async def _raw(
    database: Database, name: str, session: AsyncClientSession | None
) -> AsyncIterator[bytes]:
    cursor = database[name].find_raw_batches(batch_size=BATCH_DOCUMENTS, session=session)
    async for batch in cast(AsyncIterator[bytes], cursor):  # its own type tells of documents
        yield batch


async def _indexes(database: Database, name: str) -> list[Document]:
    return [dict(one) async for one in await database[name].list_indexes()]


def _by_name(indexes: list[Document]) -> dict[str, str]:
    return {one["name"]: json_util.dumps(one, json_options=_JSON) for one in indexes}


def _bson(folder: Path, name: str) -> Path:
    return folder / f"{quote(name, safe='')}.bson"


def _batches(path: Path) -> Iterator[bytes]:
    """A file's documents, about ``BATCH_BYTES`` of them at a time."""
    batch = bytearray()
    with path.open("rb") as file:
        while length := file.read(4):
            batch += length + file.read(int.from_bytes(length, "little") - 4)
            if len(batch) >= BATCH_BYTES:
                yield bytes(batch)
                batch.clear()
    if batch:
        yield bytes(batch)


def _documents(batch: bytes) -> Iterator[memoryview]:
    """The documents of concatenated BSON: each begins with its own length."""
    view, start = memoryview(batch), 0
    while start < len(view):
        (length,) = struct.unpack_from("<i", view, start)
        yield view[start : start + length]
        start += length
