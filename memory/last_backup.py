"""When the last good backup was made, in a small object that servers can read; makes none."""

import asyncio
import json
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from memory.errors import NotFound, StoreError
from memory.objects import Objects, as_chunks, read_whole

KEY = "backups/last-good.json"
LOOK_SECONDS = 60.0

LATE_AFTER = timedelta(days=2)
"""Twice the time between scheduled backups: one may be under way, or be tried again."""


def made_at(name: str) -> datetime:
    """When a backup was made, by its key; ValueError for what is no backup's."""
    stamp = name.rpartition("/")[2].split(".")[0]
    return datetime.strptime(stamp, "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)


async def noted(store: Objects, name: str) -> None:
    """Write down that a backup was made, and read back as it should be.

    ``store`` is the servers' own, wherever the backup is.
    """
    note = {"key": name, "made_at": made_at(name).isoformat()}
    await store.put(KEY, as_chunks(json.dumps(note).encode()))


async def last_good(store: Objects) -> datetime | None:
    """When the backup was made that was noted last; None if none was."""
    try:
        note = json.loads(await read_whole(store, KEY))
    except NotFound:
        return None
    return datetime.fromisoformat(note["made_at"])


def is_late(last: datetime | None, moment: datetime) -> bool:
    """Whether, at a moment, the last good backup is missing or too old."""
    return last is None or moment - last > LATE_AFTER


class LastGood:
    """``last_good``, asked at most once a minute; while the store is away, what was known."""

    def __init__(self, store: Objects) -> None:
        self._store = store
        self._known: datetime | None = None
        self._until = 0.0
        self._looking = asyncio.Lock()

    async def made_at(self) -> datetime | None:
        """When the last good backup was made, as far as is known."""
        async with self._looking:
            if time.monotonic() >= self._until:
                with suppress(StoreError, ValueError):  # whether the store is away is told apart
                    self._known = await last_good(self._store)
                self._until = time.monotonic() + LOOK_SECONDS
        return self._known
