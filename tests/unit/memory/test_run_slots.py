"""Slots for runs: bounded, given by turns of the users, given up by whoever leaves."""

import asyncio
from collections.abc import Collection
from dataclasses import replace

import pytest

from memory.errors import TooMany, Unavailable
from memory.records import Run
from memory.run_slots import Bounds, Slot, Slots
from memory.times import now

RUN = Run(id="run", owner="나", room_id="room", turn=1, status="running", started_at=now())


def run(number: int, owner: str = "나") -> Run:
    return replace(RUN, id=f"{owner}_{number}", owner=owner)


class Ledger:
    """What counts over all processes: so many slots that another process may have taken."""

    def __init__(self, others: int = 0) -> None:
        self.others = others
        self.counted: set[str] = set()
        self.away = False

    async def admit(self, run: Run, most: int) -> bool:
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("away")
        if len(self.counted) + self.others >= most:
            return False
        self.counted.add(run.id)
        return True

    async def hold(self, runs: Collection[Run]) -> None:
        """Nothing is forgotten here."""

    async def release(self, run: Run) -> None:
        await asyncio.sleep(0)
        self.counted.discard(run.id)


async def in_line(slots: Slots, *runs: Run) -> list[Slot]:
    """The slots of runs that all have to wait."""
    waiting = [await slots.take(run) for run in runs]
    assert all(slot.waiting for slot in waiting)
    return waiting


async def test_without_a_line_who_comes_too_many_is_refused() -> None:
    slots = Slots(Bounds(per_user=1))
    await slots.take(run(1))
    with pytest.raises(TooMany):
        await slots.take(run(2))
    slots.leave(run(1))
    assert not (await slots.take(run(2))).waiting


async def test_users_are_served_by_turns() -> None:
    slots = Slots(Bounds(per_process=6, per_user=1, queue=9))
    assert not (await slots.take(run(0))).waiting
    many = await in_line(slots, *(run(number) for number in range(1, 5)))
    other = await slots.take(run(1, "다른 사람"))
    assert not other.waiting, "the line of one user is nobody else's"
    last = await in_line(slots, run(2, "다른 사람"))
    order: list[str] = []
    running = [run(0), run(1, "다른 사람")]
    lined = [*many, *last]
    while running:
        slots.leave(running.pop(0))
        await slots.settled()
        for slot in [slot for slot in lined if not slot.waiting]:
            lined.remove(slot)
            running.append(slot.run)
            order.append(slot.run.id)
    assert order == ["나_1", "다른 사람_2", "나_2", "나_3", "나_4"]


async def test_where_the_process_is_full_nobody_s_line_goes_first() -> None:
    slots = Slots(Bounds(per_process=3, queue=9))
    for number in range(3):
        await slots.take(run(number))
    many = await in_line(slots, run(3), run(4))
    other = (await in_line(slots, run(1, "다른 사람")))[0]
    order = []
    for number in range(3):
        slots.leave(run(number))
        await slots.settled()
        order += [p.run.id for p in (*many, other) if not p.waiting and p.run.id not in order]
    assert order == ["나_3", "다른 사람_1", "나_4"]


async def test_lines_are_bounded_for_each_user_and_together() -> None:
    slots = Slots(Bounds(per_user=1, per_process=3, queue=2))
    await slots.take(run(0))
    await in_line(slots, run(1), run(2))
    with pytest.raises(TooMany):
        await slots.take(run(3))
    await in_line(slots, run(0, "다른 사람"))
    with pytest.raises(TooMany):
        await slots.take(run(0, "셋째"))


async def test_who_leaves_the_line_is_not_served() -> None:
    slots = Slots(Bounds(per_user=1, queue=3))
    await slots.take(run(0))
    one, two = await in_line(slots, run(1), run(2))
    slots.leave(one.run)
    slots.leave(run(0))
    await asyncio.wait_for(two.ready(), 5)
    assert one.waiting
    assert list(slots.taken) == [two.run]


async def test_a_slot_that_another_process_gave_up_is_found_at_the_next_look() -> None:
    ledger = Ledger(others=2)
    slots = Slots(Bounds(per_user=2, queue=3), ledger)
    (slot,) = await in_line(slots, run(1))
    await slots.serve()
    assert not slots.taken
    ledger.others = 1
    await slots.serve()
    assert not slot.waiting
    assert ledger.counted == {slot.run.id}


async def test_who_leaves_while_being_served_is_counted_no_more() -> None:
    ledger = Ledger(others=1)
    slots = Slots(Bounds(per_user=1, queue=3), ledger)
    (slot,) = await in_line(slots, run(1))
    ledger.others = 0
    serving = asyncio.create_task(slots.serve())
    await asyncio.sleep(0)
    slots.leave(slot.run)
    await serving
    await slots.settled()
    assert not ledger.counted
    assert not slots.taken


async def test_who_comes_right_after_an_end_here_finds_its_place_free() -> None:
    slots = Slots(Bounds(per_user=1), Ledger())
    for number in range(5):
        assert not (await slots.take(run(number))).waiting
        slots.leave(run(number))


async def test_who_is_at_their_bound_is_refused_while_others_leave_all_the_time() -> None:
    class Slow(Ledger):
        async def admit(self, run: Run, most: int) -> bool:
            return run.owner != "나" and await super().admit(run, most)

        async def release(self, run: Run) -> None:
            await asyncio.sleep(0.02)
            await super().release(run)

    slots = Slots(Bounds(per_user=1000), Slow())

    async def come_and_go() -> None:
        for number in range(200):
            await slots.take(run(number, "다른 사람"))
            slots.leave(run(number, "다른 사람"))
            await asyncio.sleep(0.01)

    others = asyncio.create_task(come_and_go())
    await asyncio.sleep(0.03)
    with pytest.raises(TooMany):
        await slots.take(run(1))
    assert not others.done()
    others.cancel()
    await slots.settled()


async def test_while_the_ledger_is_away_nothing_is_taken() -> None:
    ledger = Ledger()
    slots = Slots(Bounds(per_user=1, queue=3), ledger)
    ledger.away = True
    with pytest.raises(Unavailable):
        await slots.take(run(1))
    ledger.away = False
    assert not (await slots.take(run(1))).waiting
