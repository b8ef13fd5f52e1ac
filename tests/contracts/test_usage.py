"""What counters of usage promise, held against every store."""

import asyncio
from collections.abc import AsyncIterator, Collection
from datetime import date
from pathlib import Path
from typing import Any, cast

import pytest

from memory.mongo.schema import open_mongo
from memory.mongo.usage import MongoUsageRecords
from memory.records import Usage
from memory.sqlite.database import Database
from memory.sqlite.usage import SQLiteUsageRecords
from memory.usage import Counted, DayUsage, GatheredUsage, UsageRecords

ME, OTHER = "user_me", "user_other"
MONDAY, TUESDAY = date(2026, 11, 23), date(2026, 11, 24)


def counted(owner: str, day: date, usage: Usage) -> Counted:
    return owner, DayUsage(day=day, turns=1, usage=usage)


@pytest.fixture(params=["sqlite", "mongo", "standalone"])
async def stored(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[UsageRecords]:
    if request.param == "sqlite":
        database = await Database.open(tmp_path / "tomato.db")
        yield SQLiteUsageRecords(database)
        await database.close()
        return
    name = "mongo_url" if request.param == "mongo" else "standalone_mongo_url"
    async with open_mongo(request.getfixturevalue(name)) as mongo:
        yield MongoUsageRecords(mongo)


@pytest.fixture(params=["at once", "gathered"])
async def records(
    request: pytest.FixtureRequest, stored: UsageRecords
) -> AsyncIterator[UsageRecords]:
    if request.param == "at once":
        yield stored
        return
    gathered = GatheredUsage(stored)
    yield gathered
    await gathered.close()


async def test_turns_are_counted_by_owner_and_day(records: UsageRecords) -> None:
    await records.add([counted(ME, MONDAY, Usage(input_tokens=10, output_tokens=3))])
    await records.add([counted(ME, MONDAY, Usage(input_tokens=1, output_tokens=1))])
    await records.add([counted(ME, TUESDAY, Usage())])
    await records.add([counted(OTHER, MONDAY, Usage(input_tokens=500))])
    monday = DayUsage(day=MONDAY, turns=2, usage=Usage(input_tokens=11, output_tokens=4))
    tuesday = DayUsage(day=TUESDAY, turns=1, usage=Usage())
    assert await records.days(ME, limit=10) == [tuesday, monday]
    assert await records.days(ME, limit=1) == [tuesday]
    assert await records.day(ME, MONDAY) == monday
    assert monday.tokens == 15


async def test_a_day_without_a_turn_is_zero(records: UsageRecords) -> None:
    assert await records.day(ME, MONDAY) == DayUsage(day=MONDAY, turns=0, usage=Usage())
    assert await records.days(ME, limit=10) == []


async def test_none_is_lost_when_many_end_at_once(records: UsageRecords) -> None:
    one = Usage(input_tokens=1, output_tokens=2)
    await asyncio.gather(*(records.add([counted(ME, MONDAY, one)]) for _ in range(30)))
    monday = await records.day(ME, MONDAY)
    assert (monday.turns, monday.usage) == (30, Usage(input_tokens=30, output_tokens=60))


async def test_all_of_an_owner_can_be_deleted(records: UsageRecords) -> None:
    await records.add([counted(ME, MONDAY, Usage(input_tokens=1))])
    await records.add([counted(OTHER, MONDAY, Usage(input_tokens=1))])
    await records.delete_all(ME)
    assert await records.days(ME, limit=10) == []
    assert len(await records.days(OTHER, limit=10)) == 1


async def test_what_was_counted_is_told_by_itself_and_at_the_end(stored: UsageRecords) -> None:
    gathered = GatheredUsage(stored)
    await gathered.add([counted(ME, MONDAY, Usage(input_tokens=1))])
    async with asyncio.timeout(30):
        while not (await stored.day(ME, MONDAY)).turns:  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.01)
    await gathered.add([counted(ME, MONDAY, Usage(input_tokens=1))])
    await gathered.add([counted(OTHER, MONDAY, Usage())])
    await gathered.close()
    assert (await stored.day(ME, MONDAY)).turns == 2
    assert (await stored.day(OTHER, MONDAY)).turns == 1


async def test_counts_on_their_way_are_waited_for(stored: UsageRecords) -> None:
    class Slow:
        def __init__(self) -> None:
            self.asked, self.go = asyncio.Event(), asyncio.Event()

        async def add(self, counts: Collection[Counted]) -> None:
            self.asked.set()
            await self.go.wait()
            await stored.add(counts)

        def __getattr__(self, name: str) -> Any:
            return getattr(stored, name)

    slow = Slow()
    gathered = GatheredUsage(cast("UsageRecords", slow))
    await gathered.add([counted(ME, MONDAY, Usage(input_tokens=1))])
    await slow.asked.wait()
    reading = asyncio.create_task(gathered.day(ME, MONDAY))
    closing = asyncio.create_task(gathered.close())
    await asyncio.sleep(0.05)
    slow.go.set()
    assert (await reading).turns == 1
    await closing
    assert (await stored.day(ME, MONDAY)).turns == 1
