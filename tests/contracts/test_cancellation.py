"""A cancellation is heard wherever it comes while a database is asked."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from pymongo.errors import AutoReconnect

from memory.cancellation import hears_cancellation
from memory.errors import Unavailable
from memory.mongo.database import MongoDatabase, Session
from memory.mongo.faults import mapped_errors
from memory.mongo.rooms import MongoRooms
from memory.mongo.schema import open_mongo
from memory.redis.connection import open_redis
from memory.redis.runs import RedisBoard

Ask = Callable[[], Awaitable[object]]

# A connection that is cancelled while it is opened is left by the driver to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket")

TIMES = 150
STEP_SECONDS = 0.004 / TIMES


async def _in_transaction(database: MongoDatabase) -> None:
    async def work(session: Session) -> None:
        await database["rooms"].find_one({"_id": "none"}, session=session)
        await database["marks"].insert_one({}, session=session)

    await database.atomic(work)


@pytest.fixture(params=["mongo", "transaction", "redis", "redis stream"])
async def ask(request: pytest.FixtureRequest) -> AsyncIterator[Ask]:
    """One way of asking a store."""
    if "redis" in request.param:
        async with open_redis(request.getfixturevalue("redis_url")) as client:
            board = RedisBoard(client)
            if request.param == "redis":
                yield lambda: board.held("run_1")
            else:
                yield lambda: board.read({"run_1": 0})
        return
    async with open_mongo(request.getfixturevalue("mongo_url")) as database:
        if request.param == "mongo":
            yield lambda: MongoRooms(database).page("나", limit=1)
        else:
            yield lambda: _in_transaction(database)


async def test_a_cancelled_task_ends_whatever_it_asks_just_then(ask: Ask) -> None:
    async def go_on() -> None:
        while True:
            try:
                await ask()
            except Unavailable:
                continue

    for number in range(TIMES):
        asking = asyncio.create_task(go_on())
        await asyncio.sleep(number * STEP_SECONDS)
        asking.cancel()
        done, _ = await asyncio.wait([asking], timeout=2)
        asking.cancel()
        assert done, f"the cancellation after {number * STEP_SECONDS * 1000:.2f} ms was lost"
        assert asking.cancelled()


async def test_a_time_limit_holds_whatever_is_asked_just_then(mongo_url: str) -> None:
    async with open_mongo(mongo_url) as database:
        rooms = MongoRooms(database)

        async def ask_within(seconds: float) -> None:
            async with asyncio.timeout(seconds):
                for _ in range(50):
                    await rooms.page("나", limit=1)

        for number in range(TIMES):
            with pytest.raises(TimeoutError):
                await ask_within(number * STEP_SECONDS)


async def test_a_swallowed_cancellation_is_heard() -> None:
    heard = []

    async def swallow() -> None:
        with hears_cancellation():
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                heard.append("driver")
        heard.append("never")

    asking = asyncio.create_task(swallow())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert heard == ["driver"]


async def test_what_the_driver_makes_of_a_cancellation_is_no_fault_of_the_store() -> None:
    async def fail() -> None:
        with mapped_errors():
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError as error:
                raise AutoReconnect("cut") from error

    asking = asyncio.create_task(fail())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_a_cancellation_from_before_is_not_heard_twice() -> None:
    async def work() -> str:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            with hears_cancellation():
                await asyncio.sleep(0)
        return "stored"

    storing = asyncio.create_task(work())
    await asyncio.sleep(0)
    storing.cancel()
    assert await storing == "stored"
