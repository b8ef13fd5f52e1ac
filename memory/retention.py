"""Which backups to keep, by their times; deletes nothing and knows no store."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

MONTH_DAYS = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """For how many days, weeks and months back one backup of each is kept."""

    days: int = 7
    weeks: int = 4
    months: int = 6

    @classmethod
    def parse(cls, text: str) -> "Keep":
        """From ``7d 4w 6m``, in this order, parts may be left out; ValueError if it is not that."""
        found = re.fullmatch(r"(?:(\d{1,4})d)?\s*(?:(\d{1,4})w)?\s*(?:(\d{1,4})m)?", text.strip())
        if not found or not any(int(part or 0) for part in found.groups()):
            raise ValueError("it must be like '7d 4w 6m': days, weeks and months")
        days, weeks, months = (int(part or 0) for part in found.groups())
        return cls(days=days, weeks=weeks, months=months)

    @property
    def longest(self) -> timedelta:
        """The age that no backup but the newest outlives, once the next one is made."""
        return timedelta(days=max(self.days, self.weeks * 7, self.months * MONTH_DAYS))

    def gone_by(self, deleted_at: datetime) -> datetime:
        """When the last backup that was made before then will be gone: one is made each day."""
        return deleted_at + self.longest + timedelta(days=1)


def kept(times: Iterable[datetime], keep: Keep, now: datetime) -> frozenset[datetime]:
    """The times of the backups to keep: the newest of all, and of each period in reach."""
    known = sorted(set(times))
    chosen = set(known[-1:])
    rules: tuple[tuple[int, Callable[[datetime], object]], ...] = (
        (keep.days, datetime.date),
        (keep.weeks * 7, lambda time: time.isocalendar()[:2]),
        (keep.months * MONTH_DAYS, lambda time: (time.year, time.month)),
    )
    for days, period in rules:
        in_reach = [time for time in known if now - time <= timedelta(days=days)]
        chosen.update({period(time): time for time in in_reach}.values() if days else ())
    return frozenset(chosen)
