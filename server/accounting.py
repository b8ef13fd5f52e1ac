"""Tokens by user and day: counted when a turn ends, and the day's limit before one begins."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any

from memory.events import MESSAGE
from memory.records import Run, Status, Usage
from memory.runs import Emit, Work
from memory.times import now
from memory.usage import DayUsage, UsageRecords
from server.errors import APIError


class Accounting:
    """``daily_tokens`` is how many tokens one user may spend a day in UTC; None for no limit."""

    def __init__(self, records: UsageRecords, daily_tokens: int | None) -> None:
        self._records = records
        self.daily_tokens = daily_tokens

    async def admit(self, owner: str) -> None:
        """Raises APIError 429 ``quota`` once the day's tokens are spent."""
        if self.daily_tokens is None:
            return
        moment = now()
        spent = await self._records.day(owner, moment.date())
        if spent.tokens >= self.daily_tokens:
            raise APIError(
                429,
                "quota",
                "Today's tokens are spent; there are new ones after midnight (UTC).",
                details={"daily_tokens": self.daily_tokens, "spent": spent.tokens},
                headers={"Retry-After": str(_seconds_left(moment))},
            )

    def counted(self, run: Run, work: Work) -> Work:
        """``work``, its tokens put to its owner's account."""

        async def count(emit: Emit) -> Status:
            spent = Usage()

            def heard(name: str, data: Mapping[str, Any]) -> None:
                nonlocal spent
                if name == MESSAGE and data["usage"]:
                    spent = spent + Usage(**data["usage"])
                emit(name, data)

            status = await work(heard)
            turn = DayUsage(day=now().date(), turns=1, usage=spent)
            await self._records.add([(run.owner, turn)])
            return status

        return count


def _seconds_left(moment: datetime) -> int:
    """Seconds until the next day in UTC."""
    midnight = datetime.combine(moment.date() + timedelta(days=1), time(), UTC)
    return math.ceil((midnight - moment).total_seconds())
