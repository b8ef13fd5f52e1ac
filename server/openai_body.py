"""The body of a model's streamed answer, read over aiohttp as it comes; knows no LangChain."""

import asyncio
from collections.abc import Iterable

import aiohttp

from server.openai_events import Batch, Event, EventReader, merged

GATHER_SECONDS = 0.05
"""How long words may wait for those that come after them: 20 times a second is fluent."""


class StreamedBody:
    """The body of an answer as it comes; ``spoken`` once it has said a word."""

    def __init__(self, content: aiohttp.StreamReader, url: str) -> None:
        self._content = content
        self._reader = EventReader(url)
        self._batch = Batch()
        self._slow = False
        self.spoken = False

    async def read(self) -> Iterable[Event] | None:
        """The events of the next read up to ``[DONE]``, neighbours made one; None at the end.

        Raises the error that one may be, after those before it. The first words are handed on as
        they come; later ones may wait for each other.
        """
        before = self._batch
        if before.failure is not None:
            raise before.failure
        if before.done or self.spoken:
            await self._gather()  # also: only what was read to its end is used again
        if before.done:
            return None
        data = await self._next()
        self._batch = self._reader.read(data) if data else self._reader.end()
        self._batch.done |= not data
        events, self._batch.events = self._batch.events, []
        return merged(events)

    async def _next(self) -> bytes:
        """What has come by now, at least something; nothing at the end."""
        try:
            return await self._content.readany()
        except aiohttp.ClientError:
            left = self._left()
            if left:
                return left
            raise

    def _left(self) -> bytes:
        """What came before the connection broke, which the reader hides behind the error."""
        held, start = self._content._buffer, self._content._buffer_offset
        left = b"".join(held)[start:]
        held.clear()
        self._content._buffer_offset = 0
        return left

    async def _gather(self) -> None:
        """Let more come, for a moment or to the end.

        If the answer was not complete after one wait, later waits only sleep: asking each time
        costs more than handling the words.
        """
        if self._slow and not self._batch.done:
            await asyncio.sleep(GATHER_SECONDS)
            return
        try:
            async with asyncio.timeout(GATHER_SECONDS):
                await self._content.wait_eof()
        except TimeoutError:
            self._slow = True
        except aiohttp.ClientError:
            pass
