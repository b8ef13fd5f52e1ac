"""Runs: work that a request starts, executed apart from it and followed by anyone of its owner.

Here in process; a run's end is in the durable store, where its turn put it.
"""

import asyncio
import contextvars
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from memory.errors import Unavailable
from memory.events import DONE, ERROR, MESSAGE, done_data, error_data, message_data
from memory.protocols import RunRecords
from memory.records import Event, Run, Status
from memory.times import now

KEPT_SECONDS = 3600.0
"""How long the events of an ended run are kept."""

Emit = Callable[[str, Mapping[str, Any]], None]
"""Append an event (its name and data) to the run's stream; never waits."""

Work = Callable[[Emit], Awaitable[Status]]
"""What a run does. When it is cancelled it stores what it has and returns ``stopped``."""

_log = logging.getLogger(__name__)


class Runs(Protocol):
    """Running work and its streams of events."""

    async def start(self, run: Run, work: Work) -> None:
        """Execute ``work`` apart from the caller; ``done`` is appended whatever happens in it.

        Raises Unavailable once the runs are being closed.
        """
        ...

    def follow(self, owner: str, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        """The events past id ``after``, live or kept, up to ``done``; never runs anything again.

        Long after a run's end: its stored answer as one ``message``, then ``done``. Raises
        NotFound ``run_not_found`` at the first step.
        """
        ...

    async def alive(self, run: Run) -> bool:
        """Whether anybody may still work on a run."""
        ...

    async def forget(self, room_id: str) -> None:
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
    events: list[Event] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    cancelled: bool = False
    ended_at: float | None = None

    def append(self, name: str, data: Mapping[str, Any]) -> None:
        self.events.append(Event(len(self.events) + 1, name, data))
        # Whoever waits holds the old signal; the next to wait gets a new one.
        self.grown.set()
        self.grown = asyncio.Event()


class LocalRuns:
    """The Runs protocol inside one process.

    ``elsewhere_seconds`` is how long a run of another process may be at work: none where there is
    no other.
    """

    def __init__(self, records: RunRecords, *, elsewhere_seconds: float = 0.0) -> None:
        self._records = records
        self._elsewhere_seconds = elsewhere_seconds
        self._live: dict[str, _Live] = {}
        self._closing = False

    async def start(self, run: Run, work: Work) -> None:
        if self._closing:
            raise Unavailable("The server is stopping; please try again in a moment.")
        self._drop_old()
        live = _Live(run)
        self._live[run.id] = live
        # Nothing of the caller's context: its callbacks must not hear what the run does.
        live.task = asyncio.create_task(
            self._execute(live, work), name=run.id, context=contextvars.Context()
        )
        # A task that is cancelled before its first step would end without a word.
        await asyncio.sleep(0)

    async def follow(self, owner: str, run_id: str, *, after: int = 0) -> AsyncIterator[Event]:
        live = self._live.get(run_id)
        if live is None or live.run.owner != owner:
            async for event in self._stored(owner, run_id, after):
                yield event
            return
        sent = max(after, 0)
        while True:
            grown = live.grown
            for event in live.events[sent:]:
                sent = event.id
                yield event
            if live.ended_at is not None and sent >= len(live.events):
                return
            if sent >= len(live.events):
                await grown.wait()

    async def alive(self, run: Run) -> bool:
        live = self._live.get(run.id)
        if live is not None:
            return live.ended_at is None
        return (now() - run.started_at).total_seconds() < self._elsewhere_seconds

    async def forget(self, room_id: str) -> None:
        for run_id, live in list(self._live.items()):
            if live.run.room_id == room_id and live.ended_at is not None:
                del self._live[run_id]

    async def cancel(self, owner: str, run_id: str) -> None:
        live = self._live.get(run_id)
        if live is None or live.run.owner != owner:
            await self._records.get(owner, run_id)
        elif live.task is not None and not live.cancelled:
            live.cancelled = True
            live.task.cancel()

    async def close(self, *, grace_seconds: float) -> None:
        self._closing = True
        tasks = [live.task for live in self._live.values() if live.task and not live.task.done()]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=grace_seconds)
        for live in self._live.values():
            if live.task in late and not live.cancelled:
                live.cancelled = True
                live.task.cancel()
        if late:
            await asyncio.wait(late)

    async def _execute(self, live: _Live, work: Work) -> None:
        status: Status = "failed"
        try:
            status = await work(live.append)
        except asyncio.CancelledError:
            status = "stopped"
        except Exception:  # noqa: BLE001 - the last stop of an unknown error: its text is for the log alone
            _log.exception("run failed", extra={"run_id": live.run.id})
            live.append(
                ERROR, error_data("internal", "Something went wrong on our side.", live.run.id)
            )
        finally:
            live.append(DONE, done_data(live.run.id, status))
            live.ended_at = time.monotonic()

    async def _stored(self, owner: str, run_id: str, after: int) -> AsyncIterator[Event]:
        run = await self._records.get(owner, run_id)
        answer = await self._records.answer(run) if run.answer_key else None
        if answer is not None:
            after += 1
            yield Event(after, MESSAGE, message_data(answer))
        yield Event(after + 1, DONE, done_data(run.id, run.status))

    def _drop_old(self) -> None:
        horizon = time.monotonic() - KEPT_SECONDS
        # Runs end nearly in the order they start, so that the first young one ends the search.
        for run_id, live in list(self._live.items()):
            if live.ended_at is None:
                continue
            if live.ended_at > horizon:
                break
            with suppress(KeyError):
                del self._live[run_id]
