"""Who may run now and who waits: so many runs of a user and of this process; knows no store."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from memory.errors import StoreError, TooMany
from memory.records import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many runs may be at work at once, how many may wait, and how many events one may have.

    ``per_user`` counts all processes that know of each other; ``queue`` is for each user in each
    process, where no more than ``per_process`` wait together.
    """

    per_user: int = 100
    per_process: int = 1_000
    queue: int = 0
    events: int = 20_000


class Ledger(Protocol):
    """What counts a user's runs over all processes; all raise Unavailable while it is away.

    A run that is not held again before its lease ends is no longer counted.
    """

    async def admit(self, run: Run, most: int) -> bool:
        """Count a run of its owner's unless so many are counted; whether it is counted now."""
        ...

    async def hold(self, runs: Collection[Run]) -> None:
        """Go on counting these."""
        ...

    async def release(self, run: Run) -> None: ...


def by_owner(runs: Iterable[Run]) -> Mapping[str, list[str]]:
    """The ids of runs by their owners."""
    ids: dict[str, list[str]] = {}
    for run in runs:
        ids.setdefault(run.owner, []).append(run.id)
    return ids


@dataclass(slots=True, eq=False)
class Slot:
    """The slot of a run: taken, or in the line for one."""

    run: Run
    waiting: bool = True
    _given: asyncio.Event | None = None

    def give(self) -> None:
        self.waiting = False
        if self._given is not None:
            self._given.set()

    async def ready(self) -> None:
        """Wait until the slot is taken; only its run does."""
        if self.waiting:
            self._given = asyncio.Event()
            await self._given.wait()


class Slots:
    """Gives slots to runs; those in line are served by turns of their users."""

    def __init__(self, bounds: Bounds, ledger: Ledger | None = None) -> None:
        self._bounds = bounds
        self._ledger = ledger
        self._taken: dict[str, Run] = {}
        self._lines: dict[str, deque[Slot]] = {}
        self._serving = asyncio.Lock()
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def taken(self) -> Collection[Run]:
        return self._taken.values()

    @property
    def waiting(self) -> Collection[Run]:
        return [slot.run for line in self._lines.values() for slot in line]

    async def take(self, run: Run) -> Slot:
        """A slot, or one in the line; TooMany ``too_many_runs`` if that is full."""
        taken = await self.take_free(run)
        if taken is not None:
            return taken
        slot = Slot(run)
        # Looked at now, with no step between: so nobody's line grows past its bound.
        line = self._lines.get(run.owner, deque())
        if len(line) >= self._bounds.queue or len(self.waiting) >= self._bounds.per_process:
            raise self._too_many()
        line.append(slot)
        self._lines[run.owner] = line
        return slot

    async def take_free(self, run: Run) -> Slot | None:
        """A slot, past the line if nobody in it waits for the same; None if there is none."""
        if not await self._directly(run):
            return None
        slot = Slot(run)
        slot.give()
        return slot

    def leave(self, run: Run) -> None:
        """Give up a slot, taken or waited for; nothing happens if there is none."""
        line = self._lines.get(run.owner, deque())
        for slot in [slot for slot in line if slot.run.id == run.id]:
            line.remove(slot)
        if not line:
            self._lines.pop(run.owner, None)
        if self._taken.pop(run.id, None) and (self._ledger or self._lines):
            self._spawn(self._free(run))

    async def serve(self) -> None:
        """Give what is free to those in line, one to each user before any gets another."""
        async with self._serving:
            for owner in list(self._lines):
                await self._serve_one(owner)

    async def settled(self) -> None:
        """Wait until what was given up is known to all."""
        while self._leaving:
            await asyncio.wait(self._leaving)

    async def _directly(self, run: Run) -> bool:
        if run.owner in self._lines:
            return False
        if len(self._taken) + len(self.waiting) >= self._bounds.per_process:
            return False
        if await self._admit(run):
            return True
        if not self._leaving:
            return False
        # The ledger may not have heard of who left here a moment ago; others leave all the time.
        await asyncio.wait(self._leaving)
        return run.owner not in self._lines and await self._admit(run)

    async def _admit(self, run: Run) -> bool:
        of_owner = sum(one.owner == run.owner for one in self._taken.values())
        if len(self._taken) >= self._bounds.per_process or of_owner >= self._bounds.per_user:
            return False
        self._taken[run.id] = run
        admitted = False
        try:
            admitted = self._ledger is None or await self._ledger.admit(run, self._bounds.per_user)
        finally:
            if not admitted:
                self._taken.pop(run.id, None)
        return admitted

    async def _serve_one(self, owner: str) -> None:
        line = self._lines.get(owner)
        if not line:
            return
        slot = line[0]
        if not await self._admit(slot.run):
            return
        if slot not in line:  # it left meanwhile
            self._taken.pop(slot.run.id, None)
            self._spawn(self._free(slot.run))
            return
        line.remove(slot)
        slot.give()
        del self._lines[owner]
        if line:
            self._lines[owner] = line  # behind the others now

    async def _free(self, run: Run) -> None:
        if self._ledger is not None:
            with suppress(StoreError):  # it is forgotten with its lease
                await self._ledger.release(run)
        with suppress(StoreError):  # served at a later look
            await self.serve()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    def _too_many(self) -> TooMany:
        if len(self._taken) >= self._bounds.per_process:
            words = "This server answers as many as it can now."
        else:
            words = "Too many of your messages are being answered."
        return TooMany(words, code="too_many_runs")


class Beginnings:
    """One user's runs that are being begun, all at once while each finds a slot.

    Where slots run short they are begun one by one, once all others have begun or were refused: so
    who is refused for another reason took no slot from anybody.
    """

    def __init__(self) -> None:
        self._one_by_one = asyncio.Lock()
        self._beginning = 0
        self._none = asyncio.Event()

    @asynccontextmanager
    async def slot(self, run: Run, slots: Slots) -> AsyncIterator[Slot]:
        """A slot while the run is begun; TooMany as of Slots."""
        if not self._one_by_one.locked():
            with self._at_once():
                slot = await slots.take_free(run)
                if slot is not None:
                    yield slot
                    return
        async with self._one_by_one:
            if self._beginning:
                await self._none.wait()
            yield await slots.take(run)

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        self._beginning += 1
        self._none.clear()
        try:
            yield
        finally:
            self._beginning -= 1
            if not self._beginning:
                self._none.set()
