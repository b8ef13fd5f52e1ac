"""A person's archive in SQLite, with its own index of search terms."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from memory.archive_rules import (
    DIGEST_CATEGORIES,
    DIGEST_LABELS,
    NEAR_CANDIDATES,
    NEAR_TERMS,
    changed_entry,
    check_category,
    check_query,
    digest_text,
    fingerprint,
    nearest,
    nearness,
    new_entry,
    refuse_stale,
)
from memory.contents import Contents, placed, whole
from memory.cursors import decode_cursor, encode_cursor
from memory.errors import NotFound
from memory.lexical import (
    matched_words,
    query_terms,
    sample_terms,
)
from memory.preparing import prepare
from memory.records import Category, Entry, Found, Near, Page, Source
from memory.retrying import retried
from memory.sqlite.database import Database
from memory.sqlite.entries import (
    WITHOUT_CONTENT,
    category_counts,
    content_blob,
    entry_from,
    insert_entry,
    owned_entry,
    replace_entry,
    rows_by_number,
)
from memory.sqlite.postings import rank_entries, rename_category_terms, unindex_entry
from memory.times import now, to_micros


class SQLiteArchive:
    """The Archive protocol on one SQLite file; large contents stand in ``contents``, if given."""

    def __init__(self, database: Database, contents: Contents | None = None) -> None:
        self._database = database
        self._contents = contents

    async def save(
        self, owner: str, *, label: str, category: str, content: str, source: Source | None = None
    ) -> Entry:
        return await self.add(
            new_entry(owner, label=label, category=category, content=content, source=source)
        )

    async def add(self, entry: Entry) -> Entry:
        made = await prepare(entry)

        def work(connection: sqlite3.Connection) -> Entry:
            insert_entry(connection, entry, made, place)
            return replace(entry, files=())

        async with placed(self._contents, entry.owner, entry.content) as place:
            return await self._database.write(work)

    async def get(self, owner: str, entry_id: str) -> Entry:
        entry, blob = await self._read(owner, entry_id)
        if blob is None:
            return entry
        content = await whole(self._contents, owner, blob, last=False)
        if content is None:  # replaced between the two: the next has its blob
            entry, blob = await self._read(owner, entry_id)
            content = blob and await whole(self._contents, owner, blob, last=True)
        return entry if content is None else replace(entry, content=content)

    async def _read(self, owner: str, entry_id: str) -> tuple[Entry, str | None]:
        """An entry, and the blob of its content if that is large."""

        def work(connection: sqlite3.Connection) -> tuple[Entry, str | None]:
            number, entry = owned_entry(connection, owner, entry_id)
            return entry, content_blob(connection, number)

        return await self._database.read(work)

    @retried
    async def update(
        self,
        owner: str,
        entry_id: str,
        *,
        label: str | None = None,
        category: str | None = None,
        content: str | None = None,
        if_version: int | None = None,
    ) -> Entry | None:
        before = await self.get(owner, entry_id)
        refuse_stale(before, if_version)
        after = changed_entry(before, label=label, category=category, content=content)
        made = await prepare(after)

        def work(connection: sqlite3.Connection) -> Entry | None:
            number, found = owned_entry(connection, owner, entry_id)
            if found.version != before.version:
                return None
            replace_entry(connection, number, after, made, place)
            return after

        place = None
        if after.content != before.content:
            async with placed(self._contents, owner, after.content) as place:
                return await self._database.write(work)
        return await self._database.write(work)

    async def delete(self, owner: str, entry_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            number, _ = owned_entry(connection, owner, entry_id)
            unindex_entry(connection, owner, number)
            connection.execute("DELETE FROM entries WHERE number = ?", (number,))

        await self._database.write(work)

    async def page(
        self,
        owner: str,
        *,
        category: str | None = None,
        limit: int,
        cursor: str | None = None,
        oldest_first: bool = False,
    ) -> Page[Entry]:
        order, beyond = ("ASC", ">") if oldest_first else ("DESC", "<")
        last: tuple[Any, ...] = (-(2**62), 0) if oldest_first else (2**62, 2**62)
        if cursor is not None:
            last = decode_cursor(cursor, int, int)

        def work(connection: sqlite3.Connection) -> list[tuple[int, Entry]]:
            within = "" if category is None else " AND category = ?"
            rows = connection.execute(
                f"SELECT {WITHOUT_CONTENT} FROM entries WHERE owner = ?{within}"  # noqa: S608 - fixed texts
                f" AND (created_at, number) {beyond} (?, ?)"
                f" ORDER BY created_at {order}, number {order} LIMIT ?",
                (owner, *([] if category is None else [category]), *last, limit + 1),
            )
            return [(row["number"], entry_from(row)) for row in rows]

        found = await self._database.read(work)
        entries = [entry for _, entry in found[:limit]]
        if len(found) <= limit:
            return Page(entries)
        number, entry = found[limit - 1]
        return Page(entries, encode_cursor(to_micros(entry.created_at), number))

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
            ranking = rank_entries(connection, owner, wanted, category=category)
            best = ranking.best()
            shown = best[skip : skip + limit]
            found_in = ranking.found_in(one.entry for one in shown)
            rows = rows_by_number(connection, list(found_in), content=False)
            found = [
                Found(
                    entry=entry_from(row),
                    score=round(one.score, 4),
                    matched=matched_words(query, found_in[one.entry]),
                )
                for one, row in zip(shown, rows, strict=True)
            ]
            return found, len(best) > skip + limit

        found, more = await self._database.read(work)
        return Page(found, encode_cursor(skip + limit) if more else None)

    async def near(self, owner: str, content: str, *, limit: int = 5) -> Sequence[Near]:
        def work(connection: sqlite3.Connection) -> list[Near]:
            said, same = sample_terms(content), fingerprint(content)
            best = rank_entries(connection, owner, list(said)[:NEAR_TERMS]).best()
            known = connection.execute(
                "SELECT number FROM entries WHERE owner = ? AND fingerprint = ?", (owner, same)
            )
            numbers = {row["number"]: None for row in known}
            numbers |= dict.fromkeys(one.entry for one in best[:NEAR_CANDIDATES])
            rows = rows_by_number(connection, list(numbers), content=True)
            return [
                nearness(entry_from(row), row["content"], said, exact=row["fingerprint"] == same)
                for row in rows
            ]

        return nearest(await self._database.read(work), limit)

    async def categories(self, owner: str) -> Sequence[Category]:
        return await self._database.read(lambda connection: category_counts(connection, owner))

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
                f"SELECT {WITHOUT_CONTENT} FROM entries WHERE owner = ?"  # noqa: S608 - a fixed text
                " ORDER BY created_at DESC, number DESC LIMIT ?",
                (owner, DIGEST_LABELS),
            )
            entries = [entry_from(row) for row in newest]
            return category_counts(connection, owner)[:DIGEST_CATEGORIES], entries

        return digest_text(*await self._database.read(work), max_tokens=max_tokens)
