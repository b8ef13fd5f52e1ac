"""What rooms, history and run records promise, held against every store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from memory.errors import Conflict, Invalid, NotFound
from memory.keys import message_key, new_id
from memory.mongo.history import MongoHistory
from memory.mongo.rooms import MongoRooms
from memory.mongo.run_records import MongoRunRecords
from memory.mongo.schema import open_mongo
from memory.protocols import History, Rooms, RunRecords
from memory.records import Message, Room, Run, Status, Summary, ToolCall, Turn, Usage
from memory.sqlite.database import Database
from memory.sqlite.history import SQLiteHistory
from memory.sqlite.rooms import SQLiteRooms
from memory.sqlite.run_records import SQLiteRunRecords
from memory.times import now
from memory.turns import message_tokens

ME, OTHER = "user_me", "user_other"


@dataclass(frozen=True)
class Stores:
    rooms: Rooms
    history: History
    records: RunRecords


@asynccontextmanager
async def on_sqlite(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    folder: Path = request.getfixturevalue("tmp_path")
    database = await Database.open(folder / "tomato.db")
    yield Stores(SQLiteRooms(database), SQLiteHistory(database), SQLiteRunRecords(database))
    await database.close()


@asynccontextmanager
async def on_mongo(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    async with open_mongo(request.getfixturevalue("mongo_url")) as database:
        yield Stores(MongoRooms(database), MongoHistory(database), MongoRunRecords(database))


@asynccontextmanager
async def on_standalone_mongo(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    url = request.getfixturevalue("standalone_mongo_url")
    async with open_mongo(url) as database:
        yield Stores(MongoRooms(database), MongoHistory(database), MongoRunRecords(database))


@pytest.fixture(params=[on_sqlite, on_mongo, on_standalone_mongo])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    async with request.param(request) as opened:
        yield opened


def a_run(room: Room, key: str | None = None) -> Run:
    return Run(
        id=new_id("run"),
        owner=room.owner,
        room_id=room.id,
        turn=None,
        status="running",
        started_at=now(),
        idempotency_key=key,
    )


def said(turn: Turn, *texts: str) -> list[Message]:
    """A tool call with its result for each text but the last, which is the answer."""
    messages: list[Message] = []

    def add(role: str, content: str, **more: object) -> None:
        key = message_key(turn.number, len(messages) + 1)
        messages.append(
            Message(key=key, turn=turn.number, role=role, content=content, created_at=now(), **more)  # type: ignore[arg-type]
        )

    for index, text in enumerate(texts[:-1]):
        call = ToolCall(id=f"c{index}", name="look", args={"질문": text})
        add("assistant", "", tool_calls=(call,))
        add("tool", text, tool_call_id=call.id, tool_name="look")
    add("assistant", texts[-1], usage=Usage(input_tokens=3, output_tokens=2))
    return messages


async def a_turn(
    stores: Stores, room: Room, question: str, *texts: str, status: Status = "complete"
) -> Turn:
    turn = await stores.history.begin(a_run(room), question)
    await stores.history.end(turn, said(turn, *texts) if texts else [], status=status)
    return turn


async def keys_of(stores: Stores, room: Room) -> list[str]:
    page = await stores.history.page(room.owner, room.id, limit=100)
    return [message.key for message in page.items][::-1]


async def test_a_turn_is_stored_whole(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    turn = await stores.history.begin(a_run(room), "안녕?")
    assert (turn.number, turn.after) == (1, None)
    messages = said(turn, "found", "네!")
    after = await stores.history.end(turn, messages, status="complete")
    page = await stores.history.page(ME, room.id, limit=10)
    assert list(page.items)[::-1] == [turn.question, *messages]
    assert (after.message_count, after.turns, after.open_turn) == (4, 1, None)
    assert after.last_key == messages[-1].key
    assert after.pending_tokens > 0
    run = await stores.records.get(ME, turn.run_id)
    assert (run.status, run.turn, run.answer_key) == ("complete", 1, messages[-1].key)
    assert await stores.records.answer(run) == messages[-1]


async def test_one_turn_at_a_time(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    turn = await stores.history.begin(a_run(room), "one")
    with pytest.raises(Conflict) as caught:
        await stores.history.begin(a_run(room), "two")
    assert caught.value.code == "room_busy"
    assert caught.value.details["run_id"] == turn.run_id
    assert await keys_of(stores, room) == [turn.question.key]


async def test_of_many_at_once_one_begins(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    begun = await asyncio.gather(
        *(stores.history.begin(a_run(room), str(n)) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(one, Turn) for one in begun) == 1
    assert sum(isinstance(one, Conflict) for one in begun) == 19


async def test_a_room_of_a_given_id_is_made_once(stores: Stores) -> None:
    made = [
        await stores.rooms.create(ME, "API", listed=False, room_id="room_given") for _ in range(2)
    ]
    assert [room.id for room in made] == ["room_given"] * 2
    assert made[0].title_source == "auto"  # no person gave it
    assert made[0] == made[1] == await stores.rooms.get(ME, "room_given")
    with pytest.raises(NotFound):
        await stores.rooms.create(OTHER, room_id="room_given")


async def test_an_idempotency_key_begins_once(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    first = a_run(room, "key")
    turn = await stores.history.begin(first, "one")
    await stores.history.end(turn, said(turn, "1"), status="complete")
    with pytest.raises(Conflict) as caught:
        await stores.history.begin(a_run(room, "key"), "one")
    assert caught.value.code == "run_exists"
    known = await stores.records.by_key(ME, room.id, "key")
    assert known is not None
    assert known.id == first.id
    assert await stores.records.by_key(OTHER, room.id, "key") is None


async def test_a_turn_ends_once(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    turn = await a_turn(stores, room, "one", "1")
    with pytest.raises(Conflict) as caught:
        await stores.history.end(turn, said(turn, "late"), status="complete")
    assert caught.value.code == "turn_closed"
    assert len(await keys_of(stores, room)) == 2


async def test_an_abandoned_turn_fails_and_frees_its_room(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    run = a_run(room)
    turn = await stores.history.begin(run, "one")
    assert [found.id for found in await stores.records.unfinished()] == [run.id]
    assert await stores.history.abandon(run)
    assert not await stores.history.abandon(run)
    with pytest.raises(Conflict):
        await stores.history.end(turn, said(turn, "slow"), status="complete")
    page = await stores.history.page(ME, room.id, limit=10)
    assert [(m.content, m.status) for m in page.items] == [("one", "failed")]
    assert (await stores.records.get(ME, run.id)).status == "failed"
    assert not await stores.records.unfinished()
    after = await a_turn(stores, room, "two", "2")
    assert (after.number, after.after) == (2, turn.question.key)


async def test_another_owner_sees_and_changes_nothing(stores: Stores) -> None:
    room = await stores.rooms.create(ME, "mine")
    turn = await a_turn(stores, room, "one", "1")
    stolen = replace(room, owner=OTHER)
    for attempt in (
        stores.rooms.get(OTHER, room.id),
        stores.rooms.rename(OTHER, room.id, "stolen"),
        stores.rooms.delete(OTHER, room.id),
        stores.history.page(OTHER, room.id, limit=10),
        stores.history.begin(a_run(stolen), "two"),
        stores.history.delete(OTHER, room.id, [turn.question.key]),
        stores.records.get(OTHER, turn.run_id),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert not await stores.rooms.title(stolen, "stolen", covers="t", asked=True)
    assert not await stores.history.fold(stolen, Summary(text="s", covers_up_to="k"), tokens=1)
    assert not await stores.history.between(OTHER, room.id, limit=10)
    assert not await stores.history.recent(OTHER, room.id, after=None, up_to=None, max_tokens=1000)
    assert (await stores.rooms.page(OTHER, limit=10)).items == []
    assert (await stores.rooms.get(ME, room.id)).title == "mine"
    assert len(await keys_of(stores, room)) == 2


async def test_rooms_come_newest_activity_first_page_by_page(stores: Stores) -> None:
    rooms = [await stores.rooms.create(ME, f"방 {n}") for n in range(7)]
    await stores.rooms.create(ME, listed=False)
    await a_turn(stores, rooms[2], "hello", "hi")
    seen: list[str] = []
    cursor = None
    while True:
        page = await stores.rooms.page(ME, limit=3, cursor=cursor)
        seen.extend(room.id for room in page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [rooms[n].id for n in (2, 6, 5, 4, 3, 1, 0)]
    with pytest.raises(Invalid):
        await stores.rooms.page(ME, limit=3, cursor="nonsense")


async def test_messages_are_paged_by_key(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    for n in range(5):
        await a_turn(stores, room, f"q{n}", f"a{n}")
    seen: list[str] = []
    cursor = None
    while True:
        page = await stores.history.page(ME, room.id, limit=3, cursor=cursor)
        seen.extend(message.content for message in page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
        # What is said meanwhile moves nothing.
        await a_turn(stores, room, "later", "later")
    assert seen == ["a4", "q4", "a3", "q3", "a2", "q2", "a1", "q1", "a0", "q0"]


async def test_recent_takes_whole_turns_that_fit(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    for n in range(4):
        await a_turn(stores, room, f"question {n} " * 20, "looked up", f"answer {n} " * 20)
    tokens = (await stores.rooms.get(ME, room.id)).pending_tokens // 4
    recent = await stores.history.recent(
        ME, room.id, after=None, up_to=None, max_tokens=2 * tokens + tokens // 2
    )
    assert sorted({message.turn for message in recent}) == [3, 4]
    assert [m.role for m in recent] == ["user", "assistant", "tool", "assistant"] * 2
    least = await stores.history.recent(ME, room.id, after=None, up_to=None, max_tokens=1)
    assert {message.turn for message in least} == {4}


async def test_a_call_and_its_results_are_deleted_together(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    await a_turn(stores, room, "q1", "r1", "r2", "a1")
    before = await keys_of(stores, room)
    result = before[2]
    deleted = await stores.history.delete(ME, room.id, [result])
    assert deleted.deleted == (result,)
    assert deleted.also_deleted == (before[1],)
    left = [before[0], *before[3:]]
    assert await keys_of(stores, room) == left
    assert (await stores.rooms.get(ME, room.id)).message_count == len(left)


async def test_what_waits_to_be_summarized_is_counted_the_same_before_and_after_a_deletion(
    stores: Stores,
) -> None:
    room = await stores.rooms.create(ME)

    async def counted() -> tuple[int, int]:
        """The tokens that the room has pending, and those of the messages that it has."""
        page = await stores.history.page(ME, room.id, limit=100)
        pending = (await stores.rooms.get(ME, room.id)).pending_tokens
        return pending, sum(map(message_tokens, page.items))

    for number in range(3):
        await a_turn(stores, room, f"질문 {number}", "찾은 것", "found", f"대답 {number}")
        pending, whole = await counted()
        assert pending == whole
    keys = await keys_of(stores, room)
    for key in (keys[5], keys[2], keys[-1]):  # an answer, a call's result, the last
        await stores.history.delete(ME, room.id, [key])
        pending, left = await counted()
        assert pending == left < whole
        whole = left


async def test_deleting_what_is_not_there_deletes_nothing(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    turn = await a_turn(stores, room, "q", "a")
    for keys in ([turn.question.key, message_key(9, 0)], ["nonsense", turn.question.key]):
        with pytest.raises(NotFound):
            await stores.history.delete(ME, room.id, keys)
    assert len(await keys_of(stores, room)) == 2


async def test_nothing_is_deleted_while_a_turn_runs(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    first = await a_turn(stores, room, "q", "a")
    await stores.history.begin(a_run(room), "running")
    with pytest.raises(Conflict):
        await stores.history.delete(ME, room.id, [first.question.key])
    with pytest.raises(Conflict):
        await stores.rooms.delete(ME, room.id)
    assert len(await keys_of(stores, room)) == 3


async def test_a_summary_is_folded_once(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    turn = await a_turn(stores, room, "q", "a")
    seen = await stores.rooms.get(ME, room.id)
    one = Summary(text="첫 요약", covers_up_to=turn.question.key)
    both = await asyncio.gather(
        stores.history.fold(seen, one, tokens=2), stores.history.fold(seen, one, tokens=2)
    )
    assert sorted(both) == [False, True]
    after = await stores.rooms.get(ME, room.id)
    assert after.summary == one
    assert after.pending_tokens == seen.pending_tokens - 2


async def test_deleting_what_a_summary_or_title_tells_of_clears_them(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    turns = [await a_turn(stores, room, f"q{n}", f"a{n}") for n in range(3)]
    seen = await stores.rooms.get(ME, room.id)
    covers = message_key(2, 1)
    assert await stores.history.fold(seen, Summary(text="s", covers_up_to=covers), tokens=1)
    assert await stores.rooms.title(seen, "t", covers=message_key(1, 1))
    later = await stores.history.delete(ME, room.id, [turns[2].question.key])
    assert (later.summary, later.title_cleared) == ("unchanged", False)
    earlier = await stores.history.delete(ME, room.id, [turns[0].question.key])
    assert (earlier.summary, earlier.title_cleared) == ("cleared", True)
    after = await stores.rooms.get(ME, room.id)
    assert (after.summary, after.title, after.title_source) == (None, None, "none")


async def test_what_was_made_before_a_deletion_is_not_stored_after_it(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    turn = await a_turn(stores, room, "secret", "a")
    seen = await stores.rooms.get(ME, room.id)
    await stores.history.delete(ME, room.id, [turn.question.key])
    stale = Summary(text="secret", covers_up_to=message_key(1, 1))
    assert not await stores.history.fold(seen, stale, tokens=1)
    assert not await stores.rooms.title(seen, "secret", covers=message_key(1, 1), asked=True)


async def test_one_of_many_claims_a_first_title(stores: Stores) -> None:
    room, named = await stores.rooms.create(ME), await stores.rooms.create(ME, "내 제목")
    claims = await asyncio.gather(*(stores.rooms.claim_title(room, 60) for _ in range(9)))
    assert sorted(claims) == [False] * 8 + [True]
    assert not await stores.rooms.claim_title(named, 60)
    other = await stores.rooms.create(ME)
    assert await stores.rooms.claim_title(other, 0)
    assert await stores.rooms.claim_title(other, 60)


async def test_a_made_title_never_replaces_a_persons(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    assert await stores.rooms.title(room, "made", covers="t")
    assert not await stores.rooms.title(room, "again", covers="t")
    assert (await stores.rooms.rename(ME, room.id, "내 제목")).title_source == "user"
    assert not await stores.rooms.title(room, "made", covers="t")
    assert await stores.rooms.title(room, "asked for", covers="t", asked=True)
    assert (await stores.rooms.get(ME, room.id)).title_source == "auto"


async def test_a_deleted_room_takes_everything_along(stores: Stores) -> None:
    room = await stores.rooms.create(ME)
    turn = await a_turn(stores, room, "q", "a")
    await stores.rooms.delete(ME, room.id)
    for gone in (stores.rooms.get(ME, room.id), stores.records.get(ME, turn.run_id)):
        with pytest.raises(NotFound):
            await gone
    assert not await stores.history.between(ME, room.id, limit=10)


async def test_odd_ids_are_just_not_there(stores: Stores) -> None:
    for odd in ("", "' OR 1=1 --", "room_\x00", "$ne", "방", "x" * 10_000):
        with pytest.raises(NotFound):
            await stores.rooms.get(ME, odd)
        with pytest.raises(NotFound):
            await stores.records.get(ME, odd)
