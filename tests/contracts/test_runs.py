"""The board of runs: leases, wishes to stop, and streams that no slow worker can write past."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from memory.board import Board
from memory.events import done_data
from memory.mongo.history import MongoHistory
from memory.mongo.rooms import MongoRooms
from memory.mongo.runs import MongoBoard
from memory.mongo.schema import open_mongo
from memory.records import Event, Run
from memory.redis.connection import open_redis
from memory.redis.runs import RedisBoard
from memory.times import now
from tests.services.redis import RedisServer

RUN = Run(id="run_1", owner="나", room_id="room_1", turn=1, status="running", started_at=now())
WORDS = [Event(number, "token", {"text": f"말 {number}"}) for number in range(1, 6)]
DONE = Event(6, "done", done_data(RUN.id, "complete"))
FAILED = [Event(0, "error", {"code": "worker_lost"}), Event(0, "done", {"status": "failed"})]


@pytest.fixture
async def redis_boards(redis_url: str) -> AsyncIterator[tuple[RedisBoard, RedisBoard]]:
    async with open_redis(redis_url) as client:
        yield RedisBoard(client), RedisBoard(client)


@pytest.fixture(params=["redis", "mongo", "standalone"])
async def held_run(
    request: pytest.FixtureRequest,
) -> AsyncIterator[tuple[Board, Board, Run]]:
    """Two boards of two processes, and a run that has begun."""
    if request.param == "redis":
        async with open_redis(request.getfixturevalue("redis_url")) as client:
            yield RedisBoard(client), RedisBoard(client), RUN
        return
    name = "mongo_url" if request.param == "mongo" else "standalone_mongo_url"
    async with open_mongo(request.getfixturevalue(name)) as database:
        room = await MongoRooms(database).create(RUN.owner)
        run = replace(RUN, room_id=room.id)
        await MongoHistory(database).begin(run, "안녕?")
        yield MongoBoard(database), MongoBoard(database), run


async def test_a_run_is_held_once_it_is_renewed(held_run: tuple[Board, Board, Run]) -> None:
    one, other, run = held_run
    assert not await other.held(run.id)
    assert not await one.renew([run.id])
    assert await other.held(run.id)


async def test_a_run_is_held_from_its_first_event_to_its_last(
    redis_boards: tuple[RedisBoard, RedisBoard],
) -> None:
    one, other = redis_boards
    await one.append(RUN, WORDS)
    assert await other.held(RUN.id)
    await one.append(RUN, [DONE])
    assert not await other.held(RUN.id)
    assert list(await one.renew([RUN.id])) == [RUN.id]


@pytest.mark.parametrize("name", ["mongo_url", "standalone_mongo_url"])
async def test_a_run_that_has_ended_is_not_held(name: str, request: pytest.FixtureRequest) -> None:
    async with open_mongo(request.getfixturevalue(name)) as database:
        room = await MongoRooms(database).create(RUN.owner)
        run, history = replace(RUN, room_id=room.id), MongoHistory(database)
        turn = await history.begin(run, "안녕?")
        board = MongoBoard(database)
        await board.renew([run.id])
        assert await board.held(run.id)
        await history.end(turn, [], status="stopped")
        assert not await board.held(run.id)


async def test_a_wish_to_stop_reaches_the_worker(held_run: tuple[Board, Board, Run]) -> None:
    one, other, run = held_run
    assert not await one.to_stop([run.id])
    await other.ask_to_stop(run.id)
    assert list(await one.to_stop([run.id])) == [run.id]


async def test_a_user_s_runs_are_counted_over_all_processes(
    held_run: tuple[Board, Board, Run],
) -> None:
    one, other, run = held_run
    runs = [replace(run, id=f"run_{number}") for number in range(6)]
    boards = [one, other] * 3
    counted = await asyncio.gather(
        *(board.admit(run, 3) for board, run in zip(boards, runs, strict=True))
    )
    assert counted.count(True) == 3
    assert await other.admit(replace(run, id="run_9", owner="다른 사람"), 3)
    inside = [run for run, yes in zip(runs, counted, strict=True) if yes]
    await one.hold(inside)
    assert not await other.admit(runs[counted.index(False)], 3)
    await other.release(inside[0])
    await other.release(inside[0])
    assert await one.admit(runs[counted.index(False)], 3)
    assert not await other.admit(replace(run, id="run_8"), 3)
    await asyncio.gather(*(one.release(run) for run in runs))
    assert await one.admit(run, 1)


async def test_who_is_not_held_is_counted_no_more(
    held_run: tuple[Board, Board, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memory.redis.runs._LEASE_MS", 1)
    monkeypatch.setattr("memory.mongo.runs._UNTIL", {"$add": ["$$NOW", 1]})
    one, other, run = held_run
    assert await one.admit(run, 1)
    while not await other.admit(replace(run, id="run_2"), 1):
        pass


async def test_events_are_kept_in_order_and_read_from_anywhere(
    redis_boards: tuple[RedisBoard, RedisBoard],
) -> None:
    one, other = redis_boards
    assert await one.append(RUN, WORDS[:2]) == 2
    waiting = asyncio.create_task(other.read({RUN.id: 2}))
    assert await one.append(RUN, WORDS[2:]) == 5
    read = list((await waiting).get(RUN.id, ()))
    assert read == WORDS[2:] or list((await other.read({RUN.id: 2}))[RUN.id]) == WORDS[2:]
    assert await other.kept(RUN.id) == WORDS


async def test_nothing_is_appended_twice_nor_past_a_gap(
    redis_boards: tuple[RedisBoard, RedisBoard],
) -> None:
    one, other = redis_boards
    assert await one.append(RUN, WORDS[:3]) == 3
    assert await one.append(RUN, WORDS[:3]) == 3
    assert await one.append(RUN, WORDS[4:]) == 3
    assert await other.kept(RUN.id) == WORDS[:3]


async def test_a_worker_that_was_only_slow_can_append_nothing_past_the_end(
    redis_boards: tuple[RedisBoard, RedisBoard], redis_server: RedisServer
) -> None:
    slow, other = redis_boards
    await slow.append(RUN, WORDS[:2])
    assert not await other.close(RUN.id, FAILED)
    assert await other.append(RUN, WORDS[2:]) == -1
    assert redis_server.tell(f"DEL tomato:run:{{{RUN.id}}}:lease") == b":1"  # it ran out
    assert await other.close(RUN.id, FAILED)
    assert await other.close(RUN.id, FAILED)
    assert await slow.append(RUN, WORDS[2:]) == -1
    assert list(await slow.renew([RUN.id])) == [RUN.id]
    kept = await other.kept(RUN.id)
    assert [event.name for event in kept] == ["token", "token", "error", "done"]
    # Past what its worker's own followers may have had before it was lost.
    assert [event.id for event in kept] == [1, 2, 1003, 1004]


async def test_a_room_s_ended_runs_are_forgotten(
    redis_boards: tuple[RedisBoard, RedisBoard],
) -> None:
    one, other = redis_boards
    await one.append(RUN, WORDS)
    assert list(await other.known(RUN.room_id)) == [RUN.id]
    await other.forget(RUN.room_id, [RUN.id])
    assert not await one.kept(RUN.id)
    # Its turn is stored, its worker still tidies up: what that tells must not come back.
    assert await other.held(RUN.id)
    assert await one.append(RUN, [DONE]) == 6
    assert not await other.held(RUN.id)
    assert not await other.close(RUN.id, FAILED)
    assert not await one.kept(RUN.id)


async def test_a_run_is_forgotten_before_its_first_event_was_told(
    redis_boards: tuple[RedisBoard, RedisBoard],
) -> None:
    one, other = redis_boards
    assert await one.admit(RUN, 1)
    await other.forget(RUN.room_id, await other.known(RUN.room_id))
    assert await one.append(RUN, WORDS) == 5
    assert not list(await one.renew([RUN.id]))
    assert await one.append(RUN, [DONE]) == 6
    assert not await other.kept(RUN.id)
