"""Makes a backup each day at a time, catches up on missed ones and lets old ones go."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime

from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

from memory import backups
from memory.errors import StoreError
from memory.last_backup import made_at
from memory.objects import Objects
from memory.retention import Keep, kept

FIRST_WAIT, LONGEST_WAIT = 60.0, 3600.0
LOOK_SECONDS = 60.0
"""How long it sleeps at most: a clock that was set or a machine that slept is noticed."""

log = logging.getLogger(__name__)

Note = Callable[[str], Awaitable[None]]


def due_at(at: str, last_good: datetime | None, now: datetime) -> datetime:
    """When the next is due, ``now`` or earlier if one was missed; ``at`` as in the settings."""
    if last_good is None:
        return now
    time, _, zone = at.partition(" ")
    hour, minute = time.split(":")
    trigger = CronTrigger(hour=hour, minute=minute, timezone=zone or "UTC")
    following: datetime = trigger.get_next_fire_time(None, last_good)
    return following


async def schedule(
    store: Objects,
    make: Callable[[], Awaitable[str]],
    *,
    at: str,
    keep: Keep,
    key: str | None = None,
    note: Note | None = None,
) -> None:
    """Go on until cancelled; ``make`` gives the key of a backup that was read back.

    ``note`` is told of the one that was good at the start. What fails is tried again.
    """
    last_good, wait = await _last_good(store, key, note), FIRST_WAIT
    while True:
        now = datetime.now(UTC)
        left = (due_at(at, last_good, now) - now).total_seconds()
        if left > 0:
            await asyncio.sleep(min(left, LOOK_SECONDS))
            continue
        try:
            last_good, wait = made_at(await make()), FIRST_WAIT
            await thin_out(store, keep)
        except (StoreError, OSError) as error:
            log.error("the backup failed, next try in %d s: %s", wait, error)
            await asyncio.sleep(wait)
            wait = min(wait * 2, LONGEST_WAIT)


async def thin_out(store: Objects, keep: Keep) -> None:
    """Delete the backups that ``keep`` does not."""
    times: dict[str, datetime] = {}
    for one in await backups.listed(store):
        with suppress(ValueError):  # what is none of ours stays
            times[one.key] = made_at(one.key)
    stay = kept(times.values(), keep, datetime.now(UTC))
    for key, time in times.items():
        if time not in stay:
            await store.delete(key)


async def _last_good(store: Objects, key: str | None, note: Note | None) -> datetime | None:
    try:
        name = await backups.latest(store)
        await backups.verify(store, name, key)
        if note is not None:
            await note(name)
        return made_at(name)
    except (StoreError, ValueError):
        return None
