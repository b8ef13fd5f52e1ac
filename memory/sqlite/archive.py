"""A person's archive in SQLite, with its own index of search terms."""

import asyncio
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from memory.archive_rules import (
    DIGEST_CATEGORIES,
    DIGEST_LABELS,
    LARGE_BYTES,
    LEAST_OVERLAP,
    NEAR_CANDIDATES,
    NEAR_TERMS,
    changed_entry,
    check_category,
    check_query,
    digest_text,
    fingerprint,
    new_entry,
    refuse_stale,
)
from memory.cursors import decode_cursor, encode_cursor
from memory.errors import Conflict, NotFound
from memory.lexical import (
    EntryTerms,
    entry_terms,
    matched_words,
    overlap,
    query_terms,
    sample_terms,
)
from memory.records import Category, Entry, Found, Near, Page, Source
from memory.sqlite.database import Database
from memory.sqlite.postings import (
    best_entries,
    index_entry,
    rename_category_terms,
    unindex_entry,
)
from memory.times import from_micros, now, to_micros

_WITHOUT_CONTENT = (
    "number, id, owner, category, label, '' AS content, size, source_room, source_key,"
    " created_at, updated_at, version"
)


class SQLiteArchive:
    """The Archive protocol on one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(
        self, owner: str, *, label: str, category: str, content: str, source: Source | None = None
    ) -> Entry:
        entry = new_entry(owner, label=label, category=category, content=content, source=source)
        made, same = await _prepared(entry)

        def work(connection: sqlite3.Connection) -> Entry:
            _refuse_duplicate(connection, owner, same, but=None)
            number = connection.execute(
                "INSERT INTO entries (id, owner, category, label, fingerprint, size, source_room,"
                " source_key, created_at, updated_at, version, content)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?)",
                (
                    entry.id,
                    owner,
                    entry.category,
                    entry.label,
                    same,
                    entry.size,
                    source.room_id if source else None,
                    source.key if source else None,
                    to_micros(entry.created_at),
                    to_micros(entry.updated_at),
                    content,
                ),
            ).lastrowid
            index_entry(connection, entry, int(number or 0), made)
            return entry

        return await self._database.write(work)

    async def get(self, owner: str, entry_id: str) -> Entry:
        return await self._database.read(lambda connection: _owned(connection, owner, entry_id)[1])

    async def update(
        self,
        owner: str,
        entry_id: str,
        *,
        label: str | None = None,
        category: str | None = None,
        content: str | None = None,
        if_version: int | None = None,
    ) -> Entry:
        before = await self.get(owner, entry_id)
        refuse_stale(before, if_version)
        after = changed_entry(before, label=label, category=category, content=content)
        made, same = await _prepared(after)

        def work(connection: sqlite3.Connection) -> Entry | None:
            number, found = _owned(connection, owner, entry_id)
            if found.version != before.version:
                return None
            _refuse_duplicate(connection, owner, same, but=entry_id)
            connection.execute(
                "UPDATE entries SET label = ?, category = ?, content = ?, fingerprint = ?,"
                " size = ?, updated_at = ?, version = ? WHERE number = ?",
                (
                    after.label,
                    after.category,
                    after.content,
                    same,
                    after.size,
                    to_micros(after.updated_at),
                    after.version,
                    number,
                ),
            )
            index_entry(connection, after, number, made)
            return after

        changed = await self._database.write(work)
        if changed is not None:
            return changed
        # Changed between: what is asked for still holds, unless for the version before only.
        return await self.update(
            owner, entry_id, label=label, category=category, content=content, if_version=if_version
        )

    async def delete(self, owner: str, entry_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            number, _ = _owned(connection, owner, entry_id)
            unindex_entry(connection, owner, number)
            connection.execute("DELETE FROM entries WHERE number = ?", (number,))

        await self._database.write(work)

    async def page(
        self, owner: str, *, category: str | None = None, limit: int, cursor: str | None = None
    ) -> Page[Entry]:
        before: tuple[Any, ...] = (2**62, 2**62)
        if cursor is not None:
            before = decode_cursor(cursor, int, int)

        def work(connection: sqlite3.Connection) -> list[tuple[int, Entry]]:
            within = "" if category is None else " AND category = ?"
            rows = connection.execute(
                f"SELECT {_WITHOUT_CONTENT} FROM entries WHERE owner = ?{within}"  # noqa: S608 - two fixed texts
                " AND (created_at, number) < (?, ?) ORDER BY created_at DESC, number DESC LIMIT ?",
                (owner, *([] if category is None else [category]), *before, limit + 1),
            )
            return [(row["number"], _entry_from(row)) for row in rows]

        found = await self._database.read(work)
        entries = [entry for _, entry in found[:limit]]
        if len(found) <= limit:
            return Page(entries)
        number, last = found[limit - 1]
        return Page(entries, encode_cursor(to_micros(last.created_at), number))

    async def search(
        self,
        owner: str,
        query: str,
        *,
        category: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[Found]:
        check_query(query)
        skip = int(decode_cursor(cursor, int)[0]) if cursor is not None else 0
        wanted = query_terms(query)

        def work(connection: sqlite3.Connection) -> tuple[list[Found], bool]:
            best = best_entries(connection, owner, wanted, category=category)
            shown = best[skip : skip + limit]
            return [
                Found(
                    entry=_by_number(connection, owner, one.entry, content=False),
                    score=round(one.score, 4),
                    matched=matched_words(query, one.found),
                )
                for one in shown
            ], len(best) > skip + limit

        found, more = await self._database.read(work)
        return Page(found, encode_cursor(skip + limit) if more else None)

    async def near(self, owner: str, content: str, *, limit: int = 5) -> Sequence[Near]:
        said, same = sample_terms(content), fingerprint(content)

        def work(connection: sqlite3.Connection) -> list[Near]:
            best = best_entries(connection, owner, list(said)[:NEAR_TERMS])
            numbers = [one.entry for one in best[:NEAR_CANDIDATES]]
            known = connection.execute(
                "SELECT number FROM entries WHERE owner = ? AND fingerprint = ?", (owner, same)
            ).fetchone()
            if known is not None and known["number"] not in numbers:
                numbers.append(known["number"])
            found = [
                _nearness(_by_number(connection, owner, number), said, same) for number in numbers
            ]
            return [near for near in found if near.exact or near.overlap >= LEAST_OVERLAP]

        found = await self._database.read(work)
        return sorted(found, key=lambda near: (not near.exact, -near.overlap))[:limit]

    async def categories(self, owner: str) -> Sequence[Category]:
        return await self._database.read(lambda connection: _categories(connection, owner))

    async def rename_category(self, owner: str, name: str, new_name: str) -> int:
        kept = check_category(new_name)

        def work(connection: sqlite3.Connection) -> int:
            held = rename_category_terms(connection, owner, name, kept)
            if not held:
                raise NotFound.of("category")
            if kept == name:
                return held
            connection.execute(
                "UPDATE entries SET category = ?, version = version + 1, updated_at = ?"
                " WHERE owner = ? AND category = ?",
                (kept, to_micros(now()), owner, name),
            )
            return held

        return await self._database.write(work)

    async def digest(self, owner: str, *, max_tokens: int) -> str:
        def work(connection: sqlite3.Connection) -> tuple[list[Category], list[Entry]]:
            newest = connection.execute(
                f"SELECT {_WITHOUT_CONTENT} FROM entries WHERE owner = ?"  # noqa: S608 - a fixed text
                " ORDER BY created_at DESC, number DESC LIMIT ?",
                (owner, DIGEST_LABELS),
            )
            entries = [_entry_from(row) for row in newest]
            return _categories(connection, owner)[:DIGEST_CATEGORIES], entries

        return digest_text(*await self._database.read(work), max_tokens=max_tokens)


async def _prepared(entry: Entry) -> tuple[EntryTerms, str]:
    """An entry's terms and fingerprint; of a large one made on a thread of its own."""

    def prepare() -> tuple[EntryTerms, str]:
        made = entry_terms(entry.label, entry.category, entry.content)
        return made, fingerprint(entry.content)

    return await asyncio.to_thread(prepare) if entry.size > LARGE_BYTES else prepare()


def _owned(connection: sqlite3.Connection, owner: str, entry_id: str) -> tuple[int, Entry]:
    row = connection.execute(
        "SELECT * FROM entries WHERE id = ? AND owner = ?", (entry_id, owner)
    ).fetchone()
    if row is None:
        raise NotFound.of("entry")
    return row["number"], _entry_from(row)


def _by_number(
    connection: sqlite3.Connection, owner: str, number: int, *, content: bool = True
) -> Entry:
    columns = "*" if content else _WITHOUT_CONTENT
    row = connection.execute(
        f"SELECT {columns} FROM entries WHERE number = ? AND owner = ?",  # noqa: S608 - two fixed texts
        (number, owner),
    ).fetchone()
    return _entry_from(row)


def _entry_from(row: sqlite3.Row) -> Entry:
    source = None
    if row["source_room"] is not None:
        source = Source(room_id=row["source_room"], key=row["source_key"])
    return Entry(
        id=row["id"],
        owner=row["owner"],
        category=row["category"],
        label=row["label"],
        content=row["content"],
        size=row["size"],
        source=source,
        created_at=from_micros(row["created_at"]),
        updated_at=from_micros(row["updated_at"]),
        version=row["version"],
    )


def _refuse_duplicate(
    connection: sqlite3.Connection, owner: str, same: str, *, but: str | None
) -> None:
    row = connection.execute(
        "SELECT id FROM entries WHERE owner = ? AND fingerprint = ?", (owner, same)
    ).fetchone()
    if row is not None and row["id"] != but:
        raise Conflict(
            "This content is in the archive already.", code="duplicate", details={"id": row["id"]}
        )


def _nearness(entry: Entry, said: Collection[str], same: str) -> Near:
    exact = fingerprint(entry.content) == same
    return Near(
        entry=entry,
        exact=exact,
        overlap=1.0 if exact else overlap(said, sample_terms(entry.content)),
    )


def _categories(connection: sqlite3.Connection, owner: str) -> list[Category]:
    rows = connection.execute(
        "SELECT category, count(*) AS held FROM entries WHERE owner = ? GROUP BY category"
        " ORDER BY held DESC, category",
        (owner,),
    )
    return [Category(name=row["category"], count=row["held"]) for row in rows]
