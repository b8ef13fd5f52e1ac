"""The indexes of an older schema open in this version as they were.

Schema 1 had a document for each posting, schema 2 blocks of half the span; until schema 6 a text
was another where its spaces were.
"""

import pytest

from memory.errors import Conflict
from memory.mongo.archive import MongoArchive
from memory.mongo.database import MongoDatabase

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


async def to_schema_1(database: MongoDatabase) -> None:
    """What the version before would have left."""
    async for block in database["term_blocks"].find():
        key = block["_id"]
        for number, value in block["p"].items():
            posting = {"o": key["o"], "t": key["t"], "e": int(number)}
            await database["postings"].insert_one(
                {"_id": posting, "w": value % 1024, "l": value // 1024}
            )
    await database["term_blocks"].drop()
    await database["counters"].drop()
    last = max([one["number"] async for one in database["entries"].find()])
    await database["counters"].insert_one({"_id": "entries", "last": last})
    await database["entries"].update_many({}, {"$unset": {"weights": ""}})
    await database["schema"].update_one({"_id": "tomato"}, {"$set": {"version": 1}})


async def to_schema_2(database: MongoDatabase) -> None:
    blocks: dict[tuple[str, str, int], dict[str, int]] = {}
    async for block in database["term_blocks"].find():
        key = block["_id"]
        for number, value in block["p"].items():
            blocks.setdefault((key["o"], key["t"], int(number) // 1024), {})[number] = value
    await database["blocks"].insert_many(
        {"_id": {"o": owner, "t": term, "b": number}, "p": held}
        for (owner, term, number), held in blocks.items()
    )
    await database["term_blocks"].drop()
    await database["schema"].update_one({"_id": "tomato"}, {"$set": {"version": 2}})


async def test_the_index_of_schema_2_is_taken_over(url: str) -> None:
    async with MongoDatabase.open(url) as database:
        # Of both halves of a block of today.
        await database["counters"].insert_one(
            {"_id": {"numbers_of": ME}, "next": 3071, "end": 4096}
        )
        archive = MongoArchive(database)
        for label, content in NOTES.items():
            await archive.save(ME, label=label, category="메모", content=content)
        before = await found(archive)
        blocks = await database["term_blocks"].find().sort("_id").to_list()
        await to_schema_2(database)

    async with MongoDatabase.open(url) as database:
        assert await found(MongoArchive(database)) == before
        assert await database["term_blocks"].find().sort("_id").to_list() == blocks
        assert "blocks" not in await database.database.list_collection_names()


async def test_the_index_of_schema_1_is_taken_over(url: str) -> None:
    async with MongoDatabase.open(url) as database:
        archive = MongoArchive(database)
        for label, content in NOTES.items():
            await archive.save(ME, label=label, category="메모", content=content)
        before = await found(archive)
        blocks = await database["term_blocks"].find().sort("_id").to_list()
        await to_schema_1(database)
        assert await found(archive) != before

    async with MongoDatabase.open(url) as database:
        assert await found(MongoArchive(database)) == before
        assert await database["term_blocks"].find().sort("_id").to_list() == blocks
        assert "postings" not in await database.database.list_collection_names()
        archive = MongoArchive(database)
        new = await archive.save(ME, label="새것", category="메모", content="brand new words")
        numbers = [one["number"] async for one in database["entries"].find()]
        assert len(set(numbers)) == len(NOTES) + 1
        assert (await archive.search(ME, "brand", limit=1)).items[0].entry.id == new.id
        for entry in (await archive.page(ME, limit=10)).items:
            await archive.delete(ME, entry.id)
        for name in ("term_blocks", "terms", "archives", "entries"):
            assert await database[name].count_documents({}) == 0, name
        assert await database["counters"].count_documents({"_id.numbers_of": ME}) == 0


async def test_what_is_the_same_now_is_known_again(url: str) -> None:
    async with MongoDatabase.open(url) as database:
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

    async with MongoDatabase.open(url) as database:
        archive = MongoArchive(database)
        for content in [*NOTES.values(), "만료 시간은 3600 초"]:
            with pytest.raises(Conflict):
                await archive.save(ME, label="다시", category="메모", content=content.upper())
        assert (await archive.search(ME, "토", limit=5)).items[0].entry.label == "토마토"
        held = {one.id for one in (await archive.page(ME, limit=10)).items}
        assert {first.id, twin.id} <= held
        assert len(held) == len(NOTES) + 2
