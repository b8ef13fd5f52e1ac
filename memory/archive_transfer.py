"""Takes an owner's archive out as lines, and lines into an archive; one line at a time in memory.

Nothing that is in an archive is changed by what comes in: it is added, there already, or refused.
"""

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from memory.archive_lines import PART_BYTES, Part, entry_line, part_line, read_line
from memory.attachments import Attachments
from memory.errors import Conflict, Invalid, NotFound, StoreError, TooLarge, Unavailable
from memory.keys import new_id
from memory.protocols import Archive
from memory.records import Entry, File

PAGE = 100

Lines = AsyncIterator[bytes | None]
"""Lines as they are; None for one that is too long."""

Refused = Callable[[int, str], None]
"""Told the number of a line, from 1 on, and why it was refused."""


@dataclass(slots=True)
class Tally:
    """How many came in, were there already, and were refused."""

    added: int = 0
    same: int = 0
    refused: int = 0

    def __str__(self) -> str:
        return f"{self.added} added, {self.same} there already, {self.refused} refused"


@dataclass(slots=True)
class Counts:
    """What became of an import; ``lines`` counts those that are neither entry nor file."""

    entries: Tally = field(default_factory=Tally)
    files: Tally = field(default_factory=Tally)
    lines: int = 0

    @property
    def refused(self) -> int:
        return self.entries.refused + self.files.refused + self.lines


async def entries_of(archive: Archive, owner: str) -> AsyncIterator[Entry]:
    """Every entry, whole, in the order in which an import makes the same archive of them."""
    cursor: str | None = None
    while True:
        page = await archive.page(owner, limit=PAGE, cursor=cursor, oldest_first=True)
        for item in page.items:
            try:
                entry = await archive.get(owner, item.id)
            except NotFound:
                continue  # deleted meanwhile
            yield entry
        cursor = page.next_cursor
        if cursor is None:
            return


async def lines_of(
    archive: Archive, attachments: Attachments, owner: str, missing: Callable[[Entry, File], None]
) -> AsyncIterator[bytes]:
    """The whole archive; ``missing`` is told of files whose bytes are not there."""
    async for entry in entries_of(archive, owner):
        yield entry_line(entry)
        for file in entry.files:
            try:
                async for line in _lines_of_file(attachments, owner, entry, file):
                    yield line
            except NotFound:
                missing(entry, file)


async def _lines_of_file(
    attachments: Attachments, owner: str, entry: Entry, file: File
) -> AsyncIterator[bytes]:
    """At least one line: an empty file is one too."""
    waiting, start = bytearray(), 0
    async for chunk in attachments.read(owner, file):
        waiting += chunk
        while len(waiting) > PART_BYTES:
            data = bytes(waiting[:PART_BYTES])
            yield part_line(Part(entry=entry.id, name=file.name, start=start, data=data))
            del waiting[:PART_BYTES]
            start += PART_BYTES
    yield part_line(Part(entry=entry.id, name=file.name, start=start, data=bytes(waiting)))


class Import:
    """Adds what lines hold to an owner's archive. An interrupted one is simply done again.

    An entry keeps its id unless somebody's has it. One whose id or content is there with the same
    content is left alone, but gets the files that it lacks.
    """

    def __init__(
        self, archive: Archive, attachments: Attachments, owner: str, refused: Refused
    ) -> None:
        self._archive = archive
        self._attachments = attachments
        self._owner = owner
        self._tell = refused
        self.counts = Counts()

    async def take(self, lines: Lines) -> None:
        """Unavailable if the store goes away; what came before it stays."""
        reader = _Reader(lines, self._owner)
        while (found := await reader.next()) is not None:
            if isinstance(found, Entry):
                await self._entry(reader, found)
            else:
                self._refuse_line(reader, found)

    async def _entry(self, reader: "_Reader", entry: Entry) -> None:
        number, kept, added = reader.number, None, False
        try:
            kept, added = await self._kept(entry)
        except Unavailable:
            raise
        except StoreError as error:
            self._tell(number, str(error))
        tally = self.counts.entries
        tally.added += added
        tally.same += kept is not None and not added
        tally.refused += kept is None
        await self._files(reader, number, entry, kept, added)

    async def _kept(self, entry: Entry) -> tuple[Entry, bool]:
        """The entry as it is in the archive, and whether it came just now."""
        try:
            there = await self._archive.get(self._owner, entry.id)
        except NotFound:
            return await self._added(entry)
        if there.content != entry.content:
            raise Conflict(f"The archive has {entry.id} with another content.")
        return there, False

    async def _added(self, entry: Entry) -> tuple[Entry, bool]:
        # Each of its files will take it to its next version.
        early = replace(entry, version=max(1, entry.version - len(entry.files)))
        try:
            return await self._archive.add(early), True
        except Conflict as error:
            if error.code == "entry_exists":
                return await self._archive.add(replace(early, id=new_id("entry"))), True
            if "id" not in error.details:
                raise
            there = await self._archive.get(self._owner, str(error.details["id"]))
        if there.content != entry.content:
            raise Conflict(f"But for spacing, case or punctuation, {there.id} is the same.")
        return there, False

    async def _files(
        self, reader: "_Reader", number: int, entry: Entry, kept: Entry | None, added: bool
    ) -> None:
        """Everything up to the next entry."""
        waiting = {file.name: file for file in entry.files}
        while (found := await reader.next_but_entry()) is not None:
            if not isinstance(found, Part) or found.entry != entry.id:
                self._refuse_line(reader, found)
                continue
            if found.start > 0:
                continue  # the rest of a file that was refused, or is there
            file = waiting.pop(found.name, None)
            if file is None:
                self._refuse_line(reader, found)
            elif kept is None:
                self.counts.files.refused += 1
            else:
                await self._file(reader, found, kept, file, entry if added else None)
        for name in waiting:
            self.counts.files.refused += 1
            if kept is not None:
                self._tell(number, f"The bytes of its file {name!r} do not follow.")

    async def _file(
        self, reader: "_Reader", part: Part, kept: Entry, file: File, new: Entry | None
    ) -> None:
        number = reader.number
        there = next((one for one in kept.files if one.name == file.name), None)
        if there is not None and there.digest == file.digest:
            self.counts.files.same += 1
            return
        try:
            await self._attachments.put(
                self._owner,
                kept.id,
                file.name,
                _bytes(reader, part, file),
                content_type=file.content_type,
                created_at=file.created_at,
                updated_at=new.updated_at if new else None,
            )
            self.counts.files.added += 1
        except Unavailable:
            raise
        except StoreError as error:
            self.counts.files.refused += 1
            self._tell(number, f"file {file.name!r}: {error}")

    def _refuse_line(self, reader: "_Reader", found: Part | StoreError) -> None:
        self.counts.lines += 1
        why = "It is of no file of the entry before it." if isinstance(found, Part) else str(found)
        self._tell(reader.number, why)


async def _bytes(reader: "_Reader", part: Part, file: File) -> AsyncIterator[bytes]:
    """The bytes of a file from its first part on; Invalid unless they are those that it names."""
    digest, end = hashlib.sha256(part.data), len(part.data)
    yield part.data
    while end < file.size:
        more = await reader.next_part(part.entry, part.name, end)
        if more is None or not more.data:
            raise Invalid(f"its bytes from {end} on do not follow")
        digest.update(more.data)
        end += len(more.data)
        yield more.data
    if end != file.size or digest.hexdigest() != file.digest:
        raise Invalid("its bytes are not those of its digest")


class _Reader:
    """Lines as what they hold, with one looked at ahead; ``number`` is that of the last one."""

    def __init__(self, lines: Lines, owner: str) -> None:
        self._lines = lines
        self._owner = owner
        self._read = 0
        self._ahead: Entry | Part | StoreError | None = None
        self.number = 0

    async def next(self) -> Entry | Part | StoreError | None:
        found = await self._peek()
        self._ahead, self.number = None, self._read
        return found

    async def next_but_entry(self) -> Part | StoreError | None:
        if isinstance(await self._peek(), Entry):
            return None
        found = await self.next()
        return None if isinstance(found, Entry) else found

    async def next_part(self, entry: str, name: str, start: int) -> Part | None:
        """The part of a file that follows, if it does."""
        found = await self._peek()
        if not isinstance(found, Part) or (found.entry, found.name, found.start) != (
            entry,
            name,
            start,
        ):
            return None
        await self.next()
        return found

    async def _peek(self) -> Entry | Part | StoreError | None:
        while self._ahead is None:
            try:
                line = await anext(self._lines)
            except StopAsyncIteration:
                return None
            self._read += 1
            if line is None:
                self._ahead = TooLarge("It is too long.")
            elif line.strip():
                self._ahead = self._parsed(line)
        return self._ahead

    def _parsed(self, line: bytes) -> Entry | Part | StoreError:
        try:
            return read_line(line, self._owner)
        except StoreError as error:
            return error
