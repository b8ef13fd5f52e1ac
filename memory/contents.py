"""Where the content of an archive entry stands: in its row, or from a size on in a blob.

The row of a large one keeps its beginning, which is what texts are compared by.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from memory.blobs import Blobs, new_blob_key
from memory.errors import StoreError, Unavailable
from memory.lexical import SAMPLE_CHARACTERS
from memory.objects import as_chunks

ROW_BYTES = 64 * 1024
"""Up to how many bytes a content stands in its row."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What of a content its row keeps, and the blob that has all of it if that isn't all."""

    row: str
    blob: str | None = None


class Contents:
    """Large contents as blobs of their owner.

    A blob is promised before it is written, and its record keeps the promise: see memory.files.
    """

    def __init__(self, blobs: Blobs, promise: Callable[[str, str], Awaitable[None]]) -> None:
        self._blobs = blobs
        self._promise = promise

    async def place(self, owner: str, content: str) -> Placed:
        """Write a large content to a new blob."""
        if len(content) * 4 <= ROW_BYTES:
            return Placed(content)
        data = content.encode()
        if len(data) <= ROW_BYTES:
            return Placed(content)
        blob = new_blob_key()
        await self._promise(owner, blob)
        await self._blobs.put(owner, blob, as_chunks(data))
        return Placed(content[:SAMPLE_CHARACTERS], blob)

    async def let_go(self, owner: str, blob: str) -> None:
        """Delete a blob that nothing records; a later sweep does if it can't be done now."""
        with suppress(Unavailable):
            await self._blobs.delete(owner, blob)

    async def whole(self, owner: str, blob: str) -> str:
        """NotFound ``object_not_found`` if another content has taken its place."""
        return b"".join([chunk async for chunk in self._blobs.get(owner, blob)]).decode()


@asynccontextmanager
async def placed(contents: Contents | None, owner: str, content: str) -> AsyncIterator[Placed]:
    """Where a content stands; in its row where there is no place for large ones.

    What is then not recorded is deleted again.
    """
    place = Placed(content) if contents is None else await contents.place(owner, content)
    try:
        yield place
    except StoreError:
        if contents is not None and place.blob is not None:
            await contents.let_go(owner, place.blob)
        raise


async def whole(contents: Contents | None, owner: str, blob: str, *, last: bool) -> str | None:
    """A content that is in a blob, None if it has just been replaced and it isn't the ``last`` try.

    Raises Unavailable if its blob is missing.
    """
    try:
        if contents is not None:
            return await contents.whole(owner, blob)
    except StoreError as error:
        if error.code != "object_not_found":
            raise
    if last:
        raise Unavailable("The content of this entry is missing. `tomato doctor` tells more.")
    return None
