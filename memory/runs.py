"""Runs: work that a request starts, executed apart from it and followed by anyone of its owner.

Here in process; a run's end is in the durable store, where its turn put it.
"""

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol
from weakref import WeakValueDictionary

from memory.errors import Unavailable
from memory.event_log import EventLog
from memory.events import DONE, ERROR, INTERNAL, MESSAGE, done_data, error_data, message_data
from memory.protocols import RunRecords
from memory.records import Event, Run, Status
from memory.run_slots import Beginnings, Bounds, Ledger, Slot, Slots

KEPT_SECONDS = 3600.0
"""How long the events of an ended run are kept."""

KEPT_BYTES = 32 * 2**20
"""About how much memory the events of ended runs may take; the oldest are dropped sooner."""

EVENT_BYTES = 300
"""What one event takes besides its text."""

PATIENCE_SECONDS = 1.0
"""How long a run that was stopped may go on when its server closes, before it is stopped again."""

Emit = Callable[[str, Mapping[str, Any]], None]
"""Append an event (its name and data) to the run's stream; never waits."""

Work = Callable[[Emit], Awaitable[Status]]
"""What a run does. When it is cancelled it stores what it has and returns ``stopped``."""

_log = logging.getLogger(__name__)


class Runs(Protocol):
    """Running work and its streams of events."""

    def slot(self, run: Run) -> AbstractAsyncContextManager[Slot]:
        """Hold a slot for a run while it is begun and started; then it has it to its end.

        The work of a run whose slot is in the line waits for it first. Raises TooMany
        ``too_many_runs``, or Unavailable once the runs are being closed.
        """
        ...

    async def start(self, run: Run, work: Work) -> None:
        """Execute ``work`` apart from the caller; ``done`` is appended whatever happens in it.

        Raises Unavailable once the runs are being closed.
        """
        ...

    def follow(self, owner: str, run_id: str, *, after: int = 0) -> AsyncIterator[Sequence[Event]]:
        """The events past id ``after``, live or kept, up to ``done``; never runs anything again.

        What is there by now comes together.

        Long after a run's end: its stored answer as one ``message``, then ``done``. Raises
        NotFound ``run_not_found`` at the first step.
        """
        ...

    async def alive(self, run: Run) -> bool:
        """Whether anybody may still work on a run."""
        ...

    async def forget(self, room_id: str) -> object:
        """Drop the kept events of a room's ended runs: what they tell of was deleted."""
        ...

    async def cancel(self, owner: str, run_id: str) -> None:
        """Stop a run, soon; nothing happens if it has ended. NotFound ``run_not_found``."""
        ...

    async def close(self, *, grace_seconds: float) -> None:
        """Wait for what runs, then stop it; nothing can be started any more."""
        ...


@dataclass(slots=True)
class _Live:
    run: Run
    log: EventLog
    task: asyncio.Task[None] | None = None
    cancelled: bool = False


class LocalRuns:
    """The Runs protocol inside one process."""

    def __init__(
        self, records: RunRecords, *, bounds: Bounds | None = None, ledger: Ledger | None = None
    ) -> None:
        self._records = records
        self._bounds = bounds or Bounds()
        self.slots = Slots(self._bounds, ledger)
        self._live: dict[str, _Live] = {}
        self._tasks: set[asyncio.Task[None]] = set()  # also of runs that are forgotten
        self._ended: dict[str, float] = {}  # in the order of their ends
        self._sizes: dict[str, int] = {}  # of ended runs
        self._kept = 0
        self._beginnings: WeakValueDictionary[str, Beginnings] = WeakValueDictionary()
        self._closing = False

    @asynccontextmanager
    async def slot(self, run: Run) -> AsyncIterator[Slot]:
        beginnings = self._beginnings.setdefault(run.owner, Beginnings())
        async with beginnings.slot(run, self.slots) as slot:
            try:
                self._refuse_if_closing()
                yield slot
            finally:
                if run.id not in self._live:
                    self.slots.leave(run)

    async def start(self, run: Run, work: Work) -> None:
        self._refuse_if_closing()
        self._drop_old()
        live = _Live(run, EventLog(self._bounds.events))
        self._live[run.id] = live
        # Nothing of the caller's context: its callbacks must not hear what the run does.
        live.task = asyncio.create_task(
            self._execute(live, work), name=run.id, context=contextvars.Context()
        )
        self._tasks.add(live.task)
        live.task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before its first step would end without a word.
        await asyncio.sleep(0)

    async def follow(
        self, owner: str, run_id: str, *, after: int = 0
    ) -> AsyncIterator[Sequence[Event]]:
        live = self._live.get(run_id)
        if live is None or live.run.owner != owner:
            yield await self.stored(owner, run_id, after)
            return
        async for events in live.log.follow(after):
            yield events

    async def alive(self, run: Run) -> bool:
        return run.id in self._live and run.id not in self._ended

    @property
    def waiting(self) -> int:
        """How many runs are in this process's line for a slot."""
        return len(self.slots.waiting)

    def log(self, owner: str, run_id: str) -> EventLog | None:
        """The events of an owner's run that this process has."""
        live = self._live.get(run_id)
        return live.log if live is not None and live.run.owner == owner else None

    def drop(self, run_id: str) -> None:
        """Forget a run that is kept elsewhere; who follows it reads on."""
        self._live.pop(run_id, None)
        self._ended.pop(run_id, None)
        self._kept -= self._sizes.pop(run_id, 0)

    async def forget(self, room_id: str) -> Collection[str]:
        # Those that are here now: a turn that begins while the store is asked is not meant.
        here = [live.run.id for live in self._live.values() if live.run.room_id == room_id]
        running = {run.id for run in await self._records.unfinished()}
        # A run whose turn is stored has said all, even while it still tidies up.
        ended = [run_id for run_id in here if run_id not in running]
        for run_id in ended:
            self.drop(run_id)
        return ended

    async def cancel(self, owner: str, run_id: str) -> None:
        live = self._live.get(run_id)
        if live is None or live.run.owner != owner:
            await self._records.get(owner, run_id)
        else:
            self.stop(run_id)

    def stop(self, run_id: str) -> None:
        """Stop a run of this process, if it still runs."""
        live = self._live.get(run_id)
        if live is not None and live.task is not None and not live.cancelled:
            live.cancelled = True
            live.task.cancel()

    async def close(self, *, grace_seconds: float) -> None:
        self._closing = True
        for run in self.slots.waiting:
            self.stop(run.id)
        late = set(self._tasks)
        seconds = grace_seconds
        while late:
            _, late = await asyncio.wait(late, timeout=seconds)
            for task in late:
                task.cancel()  # once more, if it stored what it has and goes on
            seconds = PATIENCE_SECONDS
        await self.slots.settled()

    async def _execute(self, live: _Live, work: Work) -> None:
        status: Status = "failed"
        try:
            status = await work(live.log.append)
        except asyncio.CancelledError:
            status = "stopped"
        except Exception:  # noqa: BLE001 - the last stop of an unknown error: its text is for the log alone
            _log.exception("run failed", extra={"run_id": live.run.id})
            live.log.append(ERROR, error_data(*INTERNAL, live.run.id))
        finally:
            if live.run.id in self._live:  # else it was forgotten
                self._ended[live.run.id] = time.monotonic()
            self.slots.leave(live.run)
            live.log.append(DONE, done_data(live.run.id, status))
            self._keep(live)

    async def stored(self, owner: str, run_id: str, after: int) -> Sequence[Event]:
        """What the durable store tells of a run, as the events past ``after``."""
        run = await self._records.get(owner, run_id)
        answer = await self._records.answer(run) if run.answer_key else None
        told = [] if answer is None else [Event(after + 1, MESSAGE, message_data(answer))]
        return [*told, Event(after + len(told) + 1, DONE, done_data(run.id, run.status))]

    def _keep(self, live: _Live) -> None:
        """Keep the events of an ended run for a while, and so many less of those before."""
        if live.run.id in self._ended:
            self._sizes[live.run.id] = _size(live.log)
            self._kept += self._sizes[live.run.id]
        while self._kept > KEPT_BYTES and len(self._ended) > 1:
            self.drop(next(iter(self._ended)))

    def _refuse_if_closing(self) -> None:
        if self._closing:
            raise Unavailable("The server is stopping; please try again in a moment.")

    def _drop_old(self) -> None:
        horizon = time.monotonic() - KEPT_SECONDS
        while self._ended:
            run_id, ended_at = next(iter(self._ended.items()))
            if ended_at > horizon:
                break
            self.drop(run_id)


def _size(log: EventLog) -> int:
    """About how many bytes the events of a run take."""
    values = (value for event in log.events for value in event.data.values())
    return EVENT_BYTES * len(log.events) + 2 * sum(len(str(value)) for value in values)
