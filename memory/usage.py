"""What each user's turns cost, counted by day in UTC; knows no store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from memory.records import Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsage:
    """One user's day: turns that ended, and the tokens that the models counted for them."""

    day: date
    turns: int
    usage: Usage

    @property
    def tokens(self) -> int:
        return self.usage.input_tokens + self.usage.output_tokens


class UsageRecords(Protocol):
    """Counters by owner and day; deleting messages does not give their tokens back."""

    async def add(self, owner: str, day: date, usage: Usage) -> None:
        """Count one more turn."""
        ...

    async def day(self, owner: str, day: date) -> DayUsage:
        """One day, of zeros if nothing was counted."""
        ...

    async def days(self, owner: str, *, limit: int) -> Sequence[DayUsage]:
        """The newest days with a turn, newest first."""
        ...

    async def delete_all(self, owner: str) -> None: ...
