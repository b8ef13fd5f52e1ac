"""The files of archive entries as their records are kept; the bytes are blobs, kept elsewhere.

A blob that no record names, because it is still being written or because its record has gone, is
*loose*: noted as such in the same transaction, so that no crash leaves bytes that nobody knows of.
A record never names a blob that is not whole.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Protocol

from memory.records import Entry, File


class Files(Protocol):
    """Records of files, under their entries; NotFound ``entry_not_found``, ``file_not_found``."""

    async def get(self, owner: str, entry_id: str, name: str) -> File: ...

    async def promise(self, owner: str, blob: str) -> None:
        """Note a loose blob before its first byte is written."""
        ...

    async def attach(
        self,
        owner: str,
        entry_id: str,
        file: File,
        terms: bytes,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
        updated_at: datetime | None = None,
    ) -> Entry:
        """Make a promised blob a file of the entry, found by ``terms``; the entry's next version.

        Its time is ``updated_at``, or now. What it replaces becomes loose. Conflict ``file_exists``
        or ``too_many_files``, Stale as file_rules says; Unavailable if the promise was given up:
        then nothing changes.
        """
        ...

    async def detach(self, owner: str, entry_id: str, name: str) -> Entry:
        """Take a file off its entry; its blob becomes loose."""
        ...

    async def has_blobs(self, owner: str, entry_id: str) -> bool:
        """Whether anything of the entry, a file or a large content, is not in its record."""
        ...

    async def loose(self, *, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        """Owners and blobs: those promised before that, and all that lost their record."""
        ...

    async def settle(self, owner: str, blob: str) -> None:
        """Forget a loose blob, whose bytes are gone."""
        ...

    async def give_up_content(self, owner: str, entry_id: str, blob: str) -> bool:
        """Keep only the beginning of a content whose blob is lost.

        False if ``blob`` is not the entry's content.
        """
        ...

    def recorded(self) -> AsyncIterator[tuple[str, str, str]]:
        """Owner, blob and entry of every record, of everyone: for the operator's check."""
        ...
