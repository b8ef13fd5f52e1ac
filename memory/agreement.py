"""Whether records and objects agree: no record without its bytes, no bytes without a record.

A crash leaves loose blobs, which a sweep deletes. What is found here comes from outside: a bucket
that lost objects, a database or a bucket that was restored alone.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from memory.attachments import Attachments
from memory.blobs import Blobs
from memory.errors import NotFound
from memory.files import Files
from memory.protocols import Archive
from memory.records import Entry
from memory.times import now

SETTLED_AFTER = timedelta(hours=1)
"""Younger blobs may belong to what is being saved."""

CUT = "\n[...]"
"""Ends a content of which only the beginning is left."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A record whose bytes are not there: of a file, or of an entry's content."""

    owner: str
    entry: str
    blob: str


@dataclass(frozen=True, slots=True)
class Orphan:
    """Bytes that no record names."""

    owner: str
    blob: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Compares and mends the files and contents of everyone."""

    archive: Archive
    files: Files
    blobs: Blobs
    attachments: Attachments

    async def differences(self) -> AsyncIterator[Missing | Orphan]:
        """What doesn't agree. Objects are listed first, so that what comes meanwhile is known."""
        settled = now() - SETTLED_AFTER
        there = {(owner, one.key): one async for owner, one in self.blobs.everything()}
        named = set()
        async for owner, blob, entry in self.files.recorded():
            named.add((owner, blob))
            if (owner, blob) not in there and await self._is_missing(owner, blob):
                yield Missing(owner, entry, blob)
        for (owner, blob), one in there.items():
            if (owner, blob) not in named and one.modified_at < settled:
                yield Orphan(owner, blob)

    async def _is_missing(self, owner: str, blob: str) -> bool:
        try:
            await self.blobs.stat(owner, blob)
        except NotFound:
            return True
        return False

    async def mend(self, found: Missing | Orphan) -> str:
        """Make an end of a difference; what was done, in a sentence."""
        if isinstance(found, Orphan):
            await self.blobs.delete(found.owner, found.blob)
            return "deleted bytes that no record names"
        if await self.files.give_up_content(found.owner, found.entry, found.blob):
            return await self._keep_beginning(found)
        entry = await self.archive.get(found.owner, found.entry)
        return await self._drop_file(entry, found.blob)

    async def _drop_file(self, entry: Entry, blob: str) -> str:
        for file in entry.files:
            if file.blob == blob:
                await self.files.detach(entry.owner, entry.id, file.name)
        await self.attachments.sweep()
        return f"took a file without bytes off {entry.id}"

    async def _keep_beginning(self, found: Missing) -> str:
        entry = await self.archive.get(found.owner, found.entry)
        await self.archive.update(found.owner, found.entry, content=entry.content + CUT)
        await self.attachments.sweep()
        return f"cut {found.entry} to the beginning of its content, which is all that is left"
