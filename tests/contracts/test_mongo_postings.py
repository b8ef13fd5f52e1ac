"""Blocks of MongoDB's search index: they fill up, and hold what entries say, whatever comes."""

import asyncio
from collections import Counter

import pytest

from memory.mongo.archive import MongoArchive
from memory.mongo.database import MongoDatabase
from memory.mongo.postings import blocks_of
from memory.mongo.schema import open_mongo
from memory.mongo.term_search import MOST_SENT
from memory.records import Entry

ME, BLOCK = "user_me", 4


@pytest.fixture(params=["mongo_url", "standalone_mongo_url"])
def url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr("memory.mongo.postings.BLOCK", BLOCK)
    found: str = request.getfixturevalue(request.param)
    return found


async def save(archive: MongoArchive, number: int, category: str = "메모") -> Entry:
    content = f"tomato number{number}"
    return await archive.save(ME, label=f"label{number}", category=category, content=content)


async def sizes(database: MongoDatabase, term: str) -> list[int]:
    """How many postings are in each block of a term."""
    blocks = await database["posting_blocks"].find({"_id.t": term}).sort("_id").to_list()
    return [len(block["p"]) for block in blocks]


async def check(database: MongoDatabase) -> None:
    """Exactly those postings are there that the entries say, where they say."""
    held, terms = set[tuple[str, int, int]](), Counter[str]()
    async for entry in database["entries"].find():
        places = blocks_of(entry)
        held |= {(term, block, entry["number"]) for term, block in places.items()}
        terms.update(places.keys())
    there = {
        (block["_id"]["t"], block["_id"]["b"], int(number))
        async for block in database["posting_blocks"].find()
        for number in block["p"]
    }
    assert there == held
    counts = {one["_id"]["t"]: one async for one in database["terms"].find()}
    assert {term: one["n"] for term, one in counts.items()} == terms
    assert all(one["a"] >= one["n"] for one in counts.values())
    assert not [one async for one in database["posting_blocks"].find({"p": {}})]


async def found(archive: MongoArchive, query: str, category: str | None = None) -> set[str]:
    page = await archive.search(ME, query, category=category, limit=50)
    return {one.entry.label for one in page.items}


async def test_a_full_block_is_followed_by_another(url: str) -> None:
    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        for number in range(10):
            await save(archive, number)
        assert await sizes(database, "tomato") == [4, 4, 2]
        assert await sizes(database, "#메모") == [4, 4, 2]
        assert await found(archive, "tomato") == {f"label{number}" for number in range(10)}
        await check(database)


async def test_entries_go_from_any_block_and_new_ones_come_into_the_last(url: str) -> None:
    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        entries = [await save(archive, number) for number in range(10)]
        for entry in (*entries[:4], entries[5], entries[9]):
            await archive.delete(ME, entry.id)
        assert await sizes(database, "tomato") == [3, 1]
        await check(database)
        for number in range(10, 14):
            await save(archive, number)
        assert await sizes(database, "tomato") == [3, 3, 2]
        left = {4, 6, 7, 8, 10, 11, 12, 13}
        assert await found(archive, "tomato") == {f"label{number}" for number in left}
        await check(database)
        for entry in (await archive.page(ME, limit=20)).items:
            await archive.delete(ME, entry.id)
        await check(database)
        assert await database["terms"].count_documents({}) == 0
        await save(archive, 20)
        assert await sizes(database, "tomato") == [1]


async def test_a_changed_entry_keeps_its_place_by_the_terms_that_stay(url: str) -> None:
    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        entries = [await save(archive, number) for number in range(6)]
        for at, content in enumerate(("tomato again", "a much longer tomato of other words", "x")):
            await archive.update(ME, entries[at].id, content=content)
            await check(database)
        await archive.update(ME, entries[3].id, label="tomato tomato")
        await check(database)
        await archive.update(ME, entries[4].id, category="다른 것")
        await check(database)
        assert await sizes(database, "tomato") == [3, 2]
        assert await sizes(database, "#메모") == [4, 1]
        assert await found(archive, "tomato", "메모") == {
            *("label0", "label1", "tomato tomato", "label5")
        }


async def test_a_category_is_renamed_across_blocks(url: str) -> None:
    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        for number in range(3):
            await save(archive, number, "new list")
        for number in range(3, 13):
            await save(archive, number, "old list")
        assert await archive.rename_category(ME, "old list", "new plan") == 10
        assert await sizes(database, "#new") == [4, 4, 4, 1]
        assert await sizes(database, "#old") == []
        assert await sizes(database, "#list") == [3]
        await check(database)
        assert await found(archive, "tomato", "new plan") == {f"label{n}" for n in range(3, 13)}
        assert await archive.rename_category(ME, "new plan", "new list") == 10
        await check(database)
        assert len(await found(archive, "list", "new list")) == 13


async def test_saves_at_once_lose_nothing(url: str) -> None:
    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        entries = await asyncio.gather(*(save(archive, number) for number in range(12)))
        assert sum(await sizes(database, "tomato")) == 12
        await check(database)
        await asyncio.gather(
            *(archive.delete(ME, entry.id) for entry in entries[:6]),
            *(archive.update(ME, entry.id, content="potato") for entry in entries[6:7]),
            *(save(archive, number) for number in range(12, 18)),
        )
        assert await found(archive, "tomato") == {f"label{number}" for number in range(7, 18)}
        await check(database)


@pytest.mark.parametrize("picked", [0, 100])
async def test_common_words_are_looked_for_in_long_entries_too(
    url: str, picked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of which not all terms are sent."""
    monkeypatch.setattr("memory.mongo.term_search.MOST_PICKED", picked)
    monkeypatch.setattr("memory.ranking.READ_AT_MOST", 2)
    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        for number in range(4):
            await save(archive, number)
        words = " ".join(f"w{number}" for number in range(MOST_SENT))
        long = await archive.save(
            ME, label="long", category="메모", content=f"rare tomato tomato {words}"
        )
        (hit,) = (await archive.search(ME, "rare tomato $0", limit=5)).items
        assert (hit.entry.id, hit.matched) == (long.id, ("rare", "tomato"))
        alone = (await archive.search(ME, "rare", limit=5)).items[0]
        assert hit.score > alone.score


@pytest.mark.parametrize(("few", "most"), [(500, 10_000), (0, 10_000), (0, 3)])
async def test_a_category_is_searched_however_large(
    url: str, few: int, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its entries is looked at, or all are known, or it is asked for those that matter."""
    monkeypatch.setattr("memory.mongo.term_search.FEW", few)
    monkeypatch.setattr("memory.mongo.term_search.ONE_REPLY", most)
    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        for number in range(12):
            await save(archive, number, "even" if number % 2 == 0 else "odd")
        even = {f"label{number}" for number in range(0, 12, 2)}
        assert await found(archive, "tomato", "even") == even
        assert await found(archive, "tomato number4", "even") >= {"label4"}
        assert await found(archive, "zebra", "odd") == set()
        assert await found(archive, "tomato", "none") == set()
        monkeypatch.setattr("memory.ranking.READ_AT_MOST", 1)
        monkeypatch.setattr("memory.mongo.term_search.READ_AT_MOST", 1)
        assert "label4" in await found(archive, "tomato number4", "even")


async def test_what_an_older_version_saved_beside_is_indexed_by_its_change(url: str) -> None:
    async with open_mongo(url) as database:
        archive = MongoArchive(database)
        entries = [await save(archive, number) for number in range(3)]
        await database["posting_blocks"].drop()
        await database["terms"].update_many({}, {"$unset": {"a": ""}})
        await database["entries"].update_many({}, {"$unset": {"blocks": ""}})
        assert await archive.rename_category(ME, "메모", "새 메모") == 3
        await archive.update(ME, entries[0].id, content="tomato again")
        await archive.delete(ME, entries[1].id)
        await save(archive, 4)
        assert await found(archive, "tomato") == {"label0", "label4"}
        assert await sizes(database, "tomato") == [2]
