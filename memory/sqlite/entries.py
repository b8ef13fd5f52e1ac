"""How archive entries stand in SQLite rows and back; knows one connection, no search."""

import sqlite3
from collections.abc import Sequence

import orjson

from memory.conflicts import duplicate
from memory.contents import Placed
from memory.errors import Conflict, NotFound
from memory.file_codec import file_from
from memory.preparing import Prepared
from memory.records import Category, Entry, Source
from memory.sqlite.loose import keep_promise
from memory.sqlite.postings import index_entry
from memory.times import from_micros, to_micros

WITHOUT_CONTENT = (
    "number, id, owner, category, label, '' AS content, fingerprint, size, source_room, source_key,"
    " created_at, updated_at, version, files, content_blob"
)


def entry_from(row: sqlite3.Row) -> Entry:
    source = None
    if row["source_room"] is not None:
        source = Source(room_id=row["source_room"], key=row["source_key"])
    return Entry(
        id=row["id"],
        owner=row["owner"],
        category=row["category"],
        label=row["label"],
        # Of a large content the row has but the beginning.
        content="" if row["content_blob"] else row["content"],
        size=row["size"],
        source=source,
        created_at=from_micros(row["created_at"]),
        updated_at=from_micros(row["updated_at"]),
        version=row["version"],
        files=tuple(map(file_from, orjson.loads(row["files"]))),
    )


def owned_entry(connection: sqlite3.Connection, owner: str, entry_id: str) -> tuple[int, Entry]:
    """The owner's entry with its number; NotFound otherwise."""
    row = connection.execute(
        "SELECT * FROM entries WHERE id = ? AND owner = ?", (entry_id, owner)
    ).fetchone()
    if row is None:
        raise NotFound.of("entry")
    return row["number"], entry_from(row)


def content_blob(connection: sqlite3.Connection, number: int) -> str | None:
    """The blob that an entry's content is in, None if it stands in the row."""
    blob: str | None = connection.execute(
        "SELECT content_blob FROM entries WHERE number = ?", (number,)
    ).fetchone()["content_blob"]
    return blob


def rows_by_number(
    connection: sqlite3.Connection, numbers: Sequence[int], *, content: bool
) -> list[sqlite3.Row]:
    """The rows of these entries, in this order."""
    columns = "*" if content else WITHOUT_CONTENT
    query = f"SELECT {columns} FROM entries WHERE number = ?"  # noqa: S608 - two fixed texts
    return [connection.execute(query, (number,)).fetchone() for number in numbers]


def insert_entry(
    connection: sqlite3.Connection, entry: Entry, made: Prepared, placed: Placed
) -> None:
    """Keep and index a new entry; Conflict ``duplicate`` if its content is there."""
    _refuse_duplicate(connection, entry.owner, made.fingerprint, but=None)
    if connection.execute("SELECT 1 FROM entries WHERE id = ?", (entry.id,)).fetchone():
        raise Conflict("There is an entry of this id.", code="entry_exists")
    number = connection.execute(
        "INSERT INTO entries (id, owner, category, label, fingerprint, size, source_room,"
        " source_key, created_at, updated_at, version, content, content_blob)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            entry.id,
            entry.owner,
            entry.category,
            entry.label,
            made.fingerprint,
            entry.size,
            entry.source.room_id if entry.source else None,
            entry.source.key if entry.source else None,
            to_micros(entry.created_at),
            to_micros(entry.updated_at),
            entry.version,
            placed.row,
            placed.blob,
        ),
    ).lastrowid
    if placed.blob is not None:
        keep_promise(connection, entry.owner, placed.blob)
    index_entry(connection, entry, int(number or 0), made.terms)


def replace_entry(
    connection: sqlite3.Connection,
    number: int,
    entry: Entry,
    made: Prepared,
    placed: Placed | None,
) -> None:
    """Write and index the next version of an entry; Conflict ``duplicate`` as for a new one.

    ``placed`` is None for a content that stays where it is.
    """
    _refuse_duplicate(connection, entry.owner, made.fingerprint, but=entry.id)
    connection.execute(
        "UPDATE entries SET label = ?, category = ?, fingerprint = ?, size = ?,"
        " updated_at = ?, version = ? WHERE number = ?",
        (
            entry.label,
            entry.category,
            made.fingerprint,
            entry.size,
            to_micros(entry.updated_at),
            entry.version,
            number,
        ),
    )
    if placed is not None:
        _replace_content(connection, number, entry.owner, placed)
    index_entry(connection, entry, number, made.terms)


def _replace_content(
    connection: sqlite3.Connection, number: int, owner: str, placed: Placed
) -> None:
    connection.execute(
        "UPDATE entries SET content = ?, content_blob = ? WHERE number = ?",
        (placed.row, placed.blob, number),
    )
    if placed.blob is not None:
        keep_promise(connection, owner, placed.blob)


def _refuse_duplicate(
    connection: sqlite3.Connection, owner: str, fingerprint: str, *, but: str | None
) -> None:
    row = connection.execute(
        "SELECT id FROM entries WHERE owner = ? AND fingerprint = ?", (owner, fingerprint)
    ).fetchone()
    if row is not None and row["id"] != but:
        raise duplicate(row["id"])


def category_counts(connection: sqlite3.Connection, owner: str) -> list[Category]:
    """The owner's categories, the fullest first."""
    rows = connection.execute(
        "SELECT category, count(*) AS held FROM entries WHERE owner = ? GROUP BY category"
        " ORDER BY held DESC, category",
        (owner,),
    )
    return [Category(name=row["category"], count=row["held"]) for row in rows]
