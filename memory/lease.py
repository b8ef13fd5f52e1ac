"""A lease, which one process holds at a time, and work that ends with it; knows no store."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from memory.errors import StoreError, Unavailable

TRIES = 3
"""How often a lease is renewed in its time."""

log = logging.getLogger(__name__)


class Lease(Protocol):
    """What one holds at a time, for ``seconds`` after it was last taken."""

    seconds: float

    async def take(self) -> bool:
        """Take or renew it; False while another holds it."""
        ...

    async def drop(self) -> None:
        """Let others have it."""
        ...


class LeaseLost(Unavailable):
    """A lease could not be renewed in its time: another may hold it."""


async def taken(lease: Lease) -> bool:
    """Whether the lease is ours now; not while its store is away."""
    try:
        return await lease.take()
    except StoreError as error:
        log.warning("a lease can't be had: %s", error)
        return False


@asynccontextmanager
async def kept(lease: Lease, asked: float) -> AsyncIterator[None]:
    """Renew a lease that is ours since it was ``asked`` for, by the loop's clock; drop it after.

    What is done meanwhile is cancelled, and LeaseLost raised, once it is not ours any more.
    """
    lost = asyncio.timeout_at(asked + lease.seconds)
    try:
        async with lost:
            renewing = asyncio.create_task(_renew(lease, lost))
            try:
                yield
            finally:
                renewing.cancel()
                await asyncio.wait([renewing])  # else it could take what is dropped below
    except TimeoutError as error:
        if not lost.expired():
            raise
        raise LeaseLost("Another process has taken over.") from error
    finally:
        with suppress(StoreError):  # then it ends by itself
            await lease.drop()


@asynccontextmanager
async def held(lease: Lease) -> AsyncIterator[None]:
    """Wait for a lease, keep it to the end; LeaseLost if it is lost meanwhile."""
    loop, delay = asyncio.get_running_loop(), 0.1
    asked = loop.time()
    while not await lease.take():
        await asyncio.sleep(delay)
        delay = min(2 * delay, 2.0)
        asked = loop.time()
    async with kept(lease, asked):
        yield


async def _renew(lease: Lease, lost: asyncio.Timeout) -> None:
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(lease.seconds / TRIES)
        asked = loop.time()
        if await taken(lease) and not lost.expired():
            lost.reschedule(asked + lease.seconds)
