"""The events of one run in memory: appended by one, followed by many; knows no store."""

import asyncio
from bisect import bisect_right
from collections.abc import AsyncIterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from memory.events import DONE, TOKEN
from memory.records import Event

_id = attrgetter("id")


class EventLog:
    """Events with ids that grow from 1; it ends with ``done``, or when it is closed.

    Past ``most`` events what is said is held back and appended as one token before the next event
    of another kind, so that a long answer stays whole and the log bounded.
    """

    def __init__(self, most: int = 20_000) -> None:
        self.events: list[Event] = []
        self.ended = False
        self._most = most
        self._held: list[str] = []
        self._waiting: list[asyncio.Future[None]] = []

    def append(self, name: str, data: Mapping[str, Any]) -> None:
        """Append an event and wake who follows; never waits."""
        if name == TOKEN and len(self.events) >= self._most:
            self._held.append(str(data["text"]))
            return
        if self._held:
            self._add(Event(self.last + 1, TOKEN, {"text": "".join(self._held)}))
            self._held = []
        self._add(Event(self.last + 1, name, data))
        self._wake()

    def extend(self, events: Sequence[Event]) -> None:
        """Append events of another log past the last one here, under their ids."""
        for event in events:
            if event.id > self.last:
                self._add(event)
        self._wake()

    def close(self) -> None:
        """Let everybody who follows go after the last event."""
        self.ended = True
        self._wake()

    @property
    def done(self) -> bool:
        """Whether it has its last event."""
        return bool(self.events) and self.events[-1].name == DONE

    @property
    def last(self) -> int:
        """The id of the last event, 0 before the first."""
        return self.events[-1].id if self.events else 0

    async def past(self, after: int) -> Sequence[Event]:
        """All events past ``after``, as soon as there is one; none if the log has ended."""
        while self.last <= after and not self.ended:
            grown = asyncio.get_running_loop().create_future()
            self._waiting.append(grown)
            await grown
        return self.events[bisect_right(self.events, after, key=_id) :]

    async def follow(self, after: int = 0) -> AsyncIterator[Sequence[Event]]:
        """The events past ``after`` until the log has ended, those that are there together."""
        sent = max(after, 0)
        while fresh := await self.past(sent):
            sent = fresh[-1].id
            yield fresh

    def _add(self, event: Event) -> None:
        self.events.append(event)
        if event.name == DONE:
            self.ended = True

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for grown in waiting:
            if not grown.done():
                grown.set_result(None)
