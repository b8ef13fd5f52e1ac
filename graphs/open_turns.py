"""Turns that are open although nobody works on them any more: whoever meets one closes it."""

from memory.errors import Conflict, NotFound
from memory.protocols import History, RunRecords
from memory.runs import Runs


class OpenTurns:
    """Tells turns that are being answered from those that were left open."""

    def __init__(self, *, history: History, records: RunRecords, runs: Runs) -> None:
        self._history = history
        self._records = records
        self._runs = runs

    async def closed(self, owner: str, conflict: Conflict) -> bool:
        """Whether what was refused may be tried again: a turn in its way, left open, is closed."""
        if conflict.code != "room_busy":
            return False
        try:
            left = await self._records.get(owner, str(conflict.details["run_id"]))
        except NotFound:
            return True  # it has ended a moment ago, or was refused itself
        if await self._runs.alive(left):
            return False
        return await self._history.abandon(left)
