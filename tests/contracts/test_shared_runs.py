"""Runs of two processes over one MongoDB and one Redis."""

import asyncio
from collections.abc import AsyncIterator, Sequence
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
        self,
        *events: tuple[str, dict[str, object]],
        wait: asyncio.Event | None = None,
        of: Run | None = None,
    ) -> Run:
        """A run of the first process that tells these events, then stores and tells its answer.

        If it has to ``wait`` before, it may also be cancelled.
        """
        run = Run(
            id=new_id("run"),
            owner=ME,
            room_id=of.room_id if of else (await self.rooms.create(ME)).id,
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
            pass
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


@pytest.mark.parametrize("at", [0, 1])
async def test_what_was_deleted_right_after_its_end_is_not_told(house: House, at: int) -> None:
    run = await house.ask(("token", {"text": ANSWER}))
    assert [event.name for event in await house.followed(0, run)] == ["token", "message", "done"]
    keys = [one.key for one in (await house.history.page(ME, run.room_id, limit=9)).items]
    await house.history.delete(ME, run.room_id, keys)
    await house.runs[at].forget(run.room_id)
    await asyncio.sleep(0.5)
    assert not await house.boards[0].kept(run.id)
    for reader in (0, 1):
        assert [event.name for event in await house.followed(reader, run)] == ["done"]


async def test_a_turn_that_begins_during_a_deletion_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await house.ask()
    await house.followed(0, first)
    going_on = asyncio.Event()
    begun: list[Run] = []
    looks = 0

    async def unfinished() -> Sequence[Run]:
        """The next turn begins right after it was looked for the last time."""
        nonlocal looks
        looks += 1
        found = await MongoRunRecords.unfinished(house.records)
        if looks == 2:
            begun.append(await house.ask(("token", {"text": "ㅌ"}), wait=going_on, of=first))
            await asyncio.sleep(0.3)
        return found

    monkeypatch.setattr(house.records, "unfinished", unfinished)
    await house.runs[0].forget(first.room_id)
    assert await house.boards[1].kept(begun[0].id)
    assert await house.runs[0].alive(begun[0])
    going_on.set()
    heard = [event.name for event in await house.followed(1, begun[0])]
    assert heard == ["token", "message", "done"]
