"""A turn's writes in MongoDB cut short after each of them: nothing is seen in part."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo.errors import AutoReconnect

from memory.errors import Conflict, Unavailable
from memory.keys import new_id
from memory.mongo.database import MongoDatabase
from memory.mongo.history import MongoHistory
from memory.mongo.rooms import MongoRooms
from memory.mongo.run_records import MongoRunRecords
from memory.records import Message, Room, Run, Turn
from memory.times import now

ME = "user_me"
FIRST = ["t00000001-0001", "t00000001-0000"]


class CutShort:
    """A collection on which the given method fails, as when the server dies before it."""

    def __init__(self, collection: Any, method: str) -> None:
        self._collection = collection
        self._method = method

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._collection, name)

        async def gone(*args: object, **kwargs: object) -> None:
            raise AutoReconnect("the server is gone")

        return gone


@pytest.fixture(params=["mongo_url", "standalone_mongo_url"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[MongoDatabase]:
    async with MongoDatabase.open(request.getfixturevalue(request.param)) as database:
        yield database


def a_run(room: Room) -> Run:
    return Run(
        id=new_id("run"),
        owner=ME,
        room_id=room.id,
        turn=None,
        status="running",
        started_at=now(),
    )


def an_answer(turn: Turn) -> Message:
    key = turn.question.key.replace("-0000", "-0001")
    return Message(key=key, turn=turn.number, role="assistant", content="답", created_at=now())


async def talked(database: MongoDatabase) -> Room:
    room = await MongoRooms(database).create(ME)
    history = MongoHistory(database)
    turn = await history.begin(a_run(room), "첫 질문")
    return await history.end(turn, [an_answer(turn)], status="complete")


async def keys_of(database: MongoDatabase, room: Room) -> list[str]:
    page = await MongoHistory(database).page(ME, room.id, limit=50)
    return [message.key for message in page.items]


@pytest.mark.parametrize("cut", ["_early_runs.insert_one", "_early_rooms.find_one_and_update"])
async def test_a_turn_that_did_not_open_leaves_the_room_as_it_was(
    database: MongoDatabase, cut: str
) -> None:
    room = await talked(database)
    history = MongoHistory(database)
    name, _, method = cut.partition(".")
    setattr(history, name, CutShort(getattr(history, name), method))
    run = a_run(room)
    with pytest.raises(Unavailable):
        await history.begin(run, "질문")
    assert await MongoRooms(database).get(ME, room.id) == room
    assert (await MongoHistory(database).begin(a_run(room), "질문")).number == 2


async def test_a_turn_that_lost_its_question_is_closed_without_it(database: MongoDatabase) -> None:
    room = await talked(database)
    history = MongoHistory(database)
    history._messages = CutShort(history._messages, "insert_many")  # type: ignore[assignment]
    run = a_run(room)
    with pytest.raises(Unavailable):
        await history.begin(run, "질문")
    whole = MongoHistory(database)
    with pytest.raises(Conflict, match="running"):
        await whole.begin(a_run(room), "질문")
    assert await whole.abandon(run)
    after = await MongoRooms(database).get(ME, room.id)
    assert (after.message_count, after.last_key) == (room.message_count, room.last_key)
    assert (after.pending_tokens, after.open_turn) == (room.pending_tokens, None)
    assert (await MongoRunRecords(database).get(ME, run.id)).status == "failed"
    assert (await whole.begin(a_run(room), "질문")).after == room.last_key


@pytest.mark.parametrize(
    "cut",
    ["_messages.insert_many", "_runs.update_one", "_rooms.find_one_and_update"],
)
async def test_an_end_that_was_cut_short_is_not_seen(database: MongoDatabase, cut: str) -> None:
    room = await talked(database)
    history = MongoHistory(database)
    run = a_run(room)
    turn = await history.begin(run, "질문")
    name, _, method = cut.partition(".")
    setattr(history, name, CutShort(getattr(history, name), method))
    with pytest.raises(Unavailable):
        await history.end(turn, [an_answer(turn)], status="complete")
    assert await keys_of(database, room) == [turn.question.key, *FIRST]
    whole = MongoHistory(database)
    assert await whole.abandon(run)
    assert (await MongoRunRecords(database).get(ME, run.id)).status == "failed"
    assert await keys_of(database, room) == [turn.question.key, *FIRST]
    following = await whole.begin(a_run(room), "다시")
    await whole.end(following, [an_answer(following)], status="complete")
    assert len(await keys_of(database, room)) == 5


async def test_a_question_that_comes_too_late_is_not_stored(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker stalled once the room was open, so long that another may have closed it."""
    room = await talked(database)
    history = MongoHistory(database)
    monkeypatch.setattr("memory.mongo.database.WAIT_MS", 300)
    opening = history._open

    async def stalled(run: Run, question: Message) -> Room | None:
        opened = await opening(run, question)
        await asyncio.sleep(0.4)
        return opened

    monkeypatch.setattr(history, "_open", stalled)
    run = a_run(room)
    with pytest.raises(Unavailable):
        await history.begin(run, "늦은 질문")
    monkeypatch.undo()
    assert await MongoHistory(database).abandon(run)
    assert await keys_of(database, room) == FIRST
    assert (await MongoRooms(database).get(ME, room.id)).message_count == len(FIRST)


async def test_a_worker_taken_for_dead_stores_nothing_though_it_dies_on_the_way(
    mongo_url: str,
) -> None:
    async with MongoDatabase.open(mongo_url) as database:
        room = await talked(database)
        history, whole = MongoHistory(database), MongoHistory(database)
        run = a_run(room)
        turn = await history.begin(run, "질문")
        assert await whole.abandon(run)
        following = await whole.begin(a_run(room), "다음 질문")
        history._messages = CutShort(history._messages, "delete_many")  # type: ignore[assignment]
        with pytest.raises((Conflict, Unavailable)):
            await history.end(turn, [an_answer(turn)], status="complete")
        assert await keys_of(database, room) == [following.question.key, turn.question.key, *FIRST]
