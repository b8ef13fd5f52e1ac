"""A search within a category finds what is in it, however much else says the same."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from memory.mongo.archive import MongoArchive
from memory.mongo.schema import open_mongo
from memory.protocols import Archive
from memory.ranking import FEW
from memory.sqlite.archive import SQLiteArchive
from memory.sqlite.database import Database
from tests.benchmarks.archive_search import ME, Fill, fill, fill_mongo

NEWER = 17_000
"""More than any store reads of a term: 8 blocks of 2,048 in MongoDB."""

Opened = AbstractAsyncContextManager[tuple[Archive, Fill]]
Store = Callable[[pytest.FixtureRequest], Opened]


@asynccontextmanager
async def on_sqlite(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Archive, Fill]]:
    folder: Path = request.getfixturevalue("tmp_path")
    database = await Database.open(folder / "tomato.db")

    async def fill_more(owner: str, contents: Sequence[str]) -> None:
        await fill(database, owner, contents)

    yield SQLiteArchive(database), fill_more
    await database.close()


@asynccontextmanager
async def on_mongo(request: pytest.FixtureRequest) -> AsyncIterator[tuple[Archive, Fill]]:
    async with open_mongo(request.getfixturevalue("mongo_url")) as database:
        yield MongoArchive(database), partial(fill_mongo, database)


@pytest.mark.parametrize("store", [on_sqlite, on_mongo])
async def test_what_is_older_than_all_that_is_read_is_found_in_its_category(
    request: pytest.FixtureRequest, store: Store
) -> None:
    async with store(request) as (archive, fill_more):
        old = [f"공통 회의 {'옛' if number == 7 else number}" for number in range(FEW + 100)]
        await fill_more(ME, old)
        for category in await archive.categories(ME):
            await archive.rename_category(ME, category.name, "옛날")
        await fill_more(ME, [f"공통 회의 새 {number or '지르코늄'}" for number in range(NEWER)])

        for query in ("공통", "공통 회의", "공통 옛", "지르코늄 공통"):
            found = await archive.search(ME, query, category="옛날", limit=100)
            assert len(found.items) == (1 if "옛" in query else 100), query
            assert {one.entry.category for one in found.items} == {"옛날"}
