"""What a backup of MongoDB promises, held against a replica set and a standalone server."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import bson
import pytest
from bson import json_util
from pymongo import AsyncMongoClient

from memory import backups
from memory.errors import Conflict, Invalid, Newer, Unavailable
from memory.folder.objects import FolderObjects
from memory.mongo import backups as mongo_backups
from memory.mongo.backups import MongoBackup, at_database
from memory.mongo.schema import open_mongo
from memory.objects import as_chunks, read_whole
from memory.sqlite.backups import SQLiteBackup

KEY = "참 긴 열쇠 하나, a long one"
Database = Any


@pytest.fixture(params=["mongo_url", "standalone_mongo_url"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    """A database as a server leaves it, with a few documents."""
    async with open_mongo(url) as opened:
        await opened["rooms"].insert_many(
            [{"_id": f"room_{n}", "owner": "나", "updated_at": n} for n in range(2500)]
        )
        await opened["runs"].insert_one({"_id": "run_1", "room": "room_1", "status": "done"})
        yield opened.database


@pytest.fixture
async def store(tmp_path: Path) -> FolderObjects:
    return await FolderObjects.open(tmp_path / "store")


@pytest.fixture
async def objects(tmp_path: Path) -> FolderObjects:
    objects = await FolderObjects.open(tmp_path / "blobs")
    await objects.put("blobs/user_1/aa", as_chunks(secrets.token_bytes(3_000_000)))
    return objects


@pytest.fixture
async def target(url: str) -> AsyncIterator[MongoBackup]:
    """Another database of the server, where nothing is."""
    durable = MongoBackup(at_database(url, f"restored_{secrets.token_hex(6)}"))
    yield durable
    await durable.drop()


async def content(url: str) -> dict[str, Any]:
    """Every document of every collection to the byte, and every index."""
    async with AsyncMongoClient[Any](url) as client:
        database = client.get_default_database()
        found = {}
        for name in await database.list_collection_names():
            cursor: Any = database[name].find_raw_batches()
            raw = b"".join([batch async for batch in cursor])
            documents = sorted(bson.encode(one) for one in bson.decode_all(raw))
            indexes = [one async for one in await database[name].list_indexes()]
            found[name] = (documents, json_util.dumps(indexes), len(raw))
        return found


@pytest.mark.parametrize("key", [None, KEY])
async def test_it_comes_back_equal_to_the_byte(
    url: str,
    database: Database,
    target: MongoBackup,
    objects: FolderObjects,
    store: FolderObjects,
    tmp_path: Path,
    key: str | None,
) -> None:
    name = await backups.run(MongoBackup(url), objects, store, key)
    new = await FolderObjects.open(tmp_path / "new")
    manifest = await backups.restore(store, name, key, durable=target, objects=new)
    assert await content(target._url) == await content(url)
    assert await read_whole(new, "blobs/user_1/aa") == await read_whole(objects, "blobs/user_1/aa")
    assert manifest["collections"]["rooms"]["count"] == 2500
    hello = await database.client.admin.command("hello")
    assert manifest["consistent"] == ("setName" in hello)
    async with open_mongo(target._url) as opened:  # as a server does
        assert await opened["rooms"].count_documents({"owner": "나"}) == 2500


async def test_its_files_are_those_of_the_standard_tools(
    url: str, database: Database, store: FolderObjects, tmp_path: Path
) -> None:
    name = await backups.run(MongoBackup(url), await FolderObjects.open(tmp_path / "no"), store)
    await backups.extract(store, name, None, tmp_path / "out")
    folder = tmp_path / "out" / "mongodb"
    # bsondump reads concatenated BSON; mongorestore, beside it, canonical extended JSON.
    documents = bson.decode_all((folder / "rooms.bson").read_bytes())
    assert [one["_id"] for one in documents] == [f"room_{n}" for n in range(2500)]
    told = json.loads((folder / "rooms.metadata.json").read_text())
    assert set(told) == {"options", "indexes", "uuid", "collectionName", "type"}
    assert told["indexes"][0] == {
        "v": {"$numberInt": "2"},
        "key": {"_id": {"$numberInt": "1"}},
        "name": "_id_",
    }
    assert (told["collectionName"], told["type"]) == ("rooms", "collection")
    assert UUID(told["uuid"]).hex == told["uuid"]
    with pytest.raises(Conflict):
        await backups.extract(store, name, None, tmp_path / "out")


async def test_a_dump_is_one_point_in_time(
    mongo_url: str, store: FolderObjects, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done, added, numbers = asyncio.Event(), asyncio.Event(), count()
    async with open_mongo(mongo_url) as opened:

        async def add(number: int) -> None:
            await opened["rooms"].insert_one({"_id": number})
            await opened["entries"].insert_one({"_id": number, "owner": number, "fingerprint": 0})
            added.set()

        async def writing() -> None:
            while not done.is_set():
                await add(next(numbers))

        dumped: Callable[..., Any] = mongo_backups._dump

        async def slow(*given: Any) -> dict[str, Any]:
            for _ in range(5):
                await added.wait()
                added.clear()
            result: dict[str, Any] = await dumped(*given)
            return result

        monkeypatch.setattr(mongo_backups, "_dump", slow)
        await add(-1)
        writer = asyncio.ensure_future(writing())
        none = await FolderObjects.open(tmp_path / "none")
        name = await backups.run(MongoBackup(mongo_url), none, store)
        done.set()
        await writer
    counts = (await backups.verify(store, name))["collections"]
    assert counts["rooms"]["count"] - counts["entries"]["count"] in (0, 1)


async def test_what_is_there_is_not_overwritten_untold(
    url: str, database: Database, store: FolderObjects, tmp_path: Path
) -> None:
    durable, objects = MongoBackup(url), await FolderObjects.open(tmp_path / "none")
    name = await backups.run(durable, objects, store)
    before = await content(url)
    await database["rooms"].insert_one({"_id": "later"})
    await database["surplus"].insert_one({"_id": 1})
    with pytest.raises(Conflict, match="is not empty"):
        await backups.restore(store, name, durable=durable, objects=objects)
    assert await database["rooms"].find_one({"_id": "later"}) is not None
    await backups.restore(store, name, durable=durable, objects=objects, overwrite=True)
    assert await content(url) == before


async def test_a_restore_that_was_cut_short_goes_on(
    url: str,
    database: Database,
    target: MongoBackup,
    store: FolderObjects,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    none = await FolderObjects.open(tmp_path / "none")
    name = await backups.run(MongoBackup(url), none, store)
    loaded, loading = list[str](), mongo_backups._insert

    async def cut(place: Database, collection: str, batch: bytes) -> None:
        await loading(place, collection, batch)
        loaded.append(collection)
        if loaded.count("runs") == 1:
            raise Unavailable("the power went")

    monkeypatch.setattr(mongo_backups, "_insert", cut)
    with pytest.raises(Unavailable, match="power"):
        await backups.restore(store, name, durable=target, objects=none)
    with pytest.raises(Conflict, match="cut short"):
        async with open_mongo(target._url):
            pass
    other = await backups.run(MongoBackup(url), none, store)
    with pytest.raises(Conflict, match="is not empty"):
        await backups.restore(store, other, durable=target, objects=none)
    await backups.restore(store, name, durable=target, objects=none)
    assert loaded.count("rooms") == 1
    assert loaded.count("runs") == 2
    assert await content(target._url) == await content(url)


async def test_a_restore_beside_somebody_who_writes_is_told_and_not_opened(
    url: str,
    database: Database,
    target: MongoBackup,
    store: FolderObjects,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    none = await FolderObjects.open(tmp_path / "none")
    name = await backups.run(MongoBackup(url), none, store)
    loading = mongo_backups._insert

    async def beside(place: Database, collection: str, batch: bytes) -> None:
        await loading(place, collection, batch)
        await place["rooms"].insert_one({"_id": f"stranger {collection}"})

    monkeypatch.setattr(mongo_backups, "_insert", beside)
    with pytest.raises(Unavailable, match="not as in the backup"):
        await backups.restore(store, name, durable=target, objects=none)
    with pytest.raises(Conflict, match="cut short"):
        async with open_mongo(target._url):
            pass


@pytest.mark.parametrize("key", [None, KEY])
async def test_a_bad_backup_is_refused_and_touches_nothing(
    mongo_url: str, store: FolderObjects, tmp_path: Path, key: str | None
) -> None:
    async with open_mongo(mongo_url):
        pass
    none, durable = await FolderObjects.open(tmp_path / "none"), MongoBackup(mongo_url)
    name = await backups.run(durable, none, store, key)
    good, before = await read_whole(store, name), await content(mongo_url)
    places = [0, 1, len(good) // 2, len(good) - 33, len(good) - 1]
    flipped = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in places]
    for bad in [good[:at] for at in places] + flipped:
        await store.put(name, as_chunks(bad))
        with pytest.raises(Invalid, match="refused"):
            await backups.restore(store, name, key, durable=durable, objects=none, overwrite=True)
    assert await content(mongo_url) == before


async def test_another_kind_of_store_and_a_newer_schema_are_refused(
    mongo_url: str, store: FolderObjects, tmp_path: Path
) -> None:
    async with open_mongo(mongo_url) as opened:
        durable, none = MongoBackup(mongo_url), await FolderObjects.open(tmp_path / "none")
        name = await backups.run(durable, none, store)
        with pytest.raises(Conflict, match="is of mongodb"):
            await backups.verify(store, name, durable=SQLiteBackup(tmp_path / "x.db"))
        await opened["schema"].update_one({"_id": "tomato"}, {"$set": {"version": 9_999}})
    newer = await backups.run(durable, none, store)
    for refused in (
        backups.verify(store, newer, durable=durable),
        backups.restore(store, newer, durable=durable, objects=none, overwrite=True),
    ):
        with pytest.raises(Newer):
            await refused


async def test_a_url_that_names_no_database_is_refused(store: FolderObjects) -> None:
    with pytest.raises(Invalid, match="MONGODB_URL"):
        await backups.run(MongoBackup("mongodb://127.0.0.1"), store, store)
    assert await backups.listed(store) == []


def test_another_database_of_the_server_keeps_where_users_are_looked_up() -> None:
    assert at_database("mongodb://h:1/a?directConnection=true", "b") == (
        "mongodb://h:1/b?directConnection=true"
    )
    assert at_database("mongodb://u:p@h1,h2/a", "b") == "mongodb://u:p@h1,h2/b?authSource=a"
    assert at_database("mongodb://u:p@h/a?authSource=admin", "b") == (
        "mongodb://u:p@h/b?authSource=admin"
    )
