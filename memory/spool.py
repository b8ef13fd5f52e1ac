"""A stream that is kept on the disk until all of it is there; a crash leaves nothing of it."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterable, AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TypeVar

from memory.errors import TooLarge, Unavailable
from memory.objects import CHUNK_BYTES

T = TypeVar("T")


class Spool:
    """An unnamed temporary file; leaving the context deletes it.

    ``size`` counts its bytes, ``digest`` is their SHA-256 in hex.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.size = 0
        self.digest = ""

    @classmethod
    async def of(
        cls, chunks: AsyncIterable[bytes], *, max_bytes: int, folder: Path | None = None
    ) -> Self:
        """Everything that comes; TooLarge as soon as it is more than ``max_bytes``.

        It is kept in ``folder`` if that can be written, else where the system has such files.
        """
        spool = cls(await _on_disk(lambda: _nameless(folder)))
        try:
            await spool._fill(chunks, max_bytes)
        except BaseException:
            spool.file.close()
            raise
        return spool

    async def _fill(self, chunks: AsyncIterable[bytes], max_bytes: int) -> None:
        digest, waiting = hashlib.sha256(), bytearray()
        async for chunk in chunks:
            self.size += len(chunk)
            if self.size > max_bytes:
                raise TooLarge(
                    f"A file has at most {max_bytes:,} bytes.", details={"max_bytes": max_bytes}
                )
            digest.update(chunk)
            waiting += chunk
            if len(waiting) >= CHUNK_BYTES:
                await self._write(bytes(waiting))
                waiting.clear()
        await self._write(bytes(waiting))
        self.digest = digest.hexdigest()

    async def _write(self, data: bytes) -> None:
        await _on_disk(lambda: (self.file.write(data), self.file.flush()))

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes from the start; whoever else reads the file is not disturbed."""
        position, number = 0, self.file.fileno()
        while chunk := await asyncio.to_thread(os.pread, number, CHUNK_BYTES, position):
            yield chunk
            position += len(chunk)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.file.close()


def _nameless(folder: Path | None) -> IO[bytes]:
    if folder is not None:
        # A container's own folder for such files is often its memory.
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            return tempfile.TemporaryFile(dir=folder)
    return tempfile.TemporaryFile()


async def _on_disk(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise Unavailable("There is no room for an upload now.") from error
