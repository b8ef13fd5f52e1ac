"""The index of search terms in SQLite: which entry of which owner holds a term, how much."""

import sqlite3
from collections.abc import Sequence

import orjson

from memory.lexical import entry_terms, is_single
from memory.ranking import (
    FEW,
    MOST_PAIRS,
    MOST_SINGLES,
    READ_AT_MOST,
    Ranking,
    Scored,
    Statistics,
)
from memory.records import Entry


def add_postings(connection: sqlite3.Connection, entry: Entry, number: int) -> None:
    """Index an entry under its number."""
    _change(connection, entry, number, 1)


def remove_postings(connection: sqlite3.Connection, entry: Entry, number: int) -> None:
    """Take an entry out of the index; a term that nothing holds any more is gone too."""
    _change(connection, entry, number, -1)


def _change(connection: sqlite3.Connection, entry: Entry, number: int, sign: int) -> None:
    weights = entry_terms(entry.label, entry.category, entry.content)
    length, owner = weights.total(), entry.owner
    if sign > 0:
        connection.executemany(
            "INSERT INTO postings (owner, term, entry, weight, length) VALUES (?, ?, ?, ?, ?)",
            [(owner, term, number, weight, length) for term, weight in weights.items()],
        )
    else:
        connection.executemany(
            "DELETE FROM postings WHERE owner = ? AND term = ? AND entry = ?",
            [(owner, term, number) for term in weights],
        )
    connection.executemany(
        "INSERT INTO terms (owner, term, entries) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET entries = entries + excluded.entries",
        [(owner, term, sign) for term in weights],
    )
    if sign < 0:
        connection.executemany(
            "DELETE FROM terms WHERE owner = ? AND term = ? AND entries <= 0",
            [(owner, term) for term in weights],
        )
    connection.execute(
        "INSERT INTO archives (owner, entries, length) VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
        " SET entries = entries + excluded.entries, length = length + excluded.length",
        (owner, sign, sign * length),
    )


def best_entries(
    connection: sqlite3.Connection,
    owner: str,
    wanted: Sequence[str],
    *,
    category: str | None = None,
) -> list[Scored]:
    """The owner's entries, of a category if one is named, that hold wanted terms, best first."""
    frequencies = _frequencies(connection, owner, wanted)
    ranking = Ranking(frequencies, _statistics(connection, owner))
    few = None if category is None else _few(connection, owner, category)
    for term in ranking.rare:
        if few is None:
            ranking.add(term, _newest_postings(connection, owner, term, category))
        else:
            ranking.add(term, _postings_among(connection, owner, term, few))
    candidates = ranking.candidates() if ranking.common else []
    for term in ranking.common:
        ranking.add(term, _postings_among(connection, owner, term, few or candidates))
    return ranking.best()


def _statistics(connection: sqlite3.Connection, owner: str) -> Statistics:
    row = connection.execute(
        "SELECT entries, length FROM archives WHERE owner = ?", (owner,)
    ).fetchone()
    if row is None or not row["entries"]:
        return Statistics(0, 0.0)
    return Statistics(row["entries"], row["length"] / row["entries"])


def _frequencies(
    connection: sqlite3.Connection, owner: str, wanted: Sequence[str]
) -> dict[str, int]:
    """In how many entries the wanted terms stand; for single characters, the pairs with them."""
    rows = connection.execute(
        "SELECT term, entries FROM terms WHERE owner = ?"
        " AND term IN (SELECT value FROM json_each(?))",
        (owner, orjson.dumps(list(wanted)).decode()),
    ).fetchall()
    for character in list(filter(is_single, wanted))[:MOST_SINGLES]:
        rows += connection.execute(
            "SELECT term, entries FROM terms WHERE owner = ? AND instr(term, ?)"
            " ORDER BY entries DESC LIMIT ?",
            (owner, character, MOST_PAIRS),
        ).fetchall()
    return {row["term"]: row["entries"] for row in rows}


def _few(connection: sqlite3.Connection, owner: str, category: str) -> list[int] | None:
    """The entries of a category if they are so few that looking up each is the shorter way."""
    rows = connection.execute(
        "SELECT number FROM entries WHERE owner = ? AND category = ? LIMIT ?",
        (owner, category, FEW + 1),
    ).fetchall()
    return [row["number"] for row in rows] if len(rows) <= FEW else None


def _newest_postings(
    connection: sqlite3.Connection, owner: str, term: str, category: str | None
) -> list[tuple[int, int, int]]:
    """Entry, weight and length of a term's newest postings."""
    within = "(SELECT category FROM entries WHERE number = entry) = ?"
    return _tuples(
        connection,
        "SELECT entry, weight, length FROM postings WHERE owner = ? AND term = ?"  # noqa: S608 - fixed texts
        f"{'' if category is None else f' AND {within}'} ORDER BY entry DESC LIMIT ?",
        (owner, term, *([] if category is None else [category]), READ_AT_MOST),
    )


def _postings_among(
    connection: sqlite3.Connection, owner: str, term: str, entries: Sequence[int]
) -> list[tuple[int, int, int]]:
    """Entry, weight and length of a term's postings for these entries."""
    return _tuples(
        connection,
        "SELECT entry, weight, length FROM json_each(?) CROSS JOIN postings"
        " ON owner = ? AND term = ? AND entry = value",
        (orjson.dumps(list(entries)).decode(), owner, term),
    )


def _tuples(
    connection: sqlite3.Connection, query: str, values: tuple[object, ...]
) -> list[tuple[int, int, int]]:
    cursor = connection.cursor()
    cursor.row_factory = None  # thousands of rows are read: plain tuples take half the time
    return cursor.execute(query, values).fetchall()
