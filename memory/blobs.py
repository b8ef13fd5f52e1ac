"""The bytes that belong to people: what each owner keeps in object storage, and nothing of others.

An owner's blobs stand under ``blobs/<owner>/``, so that all of an owner's can be listed and
deleted at once. A blob is never written twice: each has a key of its own.
"""

import re
import secrets
from collections.abc import AsyncIterable, AsyncIterator

from memory.errors import Invalid
from memory.objects import Objects, StoredObject

PREFIX = "blobs/"

_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,99}\Z")


class Blobs:
    """An owner's blobs by key; NotFound ``object_not_found``, Unavailable while storage is away."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects

    async def put(self, owner: str, key: str, chunks: AsyncIterable[bytes]) -> int:
        """Keep the chunks, all or nothing; how many bytes they were."""
        return await self._objects.put(_place(owner, key), chunks)

    def get(
        self, owner: str, key: str, *, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes, or ``length`` of them from ``start``."""
        return self._objects.get(_place(owner, key), start=start, length=length)

    async def stat(self, owner: str, key: str) -> StoredObject:
        return await self._objects.stat(_place(owner, key))

    async def delete(self, owner: str, key: str) -> None:
        """Nothing happens if it is gone."""
        await self._objects.delete(_place(owner, key))

    async def delete_all(self, owner: str) -> int:
        """Delete every blob of an owner; how many there were."""
        prefix = _place(owner, "")
        gone = 0
        # A list that shrinks under its reader may skip some: read on until nothing is there.
        while keys := [one.key async for one in self._objects.list(prefix)]:
            for key in keys:
                await self._objects.delete(key)
            gone += len(keys)
        return gone

    async def list(self, owner: str) -> AsyncIterator[StoredObject]:
        """Every blob of an owner, each under its key here."""
        prefix = _place(owner, "")
        async for one in self._objects.list(prefix):
            yield StoredObject(
                key=one.key.removeprefix(prefix), size=one.size, modified_at=one.modified_at
            )

    async def everything(self) -> AsyncIterator[tuple[str, StoredObject]]:
        """Every owner's blobs with their owner: for the operator's eyes, not for a person's."""
        async for one in self._objects.list(PREFIX):
            owner, _, key = one.key.removeprefix(PREFIX).partition("/")
            yield owner, StoredObject(key=key, size=one.size, modified_at=one.modified_at)

    async def check(self) -> None:
        """Raise Unavailable while object storage is away."""
        await self._objects.check()


def new_blob_key() -> str:
    """A key that nothing has had and nobody can guess."""
    return secrets.token_hex(16)


def _place(owner: str, key: str) -> str:
    if not _PLAIN.match(owner):
        raise Invalid.field("owner", "it is no owner of blobs")
    return f"{PREFIX}{owner}/{key}"
