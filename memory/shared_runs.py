"""Runs of several processes over one store: followed, stopped and, if need be, closed by any.

A run is executed in the process that began it. The events of all go from there to the board, so
many times a second, so that neither the board nor a reader ever slows one.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from typing import Any

from memory.board import LEASE_SECONDS, Board
from memory.errors import Conflict, NotFound, StoreError, Unavailable
from memory.event_log import EventLog
from memory.events import DONE, ERROR, MESSAGE, done_data, error_data, message_data
from memory.protocols import History, RunRecords
from memory.records import Event, Run
from memory.run_slots import Bounds, Slot
from memory.runs import LocalRuns, Work
from memory.times import now

TICK_SECONDS = 0.4
RENEW_TICKS = 5
LOOK_TICKS = 7
PUBLISH_SECONDS = 0.1
"""How long an event may wait to be told to other processes, with all that comes meanwhile."""

BATCH_EVENTS = 500
RETRY_SECONDS = 0.5
QUIET_SECONDS = 1.0
LAST_WORDS_SECONDS = 3.0
"""How long a closing process tries to tell the end of its runs."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Published:
    """A run of this process and how much of it is on the board."""

    run: Run
    log: EventLog
    sent: int = 0
    untold: bool = False
    """Whether others hear no more of it, but get its stored answer."""


@dataclass(slots=True)
class _Mirror:
    """The events of another process's run, read once for all who follow it here."""

    run: Run
    log: EventLog = field(default_factory=EventLog)
    readers: int = 0
    heard: float = 0.0


class SharedRuns:
    """The Runs protocol over a board that other processes see too."""

    def __init__(
        self, records: RunRecords, history: History, board: Board, *, bounds: Bounds | None = None
    ) -> None:
        self._records = records
        self._history = history
        self._board = board
        self._local = LocalRuns(records, bounds=bounds, ledger=board)
        self._publishing: dict[str, _Published] = {}
        self._begun, self._told = asyncio.Event(), asyncio.Event()
        self._mirrors: dict[str, _Mirror] = {}
        self._wanted = asyncio.Event()
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []

    def watch(self) -> None:
        """Begin to tell of runs, keep leases, hear of stops, read for followers, look for dead
        workers.
        """
        work = (self._tend(), self._listen(), self._publish())
        self._tasks = [asyncio.create_task(one) for one in work]

    def slot(self, run: Run) -> AbstractAsyncContextManager[Slot]:
        return self._local.slot(run)

    async def start(self, run: Run, work: Work) -> None:
        await self._local.start(run, work)
        log = self._local.log(run.owner, run.id)
        assert log is not None  # noqa: S101 - started just now
        self._publishing[run.id] = _Published(run, log)
        self._begun.set()

    async def follow(
        self, owner: str, run_id: str, *, after: int = 0
    ) -> AsyncIterator[Sequence[Event]]:
        log = self._local.log(owner, run_id)
        if log is not None:
            async for events in log.follow(after):
                yield events
            return
        run = await self._records.get(owner, run_id)
        kept = await self._kept(run_id)
        if not kept and run.status != "running":
            yield await self._local.stored(owner, run_id, after)
            return
        async for events in self._mirrored(run, kept, after):
            yield events

    async def _mirrored(
        self, run: Run, kept: Sequence[Event], after: int
    ) -> AsyncIterator[Sequence[Event]]:
        mirror = self._mirrors.setdefault(run.id, _Mirror(run))
        mirror.log.extend(kept)
        mirror.readers += 1
        self._wanted.set()
        try:
            async for events in mirror.log.follow(after):
                after = events[-1].id
                yield events
        finally:
            mirror.readers -= 1
            if not mirror.readers:
                self._mirrors.pop(run.id, None)
        if not mirror.log.done and not self._closing:
            yield await self._local.stored(run.owner, run.id, after)

    async def _kept(self, run_id: str) -> Sequence[Event]:
        """What the board has of a run; nothing while it is away: the history is what counts."""
        try:
            return await self._board.kept(run_id)
        except Unavailable:
            return []

    @property
    def waiting(self) -> int:
        return self._local.waiting

    async def alive(self, run: Run) -> bool:
        if self._local.log(run.owner, run.id) is not None:
            return await self._local.alive(run)
        if (now() - run.started_at).total_seconds() < LEASE_SECONDS:
            return True  # it may not have been taken yet
        return await self._board.held(run.id)

    async def forget(self, room_id: str) -> None:
        for run_id in await self._local.forget(room_id):
            self._publishing.pop(run_id, None)
        known = await self._board.known(room_id)
        running = {run.id for run in await self._records.unfinished()}
        await self._board.forget(room_id, [run_id for run_id in known if run_id not in running])

    async def cancel(self, owner: str, run_id: str) -> None:
        if self._local.log(owner, run_id) is not None:
            await self._local.cancel(owner, run_id)
        elif (await self._records.get(owner, run_id)).status == "running":
            await self._board.ask_to_stop(run_id)

    async def close(self, *, grace_seconds: float) -> None:
        await self._local.close(grace_seconds=grace_seconds)
        self._closing = True
        for mirror in self._mirrors.values():
            mirror.log.close()  # its run goes on elsewhere, and so may its reader
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                while self._publishing and self._tasks:
                    self._told.clear()
                    await self._told.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _publish(self) -> None:
        """Bring the runs' events to the board, whatever becomes of the board meanwhile."""
        while True:
            await self._begun.wait()
            self._begun.clear()
            while self._publishing:
                await asyncio.sleep(PUBLISH_SECONDS)
                heard = await asyncio.gather(*map(self._tell, tuple(self._publishing.values())))
                self._told.set()
                if not all(heard):
                    await asyncio.sleep(RETRY_SECONDS)

    async def _tell(self, one: _Published) -> bool:
        """Append what is new of a run, in order; False while the board is away.

        A run that can't be told is only held on to its end, so that it keeps its room.
        """
        run, log = one.run, one.log
        try:
            while one.sent < log.last and not one.untold:
                fresh = await log.past(one.sent)
                one.sent = await self._board.append(run, fresh[:BATCH_EVENTS])
                if one.sent < 0:
                    self._local.stop(run.id)
                    self._publishing.pop(run.id, None)
                    return True
        except Unavailable:
            return False
        except Exception:  # noqa: BLE001 - whatever is wrong with one run, the others are told
            _log.exception("run not told", extra={"run_id": run.id})
            one.untold = True
        if log.done:
            self._publishing.pop(run.id, None)
            if self._board.keeps_events and not one.untold:
                self._local.drop(run.id)
        return True

    async def _tend(self) -> None:
        tick = 0
        while True:
            await asyncio.sleep(TICK_SECONDS)
            tick += 1
            await self._quietly(self._hear())
            await self._quietly(self._local.slots.serve())
            if tick % RENEW_TICKS == 0:
                await self._quietly(self._renew())
            if tick % LOOK_TICKS == 0:
                await self._quietly(self._close_dead())

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do a piece of work that is due again soon; whether it went well."""
        try:
            await work
        except StoreError as error:
            _log.info("runs not tended", extra={"code": error.code})
        except Exception:  # noqa: BLE001 - whatever went wrong with one run, the others are tended
            _log.exception("runs not tended")
        else:
            return True
        return False

    async def _hear(self) -> None:
        if self._publishing:
            for run_id in await self._board.to_stop(tuple(self._publishing)):
                self._local.stop(run_id)

    async def _renew(self) -> None:
        if self._publishing:
            for run_id in await self._board.renew(tuple(self._publishing)):
                self._local.stop(run_id)
        await self._board.hold(tuple(self._local.slots.taken))

    async def _close_dead(self) -> None:
        for run in await self._records.unfinished():
            if not await self.alive(run):
                await self._bury(run)

    async def _bury(self, run: Run) -> None:
        """Close a run whose worker is gone, in the history first: that is what counts."""
        with suppress(NotFound, Conflict):
            if await self._history.abandon(run):
                _log.warning("run closed: its worker is gone", extra={"run_id": run.id})
            await self._finish(await self._records.get(run.owner, run.id))

    async def _finish(self, run: Run) -> bool:
        """End the stream of an ended run as the history tells it."""
        last = Event(0, DONE, done_data(run.id, run.status))
        answer = await self._records.answer(run) if run.answer_key else None
        if answer is not None:
            return await self._board.close(run.id, [Event(0, MESSAGE, message_data(answer)), last])
        if run.status == "failed":
            words = error_data("worker_lost", "What answered went away. Please ask again.", run.id)
            return await self._board.close(run.id, [Event(0, ERROR, words), last])
        return await self._board.close(run.id, [last])

    async def _listen(self) -> None:
        """Read for the mirrors, all at once."""
        while True:
            open_ones = {key: one for key, one in self._mirrors.items() if not one.log.ended}
            if not open_ones:
                self._wanted.clear()
                await self._wanted.wait()
                continue
            if not await self._quietly(self._read(open_ones)):
                await asyncio.sleep(RETRY_SECONDS)
            for mirror in open_ones.values():
                await self._quietly(self._settle(mirror))

    async def _read(self, mirrors: dict[str, _Mirror]) -> None:
        moment = asyncio.get_running_loop().time()
        fresh = await self._board.read(
            {run_id: mirror.log.last for run_id, mirror in mirrors.items()}
        )
        for run_id, mirror in mirrors.items():
            if fresh.get(run_id) or not mirror.heard:
                mirror.heard = moment
            mirror.log.extend(fresh.get(run_id, ()))

    async def _settle(self, mirror: _Mirror) -> None:
        """Look after a run that is silent: it may have ended without a word, or its worker died."""
        moment = asyncio.get_running_loop().time()
        if mirror.log.ended or moment - mirror.heard < QUIET_SECONDS:
            return
        mirror.heard = moment
        try:
            run = await self._records.get(mirror.run.owner, mirror.run.id)
        except NotFound:
            mirror.log.close()
            return
        if run.status == "running":
            if not await self.alive(run):
                await self._bury(run)
        elif not await self._told_to_the_end(run):
            mirror.log.close()

    async def _told_to_the_end(self, run: Run) -> bool:
        """Whether the stream of an ended run has its end, or somebody still tells it."""
        try:
            return await self._board.held(run.id) or await self._finish(run)
        except Unavailable:
            return False
