"""Files as plain values that rows and documents keep, and back. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from memory.records import File
from memory.times import from_micros, to_micros


def file_document(file: File) -> dict[str, Any]:
    return asdict(file) | {"created_at": to_micros(file.created_at)}


def file_from(document: Mapping[str, Any]) -> File:
    return File(
        name=document["name"],
        size=document["size"],
        content_type=document["content_type"],
        digest=document["digest"],
        created_at=from_micros(document["created_at"]),
        blob=document["blob"],
        searchable=bool(document["searchable"]),
    )


def with_file(files: Sequence[File], file: File) -> tuple[File, ...]:
    """The files by name, one of them new or in the place of its namesake."""
    kept = {one.name: one for one in files} | {file.name: file}
    return tuple(kept[name] for name in sorted(kept))


def without_file(files: Sequence[File], name: str) -> tuple[File, ...]:
    return tuple(one for one in files if one.name != name)
