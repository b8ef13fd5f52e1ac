"""Lets one backup scheduler work at a time, over all machines; knows no backup."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from memory.errors import StoreError
from server.data_folder import held
from server.settings import Settings

NAME = "backup-scheduler"
TRIES = 3
"""How often a lease is renewed in its time."""

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]


class Lease(Protocol):
    """What one holds at a time, for ``seconds`` after it was last taken."""

    seconds: float

    async def take(self) -> bool:
        """Take or renew it; False while another holds it."""
        ...

    async def drop(self) -> None:
        """Let others have it."""
        ...


async def alone(settings: Settings, work: Work) -> None:
    """Do ``work`` in no two processes at once.

    On SQLite a second process is refused: Conflict ``data_in_use``. On MongoDB it waits until the
    first one has ended, or was not heard of for a minute.
    """
    if settings.mongodb_url is None:
        with held(settings.data / NAME):
            await work()
        return
    from memory.mongo.lease import MongoLease
    from memory.mongo.schema import open_mongo

    async with open_mongo(settings.mongodb_url.get_secret_value()) as database:
        await while_held(MongoLease(database, NAME), work)


async def while_held(lease: Lease, work: Work) -> None:
    """Do ``work`` once the lease is ours, end it when it is not any more, and wait again."""
    loop, told = asyncio.get_running_loop(), False
    while True:
        asked = loop.time()
        if not await _taken(lease):
            if not told:
                log.warning("another process makes the backups, or may; this one stands by")
            told = True
            await asyncio.sleep(lease.seconds / TRIES)
            continue
        told = False
        lost = asyncio.timeout_at(asked + lease.seconds)
        try:
            async with lost:
                renewing = asyncio.create_task(_renew(lease, lost))
                try:
                    return await work()
                finally:
                    renewing.cancel()
                    await asyncio.wait([renewing])  # else it could take what is dropped below
        except TimeoutError:
            if not lost.expired():
                raise
            log.error("the lease for making backups was lost, and what was under way is given up")
        finally:
            with suppress(StoreError):  # then it ends by itself
                await lease.drop()


async def _renew(lease: Lease, lost: asyncio.Timeout) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(lease.seconds / TRIES)
        asked = loop.time()
        if await _taken(lease) and not lost.expired():
            lost.reschedule(asked + lease.seconds)


async def _taken(lease: Lease) -> bool:
    try:
        return await lease.take()
    except StoreError as error:
        log.warning("the lease for making backups can't be had: %s", error)
        return False
