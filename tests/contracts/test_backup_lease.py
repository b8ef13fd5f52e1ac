"""The lease of the backup scheduler on a real MongoDB: one holder, and no dead one for long."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial

import pytest

from memory.errors import Unavailable
from memory.lease import held
from memory.mongo.database import MongoDatabase
from memory.mongo.lease import MongoLease
from memory.mongo.schema import open_mongo
from server.backup_lease import while_held

NAME = "backup-scheduler"


@pytest.fixture(params=["mongo_url", "standalone_mongo_url"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[MongoDatabase]:
    async with open_mongo(request.getfixturevalue(request.param)) as database:
        yield database


async def test_one_of_many_holds_it_until_it_drops_it(database: MongoDatabase) -> None:
    leases = [MongoLease(database, NAME) for _ in range(8)]
    taken = await asyncio.gather(*(lease.take() for lease in leases))
    assert taken.count(True) == 1
    holder, other = leases[taken.index(True)], leases[taken.index(False)]
    await other.drop()
    assert await holder.take()
    assert not await other.take()
    assert await MongoLease(database, "another").take()
    await holder.drop()
    assert await other.take()
    assert not await holder.take()


async def test_a_dead_holder_s_ends(database: MongoDatabase) -> None:
    assert await MongoLease(database, NAME, seconds=0.01).take()
    other = MongoLease(database, NAME)
    async with asyncio.timeout(30):
        while not await other.take():
            pass


async def test_two_never_work_at_once_and_the_other_takes_over(database: MongoDatabase) -> None:
    working: list[int] = []
    began = asyncio.Event()

    async def work(number: int) -> None:
        assert working == []
        working.append(number)
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            working.remove(number)

    going = [
        asyncio.create_task(
            while_held(MongoLease(database, NAME, seconds=3.0), partial(work, number))
        )
        for number in range(2)
    ]
    async with asyncio.timeout(30):
        await began.wait()
        first = working[0]
        began.clear()
        going[first].cancel()
        await began.wait()
    assert working == [1 - first]
    assert not going[1 - first].done()
    going[1 - first].cancel()
    await asyncio.wait(going)
    assert await MongoLease(database, NAME).take()


async def test_whoever_waits_for_it_has_it_once_it_is_dropped(database: MongoDatabase) -> None:
    working: list[int] = []

    async def work(number: int) -> None:
        async with held(MongoLease(database, NAME, seconds=1.0)):
            working.append(number)
            await asyncio.sleep(1.5)  # past its time: it is taken again meanwhile
            assert working[-1] == number

    await asyncio.gather(*(work(number) for number in range(2)))
    assert sorted(working) == [0, 1]


async def test_who_loses_it_does_no_more(database: MongoDatabase) -> None:
    stolen = {"$set": {"holder": "another", "until": datetime(2999, 1, 1, tzinfo=UTC)}}

    async def work() -> None:
        async with held(MongoLease(database, NAME, seconds=1.0)):
            await database["leases"].update_one({"_id": NAME}, stolen)
            await asyncio.sleep(30)

    with pytest.raises(Unavailable):
        await work()
    left = await database["leases"].find_one({"_id": NAME})
    assert left is not None
    assert left["holder"] == "another"
