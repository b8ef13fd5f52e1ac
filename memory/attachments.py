"""Files of archive entries, records and bytes together; knows no HTTP and no store.

In this order a reader never meets a record without its bytes, and bytes without a record are
known as loose: promise a blob, write it, record it; take the record, delete the blob.
"""

import asyncio
import logging
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

from memory.blobs import Blobs, new_blob_key
from memory.errors import StoreError, Unavailable
from memory.extraction import Extract
from memory.file_rules import check_file_name, content_type_of, refuse_more, refuse_put
from memory.file_terms import file_terms
from memory.files import Files
from memory.protocols import Archive
from memory.records import Entry, File
from memory.spool import Spool
from memory.times import now

log = logging.getLogger("tomato.memory")

UPLOAD_TIME = timedelta(hours=1)
"""After how long a promised blob that has no record is given up."""

SWEPT_AT_ONCE = 100


class Attachments:
    """An owner's files by entry and name; Unavailable, and nothing done, while storage is away."""

    def __init__(
        self,
        archive: Archive,
        files: Files,
        blobs: Blobs,
        *,
        extract: Extract,
        max_bytes: int,
        uploads: Path | None = None,
    ) -> None:
        self._archive = archive
        self._files = files
        self._blobs = blobs
        self._extract = extract
        self._max_bytes = max_bytes
        self._uploads = uploads

    async def put(
        self,
        owner: str,
        entry_id: str,
        name: str,
        chunks: AsyncIterable[bytes],
        *,
        content_type: str | None = None,
        overwrite: bool = False,
        if_match: str | None = None,
        created_at: datetime | None = None,
        updated_at: datetime | None = None,
    ) -> Entry:
        """Keep a file; the entry with it. What can be refused is, before the first byte is read.

        A file from elsewhere has been there since ``created_at``, in an entry last changed at
        ``updated_at``.
        Invalid ``filename``, NotFound, Conflict ``file_exists`` or ``too_many_files``, Stale as
        ``if_match`` says, TooLarge: then nothing is kept.
        """
        name = check_file_name(name)
        before = await self._archive.get(owner, entry_id)
        there = next((one for one in before.files if one.name == name), None)
        refuse_put(there, overwrite=overwrite, if_match=if_match)
        if there is None:
            refuse_more(len(before.files))
        keeping = Spool.of(chunks, max_bytes=self._max_bytes, folder=self._uploads)
        with await keeping as spool:
            text = await self._extract(spool.file)
            file = File(
                name=name,
                size=spool.size,
                content_type=content_type_of(content_type),
                digest=spool.digest,
                created_at=created_at or now(),
                blob=new_blob_key(),
                searchable=text is not None,
            )
            terms = await asyncio.to_thread(file_terms, name, text)
            await self._files.promise(owner, file.blob)
            await self._blobs.put(owner, file.blob, spool.chunks())
        try:
            entry = await self._files.attach(
                owner,
                entry_id,
                file,
                terms,
                overwrite=overwrite,
                if_match=if_match,
                updated_at=updated_at,
            )
        except StoreError:
            await self._let_go(owner, file.blob)
            raise
        if there is not None:
            await self.sweep_if_possible()
        return entry

    async def get(self, owner: str, entry_id: str, name: str) -> File:
        return await self._files.get(owner, entry_id, check_file_name(name))

    def read(
        self, owner: str, file: File, *, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        return self._blobs.get(owner, file.blob, start=start, length=length)

    async def delete(self, owner: str, entry_id: str, name: str) -> None:
        """Delete a file and its bytes."""
        await self.get(owner, entry_id, name)
        await self._blobs.check()  # better refused than half done
        await self._files.detach(owner, entry_id, check_file_name(name))
        await self.sweep()

    async def sweep(self) -> int:
        """Delete the bytes of blobs without a record, as far as they can't get one; how many."""
        swept = 0
        while found := await self._files.loose(before=now() - UPLOAD_TIME, limit=SWEPT_AT_ONCE):
            for owner, blob in found:
                await self._blobs.delete(owner, blob)
                await self._files.settle(owner, blob)
            swept += len(found)
        return swept

    async def sweep_if_possible(self) -> None:
        """As ``sweep``; while storage is away the bytes stay loose for a later one."""
        try:
            await self.sweep()
        except Unavailable:
            log.warning("deleted bytes stay until object storage answers again", exc_info=True)

    async def refuse_unreachable(self, owner: str, entry_id: str) -> None:
        """Unavailable if the entry has bytes where nothing can be deleted now."""
        if await self._files.has_blobs(owner, entry_id):
            await self._blobs.check()

    async def _let_go(self, owner: str, blob: str) -> None:
        try:
            await self._blobs.delete(owner, blob)
            await self._files.settle(owner, blob)
        except Unavailable:
            return  # a later sweep finds it
