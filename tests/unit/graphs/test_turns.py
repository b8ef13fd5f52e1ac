"""A turn from its stored question to its stored answer, on a real SQLite file."""

import asyncio
import gc
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver

from graphs.chat import build_chat_graph
from graphs.forgetting import Forgetting
from graphs.limits import Limits
from graphs.model_errors import ModelUnavailable
from graphs.open_turns import OpenTurns
from graphs.prefetch import Prefetch
from graphs.summary import build_summary_graph
from graphs.system_prompt import SystemPrompt
from graphs.title import build_title_graph
from graphs.turns import Turns
from graphs.upkeep import Folding, Upkeep
from memory.checkpoints import PREFETCHED
from memory.errors import Conflict, Invalid, NotFound, Unavailable
from memory.records import Event, Message, Room, Run, Status, Turn
from memory.runs import LocalRuns
from memory.sqlite.checkpoints import SQLiteSaver
from memory.sqlite.database import Database
from memory.sqlite.history import SQLiteHistory
from memory.sqlite.rooms import SQLiteRooms
from memory.sqlite.run_records import SQLiteRunRecords
from tests.properties.hostile import (
    Behaviour,
    Counter,
    HostileModel,
    answers,
    drips,
    hangs_the_tool,
    same_call,
)

ME = "me"
FOLDING = Folding(after_tokens=200, after_turns=6, step_tokens=200)


class House:
    """Everything a turn needs, over one data file."""

    def __init__(
        self,
        database: Database,
        *behaviours: Behaviour,
        checkpointer: BaseCheckpointSaver[Any] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.database = database
        self.rooms = SQLiteRooms(database)
        self.history = SQLiteHistory(database)
        self.records = SQLiteRunRecords(database)
        self.model = HostileModel(behaviours=behaviours)
        self.counter = Counter()
        self.runs = LocalRuns(self.records)
        self.checkpointer = checkpointer or InMemorySaver()
        limits = limits or Limits()
        tools = self.counter.tools()
        summarizer = Scribe(behaviours=[answers])
        self.upkeep = Upkeep(
            rooms=self.rooms,
            history=self.history,
            titles=build_title_graph(summarizer),
            summaries=build_summary_graph(summarizer),
            folding=FOLDING,
        )
        open_turns = OpenTurns(history=self.history, records=self.records, runs=self.runs)
        self.turns = Turns(
            build_chat_graph(
                self.model,
                tools,
                checkpointer=self.checkpointer,
                history=self.history,
                limits=limits,
            ),
            history=self.history,
            records=self.records,
            runs=self.runs,
            open_turns=open_turns,
            upkeep=self.upkeep,
            prefetch=partial(Prefetch, self.checkpointer, SystemPrompt(None, digest_tokens=0)),
            tools=[tool.name for tool in tools],
            limits=limits,
        )
        self.forgetting = Forgetting(
            rooms=self.rooms,
            history=self.history,
            runs=self.runs,
            open_turns=open_turns,
            checkpointer=self.checkpointer,
            upkeep=self.upkeep,
            wipe=database.forget,
        )

    async def ask(self, room: Room, message: str, **more: Any) -> list[Event]:
        run = await self.turns.start(ME, room.id, message, **more)
        return await self.followed(run)

    async def followed(self, run: Run) -> list[Event]:
        return [one async for events in self.runs.follow(ME, run.id) for one in events]

    async def messages(self, room: Room) -> list[Message]:
        page = await self.history.page(ME, room.id, limit=100)
        return list(page.items)[::-1]


class Scribe(HostileModel):
    """Titles and summarizes by naming how much it was told."""

    def with_structured_output(self, schema: Any, **kwargs: Any) -> Any:
        from langchain_core.runnables import RunnableLambda

        async def made(messages: Any) -> Any:
            text = f"{schema.__name__} of {len(str(messages))} characters"
            return schema(**{next(iter(schema.model_fields)): text})

        return RunnableLambda(made)


@dataclass
class Build:
    database: Database

    def __call__(self, *behaviours: Behaviour, **more: Any) -> House:
        return House(self.database, *behaviours, **more)


@pytest.fixture
async def build(tmp_path: Path) -> AsyncIterator[Build]:
    database = await Database.open(tmp_path / "tomato.db")
    yield Build(database)
    await database.close()


def names(events: Sequence[Event]) -> list[str]:
    """The events' names, repeated ones once."""
    return [
        event.name
        for index, event in enumerate(events)
        if index == 0 or events[index - 1].name != event.name
    ]


async def test_a_message_becomes_a_stored_answer(build: Build) -> None:
    house = build(answers)
    room = await house.rooms.create(ME)
    events = await house.ask(room, "안녕?")
    assert names(events) == ["run", "token", "message", "done"]
    question, answer = await house.messages(room)
    assert (question.content, question.status) == ("안녕?", "complete")
    assert (answer.content, answer.status) == ("이것이 the answer.", "complete")
    assert events[0].data["user_key"] == question.key
    assert events[-2].data["key"] == answer.key
    assert events[-1].data["status"] == "complete"
    tokens = "".join(event.data["text"] for event in events if event.name == "token")
    assert tokens == answer.content


async def test_tool_calls_are_stored_with_their_results(build: Build) -> None:
    house = build(same_call, answers)
    room = await house.rooms.create(ME)
    events = await house.ask(room, "look it up")
    assert names(events) == ["run", "tool_start", "tool_end", "token", "message", "done"]
    messages = await house.messages(room)
    assert [message.role for message in messages] == ["user", "assistant", "tool", "assistant"]
    assert messages[2].tool_call_id == messages[1].tool_calls[0].id
    assert [message.key for message in messages] == sorted(message.key for message in messages)


async def test_the_next_turn_remembers_without_its_checkpoint_too(build: Build) -> None:
    for checkpointer in (InMemorySaver(), None):
        house = build(answers, checkpointer=checkpointer)
        room = await house.rooms.create(ME)
        await house.ask(room, "하나")
        if checkpointer is None:
            await house.checkpointer.adelete_thread(room.id)
        await house.ask(room, "둘")
        asked, _ = house.model.asked[-1]
        assert isinstance(asked[0], SystemMessage)
        assert [str(m.text) for m in asked[1:]] == ["하나", "이것이 the answer.", "둘"]


async def test_what_was_read_too_early_is_not_believed(build: Build) -> None:
    saver = SQLiteSaver(build.database, keep="latest")
    house = build(answers, checkpointer=saver)
    room = await house.rooms.create(ME)
    await house.ask(room, "하나")
    config: RunnableConfig = {"configurable": {"thread_id": room.id}}
    early = await saver.aget_tuple(config)
    await house.ask(room, "둘")

    class Early(SQLiteSaver):
        async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
            return early

    prompt = SystemPrompt(None, digest_tokens=0)
    house.turns._prefetch = partial(Prefetch, Early(house.database), prompt)
    await house.ask(room, "셋")
    asked, _ = house.model.asked[-1]
    said = ["하나", "이것이 the answer.", "둘", "이것이 the answer.", "셋"]
    assert [str(m.text) for m in asked[1:]] == said
    kept = await saver.aget_tuple(config)
    assert kept is not None
    messages = kept.checkpoint["channel_values"]["messages"]
    assert [str(m.text) for m in messages] == [*said, "이것이 the answer."]


async def test_a_turn_reads_its_checkpoint_once(build: Build) -> None:
    read: list[str] = []

    class Counting(SQLiteSaver):
        async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
            given = config["configurable"].get(PREFETCHED)
            read.append("given" if given else "read")
            return await super().aget_tuple(config)

    house = build(answers, checkpointer=Counting(build.database, keep="latest"))
    room = await house.rooms.create(ME)
    await house.ask(room, "하나")
    await house.ask(room, "둘")
    assert read == ["read", "given"] * 2


async def test_what_was_read_for_a_refused_turn_may_have_failed(build: Build) -> None:
    class Away(InMemorySaver):
        async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
            raise Unavailable("away")

    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    house = build(answers, checkpointer=Away())
    with pytest.raises(NotFound):
        await house.turns.start(ME, "room_unknown", "hi")
    await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


async def fails(turn: int) -> AsyncIterator[AIMessageChunk]:
    if turn >= 0:
        raise ModelUnavailable
    yield AIMessageChunk(content="")


async def test_a_failed_model_is_told_and_the_room_goes_on(build: Build) -> None:
    house = build(fails)
    room = await house.rooms.create(ME)
    events = await house.ask(room, "hello", request_id="req-1")
    assert names(events) == ["run", "error", "done"]
    assert events[1].data["code"] == "model_unavailable"
    assert events[1].data["request_id"] == "req-1"
    assert [(m.content, m.status) for m in await house.messages(room)] == [("hello", "failed")]
    house.model.behaviours = [answers]
    assert names(await house.ask(room, "again")) == ["run", "token", "message", "done"]
    asked, _ = house.model.asked[-1]
    assert [str(m.text) for m in asked[1:]] == ["hello", "again"]


async def test_a_stopped_answer_is_kept_as_far_as_it_came(build: Build) -> None:
    house = build(drips)
    room = await house.rooms.create(ME)
    run = await house.turns.start(ME, room.id, "tell me a story")
    events: list[Event] = []
    async for together in house.runs.follow(ME, run.id):
        events.extend(together)
        if "token" in names(together):
            await house.runs.cancel(ME, run.id)
    assert names(events) == ["run", "token", "notice", "message", "done"]
    assert events[-1].data["status"] == events[-2].data["status"] == "stopped"
    _, answer = await house.messages(room)
    assert (answer.content.strip(), answer.status) == ("drip", "stopped")
    house.model.behaviours = [answers]
    assert names(await house.ask(room, "and now?"))[-1] == "done"


async def test_a_turn_stopped_in_its_tools_keeps_every_call_with_a_result(build: Build) -> None:
    house = build(hangs_the_tool)
    room = await house.rooms.create(ME)
    run = await house.turns.start(ME, room.id, "기다려")
    async for events in house.runs.follow(ME, run.id):
        if "tool_start" in names(events):
            # All the calls of one message start together, before any of them runs.
            await asyncio.sleep(0.05)
            await house.runs.cancel(ME, run.id)
    messages = await house.messages(room)
    calls = [call.id for message in messages for call in message.tool_calls]
    assert [message.tool_call_id for message in messages[2:]] == calls
    assert len(calls) == 3


async def test_a_room_has_one_turn_at_a_time(build: Build) -> None:
    house = build(drips)
    room = await house.rooms.create(ME)
    started = await asyncio.gather(
        *(house.turns.start(ME, room.id, f"question {n}") for n in range(10)),
        return_exceptions=True,
    )
    refused = [one for one in started if isinstance(one, Conflict)]
    assert len(refused) == 9
    assert {error.code for error in refused} == {"room_busy"}
    assert len(await house.messages(room)) == 1
    (run,) = [one for one in started if not isinstance(one, BaseException)]
    assert {error.details["run_id"] for error in refused} == {run.id}
    await house.runs.close(grace_seconds=0)


async def test_the_same_idempotency_key_runs_once(build: Build) -> None:
    house = build(answers)
    room = await house.rooms.create(ME)
    runs = await asyncio.gather(
        *(house.turns.start(ME, room.id, "once", idempotency_key="k") for _ in range(5))
    )
    assert len({run.id for run in runs}) == 1
    events = await house.followed(runs[0])
    assert names(events)[-1] == "done"
    assert len(await house.messages(room)) == 2
    again = await house.turns.start(ME, room.id, "once", idempotency_key="k")
    assert again.id == runs[0].id
    with pytest.raises(Conflict) as caught:
        await house.turns.start(ME, room.id, "something else", idempotency_key="k")
    assert caught.value.code == "idempotency_mismatch"


async def test_what_is_refused_stores_nothing(build: Build) -> None:
    house = build(answers)
    room = await house.rooms.create(ME)
    with pytest.raises(Invalid) as caught:
        await house.turns.start(ME, room.id, "hi", tools=["format_disk"])
    assert caught.value.code == "unknown_tool"
    with pytest.raises(NotFound):
        await house.turns.start("you", room.id, "hi")
    assert await house.messages(room) == []


async def test_a_turn_whose_worker_died_gives_its_room_back(build: Build) -> None:
    dead, house = build(drips), build(answers)
    room = await dead.rooms.create(ME)
    await dead.turns.start(ME, room.id, "lost")
    events = await house.ask(room, "found")
    assert names(events) == ["run", "token", "message", "done"]
    assert [(m.content, m.status) for m in await house.messages(room)][:2] == [
        ("lost", "failed"),
        ("found", "complete"),
    ]
    # The worker was only slow: what it has to say comes too late and changes nothing.
    await dead.runs.close(grace_seconds=0)
    assert len(await house.messages(room)) == 3


async def test_an_answer_is_kept_when_only_its_checkpoint_is_lost(build: Build) -> None:
    class Away(InMemorySaver):
        async def aput(self, *args: Any, **kwargs: Any) -> Any:
            raise Unavailable("away")

    house = build(answers, checkpointer=Away())
    room = await house.rooms.create(ME)
    events = await house.ask(room, "hi")
    assert names(events) == ["run", "token", "message", "done"]
    assert events[-1].data["status"] == "complete"
    assert len(await house.messages(room)) == 2


async def test_old_turns_are_folded_after_the_answer(build: Build) -> None:
    house = build(answers)
    room = await house.rooms.create(ME)
    notices = []
    for number in range(20):
        events = await house.ask(room, f"질문 {number} " + "내용 " * 20)
        order = names(events)
        if "notice" in order:
            assert order.index("notice") > order.index("message")
            notices.append(next(e for e in events if e.name == "notice"))
    assert notices
    after = await house.rooms.get(ME, room.id)
    assert after.summary is not None
    assert notices[-1].data["covers_up_to"] == after.summary.covers_up_to
    assert after.pending_tokens <= FOLDING.after_tokens
    asked, _ = house.model.asked[-1]
    assert after.summary.text not in str(asked[0].text) or len(asked) < 30
    assert len(asked) < 2 + 2 * 7
    assert sum(isinstance(m, SystemMessage) for m in asked) == 1
    await house.ask(room, "last")
    asked, _ = house.model.asked[-1]
    assert after.summary.text in str(asked[0].text)


async def test_forgetting_leaves_no_trace(build: Build) -> None:
    house = build(answers)
    marker = "토마토비밀-7391"
    room = await house.rooms.create(ME)
    events = await house.ask(room, f"remember {marker} for me")
    for number in range(12):
        await house.ask(room, f"more {number} " + "words " * 20)
    room = await house.rooms.get(ME, room.id)
    assert room.summary is not None
    assert room.summary.covers_up_to > events[0].data["user_key"]
    deleted = await house.forgetting.messages(room, [events[0].data["user_key"]])
    assert deleted.summary == "rebuilt"
    path = house.database.path
    for file in path.parent.iterdir():
        assert marker.encode() not in file.read_bytes(), file
    await house.ask(room, "what did I say?")
    asked, _ = house.model.asked[-1]
    assert marker not in str(asked)


async def test_forgetting_a_room_leaves_no_trace(build: Build) -> None:
    house = build(answers)
    room = await house.rooms.create(ME, "제목")
    await house.ask(room, "marker-5521")
    await house.forgetting.room(await house.rooms.get(ME, room.id))
    for file in house.database.path.parent.iterdir():
        assert b"marker-5521" not in file.read_bytes()


async def test_a_failed_turn_brings_back_nothing_that_was_deleted_meanwhile(build: Build) -> None:
    saver = SQLiteSaver(build.database, keep="latest")
    house = build(answers, checkpointer=saver)
    room = await house.rooms.create(ME)
    await house.ask(room, "marker-8812")
    early = Prefetch(saver, SystemPrompt(None, digest_tokens=0), ME, room.id)
    await early.digest()
    keys = [message.key for message in await house.messages(room)]
    await house.forgetting.messages(await house.rooms.get(ME, room.id), keys)
    house.turns._prefetch = lambda owner, room_id: early
    house.model.behaviours = [fails]
    assert names(await house.ask(room, "and now?")) == ["run", "error", "done"]
    await build.database.forget()
    for file in house.database.path.parent.iterdir():
        assert b"marker-8812" not in file.read_bytes()


async def test_a_turn_that_could_not_be_stored_is_in_no_deletions_way(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build(answers)
    room = await house.rooms.create(ME)

    async def away(*args: Any, **kwargs: Any) -> Room:
        raise Unavailable("away")

    with monkeypatch.context() as disk:
        disk.setattr(house.history, "end", away)
        assert names(await house.ask(room, "hello")) == ["run", "token", "error", "done"]
    room = await house.rooms.get(ME, room.id)
    assert room.running is not None
    question = (await house.messages(room))[0]
    await house.forgetting.messages(room, [question.key])
    assert await house.messages(room) == []
    await house.forgetting.room(await house.rooms.get(ME, room.id))
    with pytest.raises(NotFound):
        await house.rooms.get(ME, room.id)


async def test_what_nobody_foresaw_ends_the_turn_too(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build(answers)
    room = await house.rooms.create(ME)

    def boom(event: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr("graphs.turns.shown", boom)
        events = await house.ask(room, "hello")
    assert names(events) == ["run", "error", "message", "done"]
    assert events[1].data["code"] == "internal"
    assert (await house.rooms.get(ME, room.id)).running is None
    assert {message.status for message in await house.messages(room)} == {"failed"}
    assert names(await house.ask(room, "again"))[-1] == "done"


async def test_while_events_cant_be_dropped_nothing_is_deleted(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build(answers)
    room = await house.rooms.create(ME)
    await house.ask(room, "hello")
    keys = [message.key for message in await house.messages(room)]

    async def away(room_id: str) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as board:
        board.setattr(house.runs, "forget", away)
        for deletion in (house.forgetting.messages(room, keys), house.forgetting.room(room)):
            with pytest.raises(Unavailable):
                await deletion
    assert [message.key for message in await house.messages(room)] == keys
    assert (await house.forgetting.messages(room, keys)).deleted == tuple(keys)


async def test_rapid_first_turns_make_one_title(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build(answers)
    room, made, going_on = await house.rooms.create(ME), [], asyncio.Event()
    title = house.upkeep.title

    async def slow(room: Room, **more: Any) -> bool:
        made.append(room.id)
        await going_on.wait()
        return await title(room, **more)

    monkeypatch.setattr(house.upkeep, "title", slow)
    for message in ("hello", "안녕", "again"):
        await house.ask(room, message)
    going_on.set()
    await asyncio.gather(*house.upkeep.pending)
    assert made == [room.id]
    assert (await house.rooms.get(ME, room.id)).title_source == "auto"


async def test_a_first_exchange_gets_a_title_never_over_a_persons(build: Build) -> None:
    house = build(answers)
    room, named = await house.rooms.create(ME), await house.rooms.create(ME, "mine")
    for one in (room, named):
        await house.ask(one, "hello")
    await asyncio.gather(*house.upkeep.pending)
    titled = await house.rooms.get(ME, room.id)
    assert titled.title_source == "auto"
    assert titled.title is not None
    assert titled.title.startswith("RoomTitle of")
    assert (await house.rooms.get(ME, named.id)).title == "mine"
    assert (await house.upkeep.retitle(ME, named.id)).title_source == "auto"


async def test_a_room_that_was_busy_until_a_moment_ago_takes_the_question(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = build(answers)
    room, begin, asked = await house.rooms.create(ME), house.history.begin, list[str]()

    async def busy_once(run: Run, content: str) -> Turn:
        asked.append(run.id)
        if len(asked) == 1:  # as MongoDB tells it: what was open has closed, and its run is unknown
            raise Conflict("busy", code="room_busy", details={"run_id": run.id})
        return await begin(run, content)

    monkeypatch.setattr(house.history, "begin", busy_once)
    assert names(await house.ask(room, "안녕?"))[-1] == "done"
    assert len(asked) == 2


async def test_turns_end_two_at_a_time_once_all_have_said_their_words(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphs.turns.ENDS_PATIENCE_SECONDS", 60)
    house = build(answers)
    rooms = [await house.rooms.create(ME, "title") for _ in range(4)]
    ending, go_on, end = asyncio.Semaphore(0), asyncio.Event(), house.history.end

    async def slow(turn: Turn, messages: Sequence[Message], *, status: Status) -> Room:
        ending.release()
        await go_on.wait()
        return await end(turn, messages, status=status)

    monkeypatch.setattr(house.history, "end", slow)
    runs = [await house.turns.start(ME, room.id, "hello") for room in rooms]
    for run in runs:
        log = house.runs.log(ME, run.id)
        assert log is not None
        while "token" not in names(log.events):
            await log.past(log.last)
    await ending.acquire()
    await ending.acquire()
    await asyncio.sleep(0.05)
    assert ending.locked(), "the others wait"
    go_on.set()
    for run in runs:
        assert names(await house.followed(run))[-2:] == ["message", "done"]
