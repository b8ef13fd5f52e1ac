"""The index of search terms in SQLite: which entry of which owner holds a term, how much.

In how many entries a term stands is kept behind its newest posting, as that of the entry COUNT: so
a save into a large archive writes one page for each of its terms, not two.
"""

import sqlite3
from collections.abc import Mapping, Sequence

import orjson

from memory.file_terms import with_files
from memory.lexical import EntryTerms, category_terms, lone_characters
from memory.ranking import (
    FEW,
    MOST_PAIRS,
    MOST_TRIED,
    READ_AT_MOST,
    Posting,
    Ranking,
    Statistics,
)
from memory.records import Entry

COUNT = 2**62
"""A number that no entry has."""

_OF_CATEGORY = "SELECT number FROM entries WHERE owner = ? AND category = ?"


def index_entry(
    connection: sqlite3.Connection, entry: Entry, number: int, made: EntryTerms
) -> None:
    """Index an entry under its number by its terms, whatever it was indexed by before.

    The terms of its files stay.
    """
    made = with_files(made, _terms_of_files(connection, number))
    archive = _count(connection, entry.owner, number, made.length)
    before, length = _indexed(connection, number)
    _change(connection, archive, number, before, made.all(), made.length, length != made.length)
    connection.execute(
        "INSERT INTO indexed_entries (entry, length, category, weights) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO UPDATE SET length = excluded.length, category = excluded.category,"
        " weights = excluded.weights",
        (number, made.length, orjson.dumps(made.category), orjson.dumps(made.weights)),
    )


def _terms_of_files(connection: sqlite3.Connection, number: int) -> list[bytes]:
    rows = connection.execute("SELECT terms FROM files WHERE entry = ?", (number,))
    return [row["terms"] for row in rows]


def unindex_entry(connection: sqlite3.Connection, owner: str, number: int) -> None:
    """Take an entry out of the index; a term that nothing holds any more is gone too."""
    archive = _count(connection, owner, number, None)
    _change(connection, archive, number, _indexed(connection, number)[0], {}, 0, True)
    connection.execute("DELETE FROM indexed_entries WHERE entry = ?", (number,))


def _indexed(connection: sqlite3.Connection, number: int) -> tuple[dict[str, int], int | None]:
    """By which terms an entry is indexed and its length then.

    They are kept, not made again from its content: another version of Tomato may have made them.
    """
    row = connection.execute(
        "SELECT weights, category, length FROM indexed_entries WHERE entry = ?", (number,)
    ).fetchone()
    if row is None:
        return {}, None
    return {**orjson.loads(row["weights"]), **orjson.loads(row["category"])}, row["length"]


def _count(connection: sqlite3.Connection, owner: str, number: int, length: int | None) -> int:
    """Bring an archive's totals up to an entry's new length, None if it goes; its number."""
    _, before = _indexed(connection, number)
    entries = (length is not None) - (before is not None)
    archive: int = connection.execute(
        "INSERT INTO archives (owner, entries, length) VALUES (?, ?, ?) ON CONFLICT (owner)"
        " DO UPDATE SET entries = entries + excluded.entries, length = length + excluded.length"
        " RETURNING number",
        (owner, entries, (length or 0) - (before or 0)),
    ).fetchone()["number"]
    return archive


def _change(
    connection: sqlite3.Connection,
    archive: int,
    number: int,
    before: Mapping[str, int],
    after: Mapping[str, int],
    length: int,
    all_differ: bool,
) -> None:
    gone = [(archive, term) for term in sorted(before.keys() - after.keys())]
    new = [(archive, term) for term in sorted(after.keys() - before.keys())]
    written = sorted(t for t in after if all_differ or before.get(t) != after[t])
    connection.executemany(
        "DELETE FROM postings WHERE archive = ? AND term = ? AND entry = ?",
        [(*key, number) for key in gone],
    )
    connection.executemany(
        "INSERT OR REPLACE INTO postings (archive, term, entry, weight, length)"
        " VALUES (?, ?, ?, ?, ?)",
        [(archive, term, number, after[term], length) for term in written],
    )
    _count_terms(connection, [(*key, 1) for key in new] + [(*key, -1) for key in gone])


def _count_terms(connection: sqlite3.Connection, changes: Sequence[tuple[int, str, int]]) -> None:
    connection.executemany(
        "INSERT INTO postings (archive, term, entry, weight, length)"  # noqa: S608 - a constant
        f" VALUES (?, ?, {COUNT}, ?, 0)"
        " ON CONFLICT DO UPDATE SET weight = weight + excluded.weight",
        changes,
    )
    connection.executemany(
        f"DELETE FROM postings WHERE archive = ? AND term = ? AND entry = {COUNT} AND weight <= 0",  # noqa: S608 - a constant
        [(archive, term) for archive, term, by in changes if by < 0],
    )


def rename_category_terms(
    connection: sqlite3.Connection, owner: str, name: str, new_name: str
) -> int:
    """Index the entries of category ``name`` under another; how many there are.

    Done by the database itself: a category may hold most of a large archive.
    """
    archive = _archive(connection, owner)
    numbers = f"({_OF_CATEGORY})"
    held: int = connection.execute(
        f"SELECT count(*) FROM {numbers}",  # noqa: S608 - a fixed text
        (owner, name),
    ).fetchone()[0]
    if archive is None or not held:
        return 0
    old, new = category_terms(name), category_terms(new_name)
    for term in old.keys() - new.keys():
        connection.execute(
            f"DELETE FROM postings WHERE archive = ? AND term = ? AND entry IN {numbers}",  # noqa: S608 - a fixed text
            (archive, term, owner, name),
        )
    for term in new.keys() - old.keys():
        connection.execute(
            "INSERT INTO postings (archive, term, entry, weight, length)"  # noqa: S608 - a fixed text
            f" SELECT ?, ?, entry, ?, length FROM indexed_entries WHERE entry IN {numbers}",
            (archive, term, new[term], owner, name),
        )
    connection.execute(
        f"UPDATE indexed_entries SET category = ? WHERE entry IN {numbers}",  # noqa: S608 - a fixed text
        (orjson.dumps(new), owner, name),
    )
    gained = [(archive, term, held) for term in new.keys() - old.keys()]
    _count_terms(connection, gained + [(archive, term, -held) for term in old.keys() - new.keys()])
    return held


def rank_entries(
    connection: sqlite3.Connection,
    owner: str,
    wanted: Sequence[str],
    *,
    category: str | None = None,
) -> Ranking:
    """Rank the owner's entries, of a category if one is named, that hold wanted terms."""
    row = connection.execute("SELECT * FROM archives WHERE owner = ?", (owner,)).fetchone()
    if row is None or not row["entries"]:
        return Ranking({}, Statistics(0, 0.0))
    archive = row["number"]
    ranking = Ranking(
        _frequencies(connection, archive, wanted),
        Statistics(row["entries"], row["length"] / row["entries"]),
    )
    few = None if category is None else _few(connection, owner, category)
    if few is not None:
        for term in (*ranking.rare, *ranking.common):
            ranking.add(term, _postings_among(connection, archive, term, few))
        return ranking
    for term in ranking.rare:
        # One alone may stand in more entries than are read: then in those of the category.
        within = category if len(ranking.rare) == 1 else None
        ranking.add(term, _newest_postings(connection, archive, term, owner, within))
    if category is not None and len(ranking.rare) > 1:
        ranking.keep(_within(connection, owner, category, ranking.seen()))
    for _ in range(MOST_TRIED if category is not None else 0):
        if (other := ranking.next_common()) is not None:
            ranking.add(other, _newest_postings(connection, archive, other, owner, category))
    candidates = ranking.candidates() if ranking.common else []
    for term in ranking.common:
        ranking.add(term, _postings_among(connection, archive, term, candidates))
    return ranking


def _archive(connection: sqlite3.Connection, owner: str) -> int | None:
    row = connection.execute("SELECT number FROM archives WHERE owner = ?", (owner,)).fetchone()
    return None if row is None else row["number"]


def _frequencies(
    connection: sqlite3.Connection, archive: int, wanted: Sequence[str]
) -> dict[str, int]:
    """In how many entries the wanted terms stand; for lone characters, the pairs with them."""
    counts = f"SELECT term, weight FROM postings WHERE archive = ? AND entry = {COUNT}"  # noqa: S608 - a constant
    rows = connection.execute(
        f"{counts} AND term IN (SELECT value FROM json_each(?))",  # noqa: S608 - a constant
        (archive, orjson.dumps(list(wanted)).decode()),
    ).fetchall()
    if lone := lone_characters(wanted):
        # Counts stand with their postings, all over the file: only those of the found ones.
        held = " OR ".join(["instr(term, ?)"] * len(lone))
        pairs = connection.execute(
            f"{counts} AND term IN (SELECT term FROM postings INDEXED BY terms_of_archives"  # noqa: S608 - fixed texts
            f" WHERE archive = ? AND entry = {COUNT} AND ({held})) ORDER BY weight DESC",
            (archive, archive, *lone),
        ).fetchall()
        for character in lone:
            rows += [row for row in pairs if character in row["term"]][:MOST_PAIRS]
    return {row["term"]: row["weight"] for row in rows}


def _few(connection: sqlite3.Connection, owner: str, category: str) -> list[int] | None:
    """The entries of a category if they are so few that looking up each is the shorter way."""
    rows = connection.execute(
        f"{_OF_CATEGORY} LIMIT ?",
        (owner, category, FEW + 1),
    ).fetchall()
    return [row["number"] for row in rows] if len(rows) <= FEW else None


def _within(
    connection: sqlite3.Connection, owner: str, category: str, entries: Sequence[int]
) -> list[int]:
    """Those of the entries that are of the category."""
    rows = connection.execute(
        f"SELECT value FROM json_each(?) WHERE value IN ({_OF_CATEGORY})",  # noqa: S608 - a fixed text
        (orjson.dumps(list(entries)).decode(), owner, category),
    )
    return [row["value"] for row in rows]


def _newest_postings(
    connection: sqlite3.Connection, archive: int, term: str, owner: str, category: str | None
) -> list[Posting]:
    """Entry, weight and length of a term's newest postings, of a category if one is named."""
    within, of = (f" AND +entry IN ({_OF_CATEGORY})", (owner, category)) if category else ("", ())
    return _tuples(
        connection,
        "SELECT entry, weight, length FROM postings WHERE archive = ? AND term = ?"  # noqa: S608 - fixed texts
        f" AND entry < {COUNT}{within} ORDER BY entry DESC LIMIT ?",
        (archive, term, *of, READ_AT_MOST),
    )


def _postings_among(
    connection: sqlite3.Connection, archive: int, term: str, entries: Sequence[int]
) -> list[Posting]:
    """Entry, weight and length of a term's postings for these entries."""
    return _tuples(
        connection,
        "SELECT entry, weight, length FROM json_each(?) CROSS JOIN postings"
        " ON archive = ? AND term = ? AND entry = value",
        (orjson.dumps(list(entries)).decode(), archive, term),
    )


def _tuples(
    connection: sqlite3.Connection, query: str, values: tuple[object, ...]
) -> list[Posting]:
    cursor = connection.cursor()
    cursor.row_factory = None  # thousands of rows are read: plain tuples take half the time
    return cursor.execute(query, values).fetchall()
