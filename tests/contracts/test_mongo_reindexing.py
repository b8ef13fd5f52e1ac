"""The indexes of an older schema open in this version as they were.

Schema 1 had a document for each posting, schema 2 blocks of 1,024 entries, then of 2,048 until
schema 7; until schema 6 a text was another where its spaces were.
"""

import asyncio

import pytest

from memory.errors import Conflict, Unavailable
from memory.mongo.archive import MongoArchive
from memory.mongo.database import Document, MongoDatabase
from memory.mongo.schema import open_mongo

ME = "user_me"
NOTES = {
    "레디스 만료": "세션은 레디스에서 30분 뒤에 만료된다.",
    "Redis timeout": "The redis client waits for one second, then gives up.",
    "토마토": "토마토는 여름에 심는다. Tomatoes like the sun, redis or not.",
}


@pytest.fixture(params=["mongo_url", "standalone_mongo_url"])
def url(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


async def found(archive: MongoArchive) -> list[list[tuple[str, float]]]:
    asked = ("레디스 만료", "redis", "토마토 여름", "sun")
    pages = [await archive.search(ME, query, limit=10) for query in asked]
    return [[(one.entry.label, one.score) for one in page.items] for page in pages]


async def kept(database: MongoDatabase) -> list[list[Document]]:
    """The index, and what entries and terms know of it."""
    columns = {"entries": {"blocks": 1, "weights": 1}, "terms": {"n": 1, "a": 1}}
    return [
        await database[name].find({}, columns.get(name)).sort("_id").to_list()
        for name in ("posting_blocks", "entries", "terms")
    ]


async def postings(database: MongoDatabase) -> list[tuple[str, str, int, int]]:
    """Owner, term, entry and the rest of each posting; they are in no block any more."""
    found = [
        (block["_id"]["o"], block["_id"]["t"], int(number), value)
        async for block in database["posting_blocks"].find()
        for number, value in block["p"].items()
    ]
    await database["posting_blocks"].drop()
    await database["terms"].update_many({}, {"$unset": {"a": ""}})
    await database["entries"].update_many({}, {"$unset": {"blocks": ""}})
    return found


async def to_schema(version: int, database: MongoDatabase) -> None:
    """What that version would have left."""
    found = await postings(database)
    if version == 1:
        await database["postings"].insert_many(
            {"_id": {"o": owner, "t": term, "e": number}, "w": value % 1024, "l": value // 1024}
            for owner, term, number, value in found
        )
        await database["counters"].drop()
        last = max([one["number"] async for one in database["entries"].find()])
        await database["counters"].insert_one({"_id": "entries", "last": last})
        await database["entries"].update_many({}, {"$unset": {"weights": ""}})
    else:
        span, name = (1024, "blocks") if version == 2 else (2048, "term_blocks")
        blocks: dict[tuple[str, str, int], dict[str, int]] = {}
        for owner, term, number, value in found:
            blocks.setdefault((owner, term, number // span), {})[str(number)] = value
        await database[name].insert_many(
            {"_id": {"o": owner, "t": term, "b": number}, "p": held}
            for (owner, term, number), held in blocks.items()
        )
    await database["schema"].update_one({"_id": "tomato"}, {"$set": {"version": version}})


async def fill(database: MongoDatabase) -> None:
    for label, content in NOTES.items():
        await MongoArchive(database).save(ME, label=label, category="메모", content=content)
    other = MongoArchive(database)
    await other.save("user_other", label="남의 것", category="메모", content=NOTES["토마토"])


@pytest.fixture
def two_in_a_block(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("postings", "reindexing"):
        monkeypatch.setattr(f"memory.mongo.{module}.BLOCK", 2)


@pytest.mark.usefixtures("two_in_a_block")
@pytest.mark.parametrize("version", [1, 2, 3, 6])
async def test_the_index_of_before_is_taken_over(url: str, version: int) -> None:
    async with open_mongo(url) as database:
        await fill(database)
        before, index = await found(MongoArchive(database)), await kept(database)
        assert await database["posting_blocks"].count_documents({"_id.t": "#메모"}) == 3
        await to_schema(version, database)
        assert await found(MongoArchive(database)) != before

    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        assert (await found(archive), await kept(database)) == (before, index)
        names = await database.database.list_collection_names()
        assert not {"postings", "blocks", "term_blocks", "posting_blocks_made"} & set(names)
        new = await archive.save(ME, label="새것", category="메모", content="brand new words")
        numbers = [one["number"] async for one in database["entries"].find()]
        assert len(set(numbers)) == len(NOTES) + 2
        assert (await archive.search(ME, "brand", limit=1)).items[0].entry.id == new.id
        for owner in (ME, "user_other"):
            for entry in (await archive.page(owner, limit=10)).items:
                await archive.delete(owner, entry.id)
        for name in ("posting_blocks", "terms", "archives", "entries"):
            assert await database[name].count_documents({}) == 0, name
        assert await database["counters"].count_documents({"_id.numbers_of": ME}) == 0


@pytest.mark.usefixtures("two_in_a_block")
@pytest.mark.parametrize("where", ["write", "end_owner", "all but the mark"])
async def test_what_was_cut_short_is_done_again(
    url: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_mongo(url) as database:
        await fill(database)
        before, index = await found(MongoArchive(database)), await kept(database)
        await to_schema(6, database)

    def cut(*_: object) -> None:
        raise Unavailable("cut")

    with monkeypatch.context() as patched:
        of = "schema.settled" if where == "all but the mark" else f"reindexing._Filling.{where}"
        patched.setattr(f"memory.mongo.{of}", cut)
        with pytest.raises(Unavailable, match="cut"):
            async with open_mongo(url):
                pass
    async with open_mongo(url) as database:
        assert (await found(MongoArchive(database)), await kept(database)) == (before, index)


@pytest.mark.usefixtures("two_in_a_block")
async def test_of_many_processes_one_takes_the_index_over(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_mongo(url) as database:
        await fill(database)
        before, index = await found(MongoArchive(database)), await kept(database)
        await to_schema(6, database)

    async def opened() -> tuple[object, object]:
        async with open_mongo(url) as database:
            return await found(MongoArchive(database)), await kept(database)

    assert await asyncio.gather(*(opened() for _ in range(4))) == [(before, index)] * 4
    assert caplog.text.count("was brought into its new form") == 1


@pytest.mark.usefixtures("two_in_a_block")
async def test_blocks_are_written_before_they_fill_the_memory(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.mongo.reindexing.CHANGED_AT_ONCE", 1)
    monkeypatch.setattr("memory.mongo.reindexing.MOST_HELD", 5)
    async with open_mongo(url) as database:
        await fill(database)
        before = await found(MongoArchive(database))
        await to_schema(6, database)

    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        assert await found(archive) == before
        assert await database["posting_blocks"].count_documents({"_id.t": "#메모"}) == 4
        for entry in (await archive.page(ME, limit=10)).items:
            await archive.delete(ME, entry.id)
        assert await database["posting_blocks"].count_documents({"_id.o": ME}) == 0


async def test_what_is_the_same_now_is_known_again(url: str) -> None:
    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        for label, content in NOTES.items():
            await archive.save(ME, label=label, category="메모", content=content)
        first = await archive.save(ME, label="하나", category="메모", content="만료시간은 3,600초")
        await database["entries"].update_many({}, [{"$set": {"fingerprint": "$_id"}}])
        twin = await archive.save(ME, label="둘", category="메모", content="만료 시간은 3600초.")
        await database["entries"].update_one({"_id": twin.id}, {"$set": {"fingerprint": "twin"}})
        await database["terms"].update_many({}, {"$unset": {"c": ""}})
        assert not (await archive.search(ME, "토", limit=5)).items
        await database["schema"].update_one({"_id": "tomato"}, {"$set": {"version": 5}})

    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        for content in [*NOTES.values(), "만료 시간은 3600 초"]:
            with pytest.raises(Conflict):
                await archive.save(ME, label="다시", category="메모", content=content.upper())
        assert (await archive.search(ME, "토", limit=5)).items[0].entry.label == "토마토"
        held = {one.id for one in (await archive.page(ME, limit=10)).items}
        assert {first.id, twin.id} <= held
        assert len(held) == len(NOTES) + 2
