"""An archive as JSON Lines, and back: one line for each entry, then its files in parts. Pure.

A line is an entry, named as the API names it, or a part of a file of the entry before it:

    {"id": ..., "summary": ..., "category": ..., "content": ..., "source": {...} | null,
     "created_at": ..., "updated_at": ..., "version": 1,
     "files": [{"name": ..., "size": ..., "content_type": ..., "digest": ..., "created_at": ...}]}
    {"file": <name>, "of": <the entry's id>, "at": <offset>, "data": <base64>}

Of an entry, ``summary``, ``category`` and ``content`` are enough.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from memory.archive_rules import check_category, check_content, check_label
from memory.conflicts import too_many_files
from memory.errors import Invalid
from memory.file_rules import MOST_FILES, check_file_name, content_type_of
from memory.keys import new_id
from memory.records import Entry, File, Source
from memory.times import now

LINE_BYTES = 8 * 1024 * 1024
"""No line is longer: a content whose every byte needs six, and the names of all its files."""

PART_BYTES = 192 * 1024
"""Bytes of a file in one line."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,100}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_MOST = 2**53
_SOURCE_CHARACTERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some bytes of a file, from offset ``start`` on."""

    entry: str
    name: str
    start: int
    data: bytes


def entry_line(entry: Entry) -> bytes:
    """One entry without its owner, who is whoever reads it back."""
    source = entry.source
    return _line(
        {
            "id": entry.id,
            "summary": entry.label,
            "category": entry.category,
            "content": entry.content,
            "source": {"room_id": source.room_id, "key": source.key} if source else None,
            "created_at": entry.created_at,
            "updated_at": entry.updated_at,
            "version": entry.version,
            "files": [
                {
                    "name": file.name,
                    "size": file.size,
                    "content_type": file.content_type,
                    "digest": file.digest,
                    "created_at": file.created_at,
                }
                for file in entry.files
            ],
        }
    )


def part_line(part: Part) -> bytes:
    data = base64.b64encode(part.data).decode()
    return _line({"file": part.name, "of": part.entry, "at": part.start, "data": data})


def read_line(line: bytes, owner: str) -> Entry | Part:
    """What a line holds, an entry being ``owner``'s; its files have no blob yet.

    Invalid or TooLarge for what can't be kept, in a sentence that names the field.
    """
    try:
        fields = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise Invalid("It is not JSON.") from error
    if not isinstance(fields, dict):
        raise Invalid("It is not a JSON object.")
    return _part(fields) if "data" in fields else _entry(fields, owner)


def _entry(fields: Mapping[str, Any], owner: str) -> Entry:
    content = check_content(_text(fields, "content"))
    created_at = _moment(fields, "created_at", now())
    return Entry(
        id=_matching(fields, "id", _ID, new_id("entry")),
        owner=owner,
        label=check_label(_text(fields, "summary")),
        category=check_category(_text(fields, "category")),
        content=content,
        size=len(content.encode()),
        source=_source(fields.get("source")),
        created_at=created_at,
        updated_at=_moment(fields, "updated_at", created_at),
        version=_number(fields, "version", 1, least=1),
        files=_files(fields.get("files")),
    )


def _files(given: Any) -> tuple[File, ...]:
    files = tuple(_file(_object("files", one)) for one in _list("files", given))
    if len(files) > MOST_FILES:
        raise too_many_files(MOST_FILES)
    if len({file.name for file in files}) < len(files):
        raise Invalid.field("files", "two of them have the same name")
    return files


def _file(fields: Mapping[str, Any]) -> File:
    return File(
        name=check_file_name(_text(fields, "name")),
        size=_number(fields, "size"),
        content_type=content_type_of(_text(fields, "content_type", "")),
        digest=_matching(fields, "digest", _DIGEST),
        created_at=_moment(fields, "created_at", now()),
        blob="",
    )


def _part(fields: Mapping[str, Any]) -> Part:
    try:
        data = base64.b64decode(_text(fields, "data"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Invalid.field("data", "it is not base64") from error
    return Part(
        entry=_text(fields, "of"),
        name=check_file_name(_text(fields, "file")),
        start=_number(fields, "at"),
        data=data,
    )


def _source(given: Any) -> Source | None:
    if given is None:
        return None
    fields = _object("source", given)
    source = Source(room_id=_text(fields, "room_id"), key=_text(fields, "key"))
    if max(len(source.room_id), len(source.key)) > _SOURCE_CHARACTERS:
        raise Invalid.field("source", "it is too long")
    return source


def _text(fields: Mapping[str, Any], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str):
        raise Invalid.field(name, "it must be a text")
    return value


def _matching(
    fields: Mapping[str, Any], name: str, form: re.Pattern[str], default: str | None = None
) -> str:
    value = _text(fields, name, default)
    if not form.match(value):
        raise Invalid.field(name, "it has not the form of one")
    return value


def _number(
    fields: Mapping[str, Any], name: str, default: int | None = None, *, least: int = 0
) -> int:
    value = fields.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value < _MOST:
        raise Invalid.field(name, f"it must be a whole number from {least} on")
    return value


def _moment(fields: Mapping[str, Any], name: str, default: datetime) -> datetime:
    """A moment in UTC."""
    if name not in fields:
        return default
    try:
        moment = datetime.fromisoformat(_text(fields, name))
        if moment.utcoffset() is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Invalid.field(name, "it must be a time like 2026-01-31T12:00:00Z") from error
    raise Invalid.field(name, "it must say its time zone, like 2026-01-31T12:00:00Z")


def _object(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Invalid.field(name, "it must be an object")
    return value


def _list(name: str, value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise Invalid.field(name, "it must be a list")
    return value


def _line(value: Mapping[str, Any]) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
