"""The lease of the backup scheduler on a real MongoDB: one holder, and no dead one for long."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial

import pytest

from memory.mongo.database import MongoDatabase
from memory.mongo.lease import MongoLease
from server.backup_lease import while_held

NAME = "backup-scheduler"


@pytest.fixture(params=["mongo_url", "standalone_mongo_url"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[MongoDatabase]:
    async with MongoDatabase.open(request.getfixturevalue(request.param)) as database:
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
