"""Records of archive files in SQLite; knows no bytes."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime

import orjson

from memory.errors import NotFound
from memory.file_codec import file_document, with_file, without_file
from memory.file_rules import refuse_more, refuse_put
from memory.preparing import prepare
from memory.protocols import Archive
from memory.records import Entry, File
from memory.retrying import retried
from memory.sqlite.database import Database
from memory.sqlite.entries import content_blob, owned_entry
from memory.sqlite.loose import keep_promise, promise
from memory.sqlite.postings import index_entry
from memory.times import now, to_micros

PAGE = 500

Change = Callable[[sqlite3.Connection, int, Entry], tuple[File, ...]]
"""Writes the record of a file under an entry's number; the entry's files then."""


class SQLiteFiles:
    """The Files protocol on one SQLite file; ``archive`` tells an entry's whole content."""

    def __init__(self, database: Database, archive: Archive) -> None:
        self._database = database
        self._archive = archive

    async def get(self, owner: str, entry_id: str, name: str) -> File:
        _, entry = await self._database.read(lambda one: owned_entry(one, owner, entry_id))
        return _named(entry, name)

    async def promise(self, owner: str, blob: str) -> None:
        await promise(self._database, owner, blob)

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
        def change(connection: sqlite3.Connection, number: int, entry: Entry) -> tuple[File, ...]:
            there = next((one for one in entry.files if one.name == file.name), None)
            refuse_put(there, overwrite=overwrite, if_match=if_match)
            if there is None:
                refuse_more(len(entry.files))
            keep_promise(connection, owner, file.blob)
            _delete(connection, number, file.name)
            connection.execute(
                "INSERT INTO files (entry, name, owner, blob, terms) VALUES (?, ?, ?, ?, ?)",
                (number, file.name, owner, file.blob, terms),
            )
            return with_file(entry.files, file)

        return await self._change(owner, entry_id, change, updated_at)

    async def detach(self, owner: str, entry_id: str, name: str) -> Entry:
        def change(connection: sqlite3.Connection, number: int, entry: Entry) -> tuple[File, ...]:
            _named(entry, name)
            _delete(connection, number, name)
            return without_file(entry.files, name)

        return await self._change(owner, entry_id, change)

    @retried
    async def _change(
        self, owner: str, entry_id: str, change: Change, updated_at: datetime | None = None
    ) -> Entry | None:
        """Change an entry's files and its index, at the version that its terms are made of."""
        before = await self._archive.get(owner, entry_id)
        made = await prepare(before)

        def work(connection: sqlite3.Connection) -> Entry | None:
            number, found = owned_entry(connection, owner, entry_id)
            if found.version != before.version:
                return None
            files = change(connection, number, found)
            moment = updated_at or now()
            after = replace(before, files=files, version=before.version + 1, updated_at=moment)
            _write(connection, number, after)
            index_entry(connection, after, number, made.terms)
            return after

        return await self._database.write(work)

    async def has_blobs(self, owner: str, entry_id: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            number, entry = owned_entry(connection, owner, entry_id)
            return bool(entry.files) or content_blob(connection, number) is not None

        return await self._database.read(work)

    async def loose(self, *, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        rows = await self._database.read(
            lambda connection: connection.execute(
                "SELECT owner, blob FROM loose_blobs WHERE since < ? LIMIT ?",
                (to_micros(before), limit),
            ).fetchall()
        )
        return [(row["owner"], row["blob"]) for row in rows]

    async def settle(self, owner: str, blob: str) -> None:
        await self._database.write(
            lambda connection: connection.execute(
                "DELETE FROM loose_blobs WHERE blob = ? AND owner = ?", (blob, owner)
            )
        )

    async def give_up_content(self, owner: str, entry_id: str, blob: str) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(
                "UPDATE entries SET content_blob = NULL, version = version + 1"
                " WHERE id = ? AND owner = ? AND content_blob = ?",
                (entry_id, owner, blob),
            )
            return changed.rowcount > 0

        return await self._database.write(work)

    async def recorded(self) -> AsyncIterator[tuple[str, str, str]]:
        for query in (_FILES_OF_ALL, _CONTENTS_OF_ALL):
            last: tuple[int, str] | None = (-1, "")
            while last is not None:
                rows = await self._database.read(_page_of(query, last))
                for row in rows:
                    yield row["owner"], row["blob"], row["id"]
                last = (rows[-1]["number"], rows[-1]["name"]) if rows else None


_FILES_OF_ALL = (
    "SELECT files.owner, files.blob, entries.id, number, name FROM files"
    " JOIN entries ON number = entry WHERE (entry, name) > (?, ?) ORDER BY entry, name LIMIT ?"
)
_CONTENTS_OF_ALL = (
    "SELECT owner, content_blob AS blob, id, number, '' AS name FROM entries"
    " WHERE content_blob IS NOT NULL AND (number, '') > (?, ?) ORDER BY number LIMIT ?"
)


def _page_of(
    query: str, last: tuple[int, str]
) -> Callable[[sqlite3.Connection], list[sqlite3.Row]]:
    return lambda connection: connection.execute(query, (*last, PAGE)).fetchall()


def _named(entry: Entry, name: str) -> File:
    found = next((one for one in entry.files if one.name == name), None)
    if found is None:
        raise NotFound.of("file")
    return found


def _delete(connection: sqlite3.Connection, number: int, name: str) -> None:
    connection.execute("DELETE FROM files WHERE entry = ? AND name = ?", (number, name))


def _write(connection: sqlite3.Connection, number: int, entry: Entry) -> None:
    files = orjson.dumps(list(map(file_document, entry.files))).decode()
    connection.execute(
        "UPDATE entries SET files = ?, version = ?, updated_at = ? WHERE number = ?",
        (files, entry.version, to_micros(entry.updated_at), number),
    )
