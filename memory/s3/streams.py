"""An asynchronous stream as a file that a thread reads; knows no S3."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from concurrent.futures import Future


class ChunkReader(io.BufferedIOBase):
    """The chunks of ``rest``, read on a thread beside their ``loop``.

    ``failure`` is what the chunks raised, if they did; ``size`` counts what was read.
    """

    def __init__(self, rest: AsyncIterator[bytes], loop: asyncio.AbstractEventLoop) -> None:
        self.size = 0
        self.failure: BaseException | None = None
        self._left = b""
        self._rest = rest
        self._loop = loop
        self._waiting: Future[bytes | None] | None = None
        self._broken = threading.Event()

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        parts = []
        wanted = -1 if size is None else size
        while wanted != 0 and (part := self._some(wanted)):
            parts.append(part)
            wanted -= len(part) if wanted > 0 else 0
        read = b"".join(parts)
        self.size += len(read)
        return read

    def _some(self, most: int) -> bytes:
        while not self._left:
            chunk = self._next()
            if chunk is None:
                return b""
            self._left = chunk
        part = self._left if most < 0 else self._left[:most]
        self._left = self._left[len(part) :]
        return part

    def _next(self) -> bytes | None:
        if self._broken.is_set():
            raise OSError("nobody waits for this stream any more")
        self._waiting = asyncio.run_coroutine_threadsafe(self._chunk(), self._loop)
        # Broken off between the look and the wait, which nothing else would end.
        if self._broken.is_set():
            self._waiting.cancel()
        try:
            return self._waiting.result()
        except BaseException as error:
            self.failure = error
            raise OSError("the stream broke off") from error

    async def _chunk(self) -> bytes | None:
        return await anext(self._rest, None)

    def break_off(self) -> None:
        """Make reads fail, now and from now on; called on the loop's thread."""
        self._broken.set()
        if self._waiting is not None:
            self._waiting.cancel()
