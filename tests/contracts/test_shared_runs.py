"""Runs of two processes over one MongoDB and one Redis."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace

import pytest

from memory.keys import new_id
from memory.mongo.history import MongoHistory
from memory.mongo.rooms import MongoRooms
from memory.mongo.run_records import MongoRunRecords
from memory.mongo.schema import open_mongo
from memory.records import Event, Message, Run, Status
from memory.redis.connection import open_redis
from memory.redis.runs import RedisBoard
from memory.runs import Emit
from memory.shared_runs import SharedRuns
from memory.times import now

ME = "나"
ANSWER = "토마토는 붉다."


@dataclass
class House:
    """Two processes' runs over the same stores."""

    rooms: MongoRooms
    history: MongoHistory
    records: MongoRunRecords
    boards: tuple[RedisBoard, RedisBoard]
    runs: tuple[SharedRuns, SharedRuns]

    async def ask(
        self, *events: tuple[str, dict[str, object]], wait: asyncio.Event | None = None
    ) -> Run:
        """A run of the first process that tells these events, then stores and tells its answer.

        If it has to ``wait`` before, it may also be cancelled.
        """
        run = Run(
            id=new_id("run"),
            owner=ME,
            room_id=(await self.rooms.create(ME)).id,
            turn=None,
            status="running",
            started_at=now(),
        )
        turn = await self.history.begin(run, "왜 붉어?")
        run = replace(run, turn=turn.number)
        answer = Message(
            key=f"{turn.question.key[:-1]}1",
            turn=turn.number,
            role="assistant",
            content=ANSWER,
            created_at=now(),
        )

        async def work(emit: Emit) -> Status:
            for name, data in events:
                emit(name, data)
            if wait is not None:
                with suppress(asyncio.CancelledError):
                    await wait.wait()
            await self.history.end(turn, [answer], status="complete")
            emit("message", {"content": ANSWER})
            return "complete"

        async with self.runs[0].slot(run):
            await self.runs[0].start(run, work)
        return run

    async def followed(self, at: int, run: Run) -> list[Event]:
        return [event async for events in self.runs[at].follow(ME, run.id) for event in events]


@pytest.fixture
async def house(mongo_url: str, redis_url: str) -> AsyncIterator[House]:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_mongo(mongo_url))
        clients = [await stack.enter_async_context(open_redis(redis_url)) for _ in range(2)]
        boards = (RedisBoard(clients[0]), RedisBoard(clients[1]))
        history, records = MongoHistory(database), MongoRunRecords(database)
        runs = tuple(SharedRuns(records, history, board) for board in boards)
        for one in runs:
            one.watch()
            stack.push_async_callback(one.close, grace_seconds=0)
        yield House(MongoRooms(database), history, records, boards, (runs[0], runs[1]))


async def test_a_run_that_can_not_be_told_silences_no_other(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    bad = await house.ask(("tool_start", {"args": {"limit": 10**30}}))
    good = await house.ask(("token", {"text": "토마토는 "}))
    async with asyncio.timeout(15):
        while not await house.boards[1].kept(good.id):
            await asyncio.sleep(0.05)
        heard = [event.name for event in await house.followed(1, good)]
        assert heard == ["token", "message", "done"]
        # Elsewhere the other is its stored answer; here it is all that was said.
        told = await house.followed(1, bad)
    assert [event.name for event in told] == ["message", "done"]
    assert told[0].data["content"] == ANSWER
    names = [event.name for event in await house.followed(0, bad)]
    assert names == ["tool_start", "message", "done"]
    assert "run not told" in caplog.text


async def test_what_tends_and_listens_outlives_an_unexpected_error(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_: object) -> None:
        raise RuntimeError("never seen before")

    going_on = asyncio.Event()
    with monkeypatch.context() as broken:
        broken.setattr(house.boards[0], "to_stop", fails)
        broken.setattr(house.boards[1], "read", fails)
        run = await house.ask(("token", {"text": "토마토는 "}), wait=going_on)
        following = asyncio.create_task(house.followed(1, run))
        await asyncio.sleep(1)
    async with asyncio.timeout(15):
        await house.runs[1].cancel(ME, run.id)
        assert [event.name for event in await following] == ["token", "message", "done"]
