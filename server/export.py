"""All that is kept on a user as a zip, made while it is sent: never whole in memory."""

import io
import zipfile
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import orjson

from memory.accounts import User
from memory.archive_lines import entry_line
from memory.archive_transfer import entries_of
from memory.errors import NotFound
from memory.records import File, Room
from server.resources import Resources

PAGE = 100
PIECE = 64 * 1024


async def export_of(user: User, resources: Resources) -> AsyncIterator[bytes]:
    """The zip's bytes: account.json, usage.json, rooms/*.jsonl, archive.jsonl, files/*/*.

    The archive's lines are those of `tomato archive export`, but for the files, which are members.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as zipped:
        _write(zipped, "account.json", asdict(user))
        days = await resources.usage.days(user.uid, limit=10_000)
        _write(zipped, "usage.json", [asdict(day) for day in days])
        for room_id in await resources.rooms.ids(user.uid):
            room = await resources.rooms.get(user.uid, room_id)
            with zipped.open(f"rooms/{room_id}.jsonl", "w") as member:
                async for line in _room_lines(room, resources):
                    member.write(line)
                    if piece := sink.taken(PIECE):
                        yield piece
        files: list[tuple[str, File]] = []
        with zipped.open("archive.jsonl", "w") as member:
            async for entry in entries_of(resources.archive, user.uid):
                member.write(entry_line(entry))
                files += [(entry.id, file) for file in entry.files]
                if piece := sink.taken(PIECE):
                    yield piece
        for entry_id, file in files:
            chunks = resources.attachments.read(user.uid, file)
            # One that was deleted meanwhile is not in it.
            with zipped.open(f"files/{entry_id}/{file.name}", "w") as member, suppress(NotFound):
                async for chunk in chunks:
                    member.write(chunk)
                    if piece := sink.taken(PIECE):
                        yield piece
    yield sink.taken(0)


async def _room_lines(room: Room, resources: Resources) -> AsyncIterator[bytes]:
    """The room itself, then its messages, oldest first."""
    yield _line(asdict(room))
    after: str | None = None
    while messages := await resources.history.between(room.owner, room.id, after=after, limit=PAGE):
        for message in messages:
            yield _line(asdict(message))
        after = messages[-1].key


def _write(zipped: zipfile.ZipFile, name: str, value: Any) -> None:
    zipped.writestr(name, orjson.dumps(value, option=orjson.OPT_INDENT_2))


def _line(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


class _Sink(io.RawIOBase):
    """Takes what the zip writes, which never goes back, until it is sent on."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._pieces.append(piece)
        self._size += len(piece)
        return len(piece)

    def taken(self, least: int) -> bytes:
        """What has come, if it is at least so much."""
        if self._size < least or not self._pieces:
            return b""
        whole = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return whole
