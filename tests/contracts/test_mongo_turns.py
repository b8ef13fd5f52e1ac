"""A turn's writes in MongoDB cut short after each of them: nothing is seen in part."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect
from pymongo.monitoring import (
    CommandFailedEvent,
    CommandListener,
    CommandStartedEvent,
    CommandSucceededEvent,
)

from memory.errors import Conflict, Unavailable
from memory.keys import new_id
from memory.mongo.database import Document, MongoDatabase
from memory.mongo.documents import message_document, run_document
from memory.mongo.history import MongoHistory
from memory.mongo.newest import TURNS
from memory.mongo.rooms import MongoRooms
from memory.mongo.run_records import MongoRunRecords
from memory.mongo.schema import open_mongo
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
    async with open_mongo(request.getfixturevalue(request.param)) as database:
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


async def talked(database: MongoDatabase, turns: int = 1) -> Room:
    room = await MongoRooms(database).create(ME)
    history = MongoHistory(database)
    for number in range(turns):
        turn = await history.begin(a_run(room), "다음 질문" if number else "첫 질문")
        room = await history.end(turn, [an_answer(turn)], status="complete")
    return room


async def keys_of(database: MongoDatabase, room: Room) -> list[str]:
    page = await MongoHistory(database).page(ME, room.id, limit=50)
    return [message.key for message in page.items]


async def test_a_turn_that_did_not_open_leaves_the_room_as_it_was(
    database: MongoDatabase,
) -> None:
    room = await talked(database)
    history = MongoHistory(database)
    history._rooms = CutShort(history._rooms, "find_one_and_update")  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        await history.begin(a_run(room), "질문")
    assert await MongoRooms(database).get(ME, room.id) == room
    assert (await MongoHistory(database).begin(a_run(room), "질문")).number == 2


@pytest.mark.parametrize("cut", ["_early_messages.bulk_write", "_early_runs.bulk_write"])
async def test_a_turn_that_opened_and_went_no_further_is_closed_with_its_question(
    database: MongoDatabase, cut: str
) -> None:
    room = await talked(database, TURNS)
    first = await MongoHistory(database).page(ME, room.id, limit=50)
    history = MongoHistory(database)
    name, _, method = cut.partition(".")
    setattr(history, name, CutShort(getattr(history, name), method))
    run = a_run(room)
    with pytest.raises(Unavailable):
        await history.begin(run, "질문")
    whole, records = MongoHistory(database), MongoRunRecords(database)
    with pytest.raises(Conflict, match="running"):
        await whole.begin(a_run(room), "질문")
    assert [one.id for one in await records.unfinished()] == [run.id]
    assert await whole.abandon(run)
    assert not await whole.abandon(run)
    page = await whole.page(ME, room.id, limit=50)
    assert page.items[1:] == first.items
    assert (page.items[0].content, page.items[0].status) == ("질문", "failed")
    assert (await records.get(ME, run.id)).status == "failed"
    assert (await whole.begin(a_run(room), "질문")).after == page.items[0].key


async def test_an_end_that_was_cut_short_is_not_seen(database: MongoDatabase) -> None:
    room = await talked(database)
    history = MongoHistory(database)
    run = a_run(room)
    turn = await history.begin(run, "질문")
    history._rooms = CutShort(history._rooms, "find_one_and_update")  # type: ignore[assignment]
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


async def test_what_comes_too_late_is_not_written(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker stalled once the room was open, so long that another may have closed it."""
    room = await talked(database, TURNS)
    history = MongoHistory(database)
    monkeypatch.setattr("memory.mongo.database.WAIT_MS", 300)
    opening = history._open

    async def stalled(run: Run, question: Message) -> Document | None:
        before = await opening(run, question)
        await asyncio.sleep(0.4)
        return before

    monkeypatch.setattr(history, "_open", stalled)
    with pytest.raises(Unavailable):
        await history.begin(a_run(room), "늦은 질문")
    assert await database["messages"].count_documents({}) == 0


async def test_a_worker_taken_for_dead_stores_nothing(database: MongoDatabase) -> None:
    room = await talked(database)
    history, whole = MongoHistory(database), MongoHistory(database)
    run = a_run(room)
    turn = await history.begin(run, "질문")
    assert await whole.abandon(run)
    following = await whole.begin(a_run(room), "다음 질문")
    with pytest.raises(Conflict, match="closed by another"):
        await history.end(turn, [an_answer(turn)], status="complete")
    assert await keys_of(database, room) == [following.question.key, turn.question.key, *FIRST]


async def test_a_turn_is_two_commands_and_each_fifth_is_four(mongo_url: str) -> None:
    asked: list[str] = []

    class Listener(CommandListener):
        def started(self, event: CommandStartedEvent) -> None:
            asked.append(event.command_name)

        def succeeded(self, event: CommandSucceededEvent) -> None: ...

        def failed(self, event: CommandFailedEvent) -> None: ...

    async with AsyncMongoClient[Document](mongo_url, event_listeners=[Listener()]) as client:
        database = MongoDatabase(client.get_default_database(), transactions=True)
        room = await talked(database)
        history = MongoHistory(database)
        turn_alone = ["findAndModify", "findAndModify"]
        for number in range(2, 12):
            asked.clear()
            turn = await history.begin(a_run(room), f"질문 {number}")
            await history.end(turn, [an_answer(turn)], status="complete")
            full = number % TURNS == 1
            assert asked == ([asked[0], "update", "update", asked[-1]] if full else turn_alone)
            keys = [f"t{turn:08d}-{index:04d}" for turn in range(number, 0, -1) for index in (1, 0)]
            assert await keys_of(database, room) == keys


async def test_long_turns_are_written_out_sooner(mongo_url: str) -> None:
    async with open_mongo(mongo_url) as database:
        room = await talked(database)
        history = MongoHistory(database)
        for _ in range(3):
            turn = await history.begin(a_run(room), "길" * 32_000)
            await history.end(turn, [an_answer(turn)], status="complete")
            document = await database["rooms"].find_one({"_id": room.id})
            assert document is not None
            assert len(document["recent"]) == 1 + (turn.number == 2)
            assert document["full"]


@pytest.mark.parametrize("turns_after", [0, 1, TURNS])
async def test_no_byte_of_a_deleted_message_is_left_in_the_newest_turn(
    database: MongoDatabase, turns_after: int
) -> None:
    room = await talked(database)
    history = MongoHistory(database)
    for _ in range(turns_after):
        turn = await history.begin(a_run(room), "다른 말")
        await history.end(turn, [], status="stopped")
    await history.delete(ME, room.id, ["t00000001-0000"])
    kept = [
        str(document)
        for name in await database.database.list_collection_names()
        async for document in database[name].find()
    ]
    assert not [one for one in kept if "첫 질문" in one]
    assert [one for one in kept if "답" in one]
    later = [f"t{number:08d}-0000" for number in range(turns_after + 1, 1, -1)]
    assert await keys_of(database, room) == [*later, FIRST[0]]


async def test_a_key_that_was_used_meanwhile_is_not_used_again(
    database: MongoDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another took the same key, answered, and went on to the next turn, between two looks."""
    room = await talked(database)
    history, other = MongoHistory(database), MongoHistory(database)
    keyed = replace(a_run(room), idempotency_key="열쇠")
    late = replace(a_run(room), idempotency_key="열쇠")
    opening = history._open

    async def late_opening(run: Run, question: Message) -> Document | None:
        for one in (keyed, a_run(room), a_run(room)):
            turn = await other.begin(one, "먼저")
            await other.end(turn, [an_answer(turn)], status="complete")
        return await opening(run, question)

    monkeypatch.setattr(history, "_open", late_opening)
    with pytest.raises(Conflict) as refused:
        await history.begin(late, "나중")
    assert refused.value.details["run_id"] == keyed.id
    after = await MongoRooms(database).get(ME, room.id)
    assert (after.turns, after.message_count, after.open_turn) == (4, 8, None)
    assert after.last_key == "t00000004-0001"
    assert len(await keys_of(database, room)) == 8
    assert (await other.begin(a_run(room), "다음")).number == 5


async def test_a_turn_left_open_by_an_older_server_is_closed(mongo_url: str) -> None:
    async with open_mongo(mongo_url) as database:
        asked, lost = await talked(database), await talked(database)
        for room in (asked, lost):
            turn = await MongoHistory(database).begin(a_run(room), "둘째 질문")
            await MongoHistory(database).end(turn, [], status="stopped")
        for room in (asked, lost):
            run = run_document(a_run(room)) | {"_id": f"run_of_{room.id}"}
            await database["runs"].insert_one(run)
            old = {"open": {"turn": 3, "run_id": run["_id"]}, "turns": 3}
            await database["rooms"].update_one(
                {"_id": room.id},
                {"$set": old | {"last_key": "t00000003-0000"}, "$inc": {"message_count": 1}},
            )
            document = await database["rooms"].find_one({"_id": room.id})
            assert document is not None
            messages = [one for turn in document["recent"] for one in turn["messages"]]
            await database["messages"].insert_many(messages)
            await database["rooms"].update_one(
                {"_id": room.id}, {"$unset": {"recent": "", "full": ""}}
            )
        question = Message(
            key="t00000003-0000", turn=3, role="user", content="셋째", created_at=now()
        )
        partial = replace(question, key="t00000003-0001", role="assistant", content="반쯤")
        await database["messages"].insert_many(
            [message_document(asked, one, 3) for one in (question, partial)]
        )
        await database["schema"].update_one({"_id": "tomato"}, {"$set": {"version": 3}})

    async with open_mongo(mongo_url) as database:
        records, rooms = MongoRunRecords(database), MongoRooms(database)
        assert await records.unfinished() == []
        for room in (asked, lost):
            assert (await records.get(ME, f"run_of_{room.id}")).status == "failed"
            assert (await rooms.get(ME, room.id)).open_turn is None
        page = await MongoHistory(database).page(ME, asked.id, limit=50)
        assert [one.content for one in page.items] == ["셋째", "둘째 질문", "답", "첫 질문"]
        assert page.items[0].status == "failed"
        assert (await rooms.get(ME, asked.id)).message_count == 4
        assert len(await keys_of(database, lost)) == (await rooms.get(ME, lost.id)).message_count
        assert (await MongoHistory(database).begin(a_run(lost), "넷째")).after == "t00000002-0000"


async def test_the_last_turn_of_a_room_of_schema_4_is_taken_over(mongo_url: str) -> None:
    async with open_mongo(mongo_url) as database:
        rooms = [await talked(database), await MongoRooms(database).create(ME)]
        before = [await keys_of(database, room) for room in rooms]
        last = {"$ifNull": [{"$first": "$recent"}, None]}
        await database["rooms"].update_many(
            {}, [{"$set": {"last": last}}, {"$unset": ["recent", "full"]}]
        )
        await database["rooms"].create_index("last.run._id", sparse=True)
        await database["schema"].update_one({"_id": "tomato"}, {"$set": {"version": 4}})

    async with open_mongo(mongo_url) as database:
        assert [await keys_of(database, room) for room in rooms] == before
        assert await database["rooms"].count_documents({"last": {"$exists": True}}) == 0
        assert "last.run._id_1" not in await database["rooms"].index_information()
        for room in rooms:
            turn = await MongoHistory(database).begin(a_run(room), "다음")
            await MongoHistory(database).end(turn, [an_answer(turn)], status="complete")
