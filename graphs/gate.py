"""A gate that lets so many through at once, and nobody wait for long."""

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
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            self._places.release()
