"""Lets one backup scheduler work at a time, over all machines; knows no backup."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from memory.lease import TRIES, Lease, LeaseLost, kept, taken
from server.data_folder import held
from server.settings import Settings

NAME = "backup-scheduler"

log = logging.getLogger(__name__)

Work = Callable[[], Awaitable[None]]


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
        if not await taken(lease):
            if not told:
                log.warning("another process makes the backups, or may; this one stands by")
            told = True
            await asyncio.sleep(lease.seconds / TRIES)
            continue
        told = False
        try:
            async with kept(lease, asked):
                return await work()
        except LeaseLost:
            log.error("the lease for making backups was lost, and what was under way is given up")
