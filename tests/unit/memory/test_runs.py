"""Runs in process: followed by anyone of their owner, whatever happens to who started them."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import pytest

from memory.errors import NotFound, TooMany, Unavailable
from memory.records import Event, Message, Run, Status
from memory.run_slots import Bounds
from memory.runs import Emit, LocalRuns, Work
from memory.times import now

RUN = Run(id="run_1", owner="me", room_id="room", turn=1, status="running", started_at=now())


class Records:
    """What the durable store would know."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}
        self.answers: dict[str, Message] = {}

    async def get(self, owner: str, run_id: str) -> Run:
        run = self.runs.get(run_id)
        if run is None or run.owner != owner:
            raise NotFound.of("run")
        return run

    async def by_key(self, owner: str, room_id: str, idempotency_key: str) -> Run | None:
        return None

    async def answer(self, run: Run) -> Message | None:
        return self.answers.get(run.id)

    async def unfinished(self) -> Sequence[Run]:
        found = [run for run in self.runs.values() if run.status == "running"]
        await asyncio.sleep(0.01)
        return found


async def collect(runs: LocalRuns, after: int = 0, run_id: str = RUN.id) -> list[Event]:
    followed = runs.follow("me", run_id, after=after)
    return [event async for events in followed for event in events]


def speaking(*texts: str, status: Status = "complete") -> Work:
    async def work(emit: Emit) -> Status:
        for text in texts:
            emit("token", {"text": text})
            await asyncio.sleep(0)
        return status

    return work


async def test_many_followers_get_the_same_events_in_order() -> None:
    runs = LocalRuns(Records())
    await runs.start(RUN, speaking("a", "b", "c"))
    early, later = await asyncio.gather(collect(runs), collect(runs))
    assert early == later == await collect(runs)
    assert [(event.id, event.name) for event in early] == [
        (1, "token"),
        (2, "token"),
        (3, "token"),
        (4, "done"),
    ]


async def test_following_from_any_id_gives_exactly_the_rest() -> None:
    runs = LocalRuns(Records())
    await runs.start(RUN, speaking(*"abcdefgh"))
    whole = await collect(runs)
    for after in range(len(whole) + 1):
        assert await collect(runs, after) == whole[after:]


async def test_a_follower_that_leaves_stops_nothing() -> None:
    runs = LocalRuns(Records())
    await runs.start(RUN, speaking("a", "b"))
    async for _ in runs.follow("me", RUN.id):
        break
    assert [event.name for event in await collect(runs)][-1] == "done"


async def test_a_follower_that_stands_still_slows_nothing_and_misses_nothing() -> None:
    runs = LocalRuns(Records())
    await runs.start(RUN, speaking(*"abcdefgh"))
    slow = runs.follow("me", RUN.id)
    heard = list(await anext(slow))
    whole = await collect(runs)
    assert whole[-1].name == "done"
    heard += [event async for events in slow for event in events]
    assert heard == whole


async def test_others_find_no_run() -> None:
    runs = LocalRuns(Records())
    await runs.start(RUN, speaking("a"))
    with pytest.raises(NotFound):
        await anext(runs.follow("you", RUN.id))
    with pytest.raises(NotFound):
        await runs.cancel("you", RUN.id)


async def test_cancelling_lets_the_work_say_goodbye() -> None:
    runs = LocalRuns(Records())
    heard: list[str] = []

    async def work(emit: Emit) -> Status:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append("cancelled")
        return "stopped"

    await runs.start(RUN, work)
    assert await runs.alive(RUN)
    await asyncio.gather(runs.cancel("me", RUN.id), runs.cancel("me", RUN.id))
    events = await collect(runs)
    assert heard == ["cancelled"]
    assert events[-1].data == {"run_id": RUN.id, "status": "stopped"}
    assert not await runs.alive(RUN)


async def test_an_unknown_error_ends_in_error_and_done_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    runs = LocalRuns(Records())

    async def work(emit: Emit) -> Status:
        raise RuntimeError("the password is 1234")

    await runs.start(RUN, work)
    events = await collect(runs)
    assert [event.name for event in events] == ["error", "done"]
    assert "1234" not in str([event.data for event in events])
    assert "run failed" in caplog.text


async def test_a_closing_server_waits_then_stops_what_is_left() -> None:
    runs = LocalRuns(Records())

    async def work(emit: Emit) -> Status:
        await asyncio.Event().wait()
        return "complete"

    await runs.start(RUN, work)
    await runs.close(grace_seconds=0)
    assert (await collect(runs))[-1].data["status"] == "stopped"


async def test_a_closing_server_stops_what_took_an_earlier_cancellation_as_heard() -> None:
    runs = LocalRuns(Records())
    heard = asyncio.Event()

    async def work(emit: Emit) -> Status:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.set()  # what it has is stored; then it tidies up
        await asyncio.Event().wait()
        return "stopped"

    await runs.start(RUN, work)
    await runs.cancel("me", RUN.id)
    await heard.wait()
    async with asyncio.timeout(5):
        await runs.close(grace_seconds=0)
    assert not await runs.alive(RUN)


async def test_a_closing_server_cancels_again_who_hears_only_the_second_time() -> None:
    runs = LocalRuns(Records())

    async def work(emit: Emit) -> Status:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()
        return "stopped"

    await runs.start(RUN, work)
    async with asyncio.timeout(5):
        await runs.close(grace_seconds=0)
    assert not await runs.alive(RUN)


async def test_a_closing_server_waits_for_a_run_whose_room_was_forgotten() -> None:
    runs = LocalRuns(Records())
    ended = asyncio.Event()

    async def work(emit: Emit) -> Status:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return "complete"

    await runs.start(RUN, work)
    await runs.forget(RUN.room_id)
    await runs.close(grace_seconds=0)
    assert ended.is_set()


async def test_long_after_its_end_a_run_answers_from_the_store() -> None:
    records = Records()
    runs = LocalRuns(records)
    records.runs[RUN.id] = replace(RUN, status="complete", answer_key="t1")
    records.answers[RUN.id] = Message(
        key="t1", turn=1, role="assistant", content="답", created_at=now()
    )
    events = await collect(runs, after=57)
    assert [(event.id, event.name) for event in events] == [(58, "message"), (59, "done")]
    assert events[0].data["content"] == "답"


async def test_of_ended_runs_only_so_much_is_kept_the_oldest_go_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("memory.runs.KEPT_BYTES", 24_000)
    records = Records()
    runs = LocalRuns(records)
    for number in range(5):
        run = replace(RUN, id=f"run_{number}")
        records.runs[run.id] = replace(run, status="complete")
        await runs.start(run, speaking("가" * 3_000))
        heard = await collect(runs, run_id=run.id)
        assert [event.name for event in heard] == ["token", "done"]
    kept = [number for number in range(5) if runs.log("me", f"run_{number}") is not None]
    assert kept == [2, 3, 4]
    assert [event.name for event in await collect(runs, run_id="run_0")] == ["done"]
    # One that is larger than all is kept until the next ends, and counted no more then.
    await runs.start(RUN, speaking("가" * 20_000))
    assert len(await collect(runs)) == 2
    await runs.start(replace(RUN, id="run_9"), speaking("가"))
    assert len(await collect(runs, run_id="run_9")) == 2
    assert [runs.log("me", one) is None for one in ("run_4", RUN.id, "run_9")] == [
        True,
        True,
        False,
    ]


async def test_forgetting_a_room_drops_its_kept_events() -> None:
    records = Records()
    runs = LocalRuns(records)
    await runs.start(RUN, speaking("marker"))
    await collect(runs)
    records.runs[RUN.id] = replace(RUN, status="complete")
    await runs.forget("room")
    assert [event.name for event in await collect(runs)] == ["done"]


async def test_a_run_that_begins_while_its_room_is_forgotten_stays() -> None:
    records = Records()
    runs = LocalRuns(records)
    forgetting = asyncio.create_task(runs.forget("room"))
    await asyncio.sleep(0)
    records.runs[RUN.id] = RUN
    await runs.start(RUN, waiting)
    await forgetting
    assert runs.log("me", RUN.id) is not None
    await runs.close(grace_seconds=0)


async def waiting(emit: Emit) -> Status:
    await asyncio.Event().wait()
    return "complete"


async def begin(runs: LocalRuns, number: int, owner: str = "me") -> None:
    run = replace(RUN, id=f"run_{number}", owner=owner)
    async with runs.slot(run):
        await runs.start(run, waiting)


async def test_a_user_has_so_many_runs_at_once_and_others_have_theirs() -> None:
    runs = LocalRuns(Records(), bounds=Bounds(per_user=2, per_process=3))
    await begin(runs, 1)
    await begin(runs, 2)
    with pytest.raises(TooMany) as refused:
        await begin(runs, 3)
    assert refused.value.code == "too_many_runs"
    await begin(runs, 4, "다른 사람")
    with pytest.raises(TooMany):
        await begin(runs, 5, "또 다른 사람")
    await runs.cancel("me", "run_1")
    await collect(runs, run_id="run_1")
    await begin(runs, 6)
    await runs.close(grace_seconds=0)
    with pytest.raises(Unavailable):
        await begin(runs, 7)


async def test_of_many_that_come_together_no_more_begin_than_may() -> None:
    runs = LocalRuns(Records(), bounds=Bounds(per_user=5))
    ends = await asyncio.gather(
        *(begin(runs, number) for number in range(50)), return_exceptions=True
    )
    assert [type(end) for end in ends if end is not None] == [TooMany] * 45
    await runs.close(grace_seconds=0)


async def test_runs_of_one_user_are_begun_at_once() -> None:
    runs = LocalRuns(Records(), bounds=Bounds(per_user=2))
    async with (
        runs.slot(replace(RUN, id="run_1")) as one,
        asyncio.timeout(5),
        runs.slot(replace(RUN, id="run_2")) as other,
    ):
        assert not one.waiting
        assert not other.waiting
    assert not runs.slots.taken


async def test_who_is_refused_for_another_reason_took_no_slot_from_anybody() -> None:
    runs = LocalRuns(Records(), bounds=Bounds(per_user=2))
    await begin(runs, 1)
    async with runs.slot(replace(RUN, id="run_2")):
        others = [asyncio.create_task(begin(runs, number)) for number in (3, 4)]
        await asyncio.sleep(0.01)
        assert not any(other.done() for other in others), "it is not known yet who may run"
    ends = await asyncio.gather(*others, return_exceptions=True)
    assert [type(end) for end in ends] == [type(None), TooMany]
    await runs.close(grace_seconds=0)


async def test_a_long_answer_stays_whole_in_a_bounded_stream() -> None:
    runs = LocalRuns(Records(), bounds=Bounds(events=10))
    words = [f"말 {number} " for number in range(1_000)]
    await runs.start(RUN, speaking(*words))
    events = await collect(runs)
    assert [event.id for event in events] == list(range(1, 13))
    said = [event.data["text"] for event in events if event.name == "token"]
    assert "".join(said) == "".join(words)
    assert events[-1].name == "done"
