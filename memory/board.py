"""What processes tell each other of their runs: who works, what was said, who should stop."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from memory.records import Event, Run
from memory.run_slots import Ledger

LEASE_SECONDS = 8.0
"""How long a worker that is not heard of is taken to be at work."""


class Board(Ledger, Protocol):
    """The place that every process reads and writes; all raise Unavailable while it is away.

    A run is known as its room's once it is admitted, so that it can be forgotten at any time. It
    is held by its worker's lease, from its first event to its ``done``. Whoever finds it held
    by nobody, a lease after it began, may close it, and from then on the worker, should it only
    have been slow, can append nothing.
    """

    @property
    def keeps_events(self) -> bool:
        """Whether what is appended can be read again, by any process."""
        ...

    async def renew(self, run_ids: Collection[str]) -> Collection[str]:
        """Hold these for another while; those that were closed by another."""
        ...

    async def held(self, run_id: str) -> bool: ...

    async def ask_to_stop(self, run_id: str) -> None: ...

    async def to_stop(self, run_ids: Collection[str]) -> Collection[str]:
        """Those of these runs that somebody wants stopped."""
        ...

    async def append(self, run: Run, events: Sequence[Event]) -> int:
        """Append events and hold the run, or let it go with ``done``.

        The id of the last event that is there then, -1 once another closed the run.

        Nothing is appended unless the first follows what is there. Of a run that was forgotten
        events are taken as appended, but not kept.
        """
        ...

    async def close(self, run_id: str, events: Sequence[Event]) -> bool:
        """End the stream of a run that nobody holds with these; whether it now has its end.

        One that was forgotten gets none.

        Their ids are given anew, past all that a follower may have had from the worker itself; a
        ``message`` is left out if it is there.
        """
        ...

    async def kept(self, run_id: str) -> Sequence[Event]:
        """All events that are kept of a run."""
        ...

    async def read(self, positions: Mapping[str, int]) -> Mapping[str, Sequence[Event]]:
        """The events past these ids, by run; waits a moment for the first."""
        ...

    async def known(self, room_id: str) -> Collection[str]:
        """The runs of a room of which anything may be kept, now or later."""
        ...

    async def forget(self, room_id: str, run_ids: Collection[str]) -> None:
        """Drop the events of these runs of a room and keep none of them any more."""
        ...
