"""A semaphore that bounds the wait.

A few are inside at once, and whoever has waited too long enters anyway.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Gate:
    """``width`` may be inside at once; who has waited for ``patience`` seconds goes in anyway."""

    def __init__(self, width: int, *, patience: float) -> None:
        self._places = asyncio.Semaphore(width)
        self._patience = patience

    @asynccontextmanager
    async def passed(self) -> AsyncIterator[None]:
        """A place inside, in the order of coming."""
        has_place = await self._place()
        try:
            yield
        finally:
            if has_place:
                self._places.release()

    async def _place(self) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                return await self._places.acquire()
        except TimeoutError:
            return False
