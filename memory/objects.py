"""Bytes under keys, as a folder or an S3 service keeps them; knows no owner and no record.

A key is a path of plain parts, such as ``blobs/user_1/0f3a``: nothing that a person wrote.
"""

import re
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from memory.errors import Invalid

CHUNK_BYTES = 256 * 1024
"""How much of an object is in memory at a time while it is read."""

KEY_CHARACTERS = 500

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=-]{0,199}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """What is known of an object without its bytes."""

    key: str
    size: int
    modified_at: datetime


class Objects(Protocol):
    """A store of objects. All raise Unavailable while it is away, Invalid for a bad key."""

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        """Keep the chunks in place of what was under the key; how many bytes they were.

        All of it is kept at return; if anything is raised, by the chunks too, what was there
        before still is, and nothing else.
        """
        ...

    def get(self, key: str, *, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes, or ``length`` of them from ``start``; NotFound before the first one."""
        ...

    async def stat(self, key: str) -> StoredObject:
        """NotFound ``object_not_found`` if it is not there."""
        ...

    async def delete(self, key: str) -> None:
        """Delete the object; no error if there is none."""
        ...

    def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        """The objects whose keys begin with ``prefix``, in no order; read page by page."""
        ...

    async def check(self) -> None:
        """Raise Unavailable while objects can't be stored."""
        ...


def check_key(key: str) -> str:
    """The key, if it is one; Invalid otherwise."""
    if len(key) > KEY_CHARACTERS or not all(map(_PART.match, key.split("/"))):
        raise Invalid.field("key", "it must be a path of letters, digits and ._=-")
    return key


async def read_whole(objects: Objects, key: str) -> bytes:
    """A small object at once."""
    return b"".join([chunk async for chunk in objects.get(key)])


async def as_chunks(data: bytes) -> AsyncIterator[bytes]:
    """Bytes that are in memory, as ``put`` takes them."""
    for start in range(0, len(data), CHUNK_BYTES):
        yield data[start : start + CHUNK_BYTES]
