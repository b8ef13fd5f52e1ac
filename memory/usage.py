"""What each user's turns cost, counted by day in UTC; knows no store."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

from memory.errors import StoreError
from memory.records import Usage

TOLD_SECONDS = 0.2
"""How long counts wait for those of other turns; a crash loses as much."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsage:
    """One user's day: turns that ended, and the tokens that the models counted for them."""

    day: date
    turns: int
    usage: Usage

    @property
    def tokens(self) -> int:
        return self.usage.input_tokens + self.usage.output_tokens

    def __add__(self, other: "DayUsage") -> "DayUsage":
        return replace(self, turns=self.turns + other.turns, usage=self.usage + other.usage)


Counted = tuple[str, DayUsage]
"""An owner, and what is to be added to their day."""


class UsageRecords(Protocol):
    """Counters by owner and day; deleting messages does not give their tokens back."""

    async def add(self, counts: Collection[Counted]) -> None:
        """Count these, of each owner and day at most one."""
        ...

    async def day(self, owner: str, day: date) -> DayUsage:
        """One day, of zeros if nothing was counted."""
        ...

    async def days(self, owner: str, *, limit: int) -> Sequence[DayUsage]:
        """The newest days with a turn, newest first."""
        ...

    async def delete_all(self, owner: str) -> None: ...


class GatheredUsage:
    """The UsageRecords protocol over another's, told of the turns of a moment in one go.

    What this process counted is there for whoever reads here; other processes see it a moment
    later. What can't be told is lost: no turn fails for its count.
    """

    def __init__(self, records: UsageRecords) -> None:
        self._records = records
        self._counted: dict[tuple[str, date], DayUsage] = {}
        self._telling: asyncio.Task[None] | None = None
        self._order = asyncio.Lock()  # who reads waits for what is just being told

    async def add(self, counts: Collection[Counted]) -> None:
        for owner, more in counts:
            before = self._counted.get((owner, more.day))
            self._counted[owner, more.day] = more if before is None else before + more
        if self._telling is None or self._telling.done():
            self._telling = asyncio.create_task(self._tell_soon())

    async def day(self, owner: str, day: date) -> DayUsage:
        await self._tell()
        return await self._records.day(owner, day)

    async def days(self, owner: str, *, limit: int) -> Sequence[DayUsage]:
        await self._tell()
        return await self._records.days(owner, limit=limit)

    async def delete_all(self, owner: str) -> None:
        # Another process may still have counts of turns that ended a moment ago.
        await asyncio.sleep(2 * TOLD_SECONDS)
        await self._tell()
        await self._records.delete_all(owner)

    async def close(self) -> None:
        """Tell what was counted."""
        if self._telling is not None:
            await self._telling

    async def _tell_soon(self) -> None:
        while self._counted:
            await asyncio.sleep(TOLD_SECONDS)
            await self._tell()

    async def _tell(self) -> None:
        async with self._order:
            counts, self._counted = self._counted, {}
            if not counts:
                return
            told = [(owner, counted) for (owner, _), counted in counts.items()]
            try:
                await self._records.add(told)
            except StoreError as error:
                _log.warning("usage not counted", extra={"code": error.code, "days": len(counts)})
