"""The index of search terms in SQLite: which entry of which owner holds a term, how much."""

import sqlite3
from collections.abc import Sequence

import orjson

from memory.lexical import Ranking, Scored, Statistics, entry_terms
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
    for term in ranking.rare:
        for row in _postings(connection, owner, term, category=category):
            ranking.add(term, *row)
    candidates = orjson.dumps(ranking.candidates()).decode() if ranking.common else ""
    for term in ranking.common:
        for row in _postings(connection, owner, term, only=candidates):
            ranking.add(term, *row)
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
    rows = connection.execute(
        "SELECT term, entries FROM terms WHERE owner = ?"
        " AND term IN (SELECT value FROM json_each(?))",
        (owner, orjson.dumps(list(wanted)).decode()),
    )
    return {row["term"]: row["entries"] for row in rows}


def _postings(
    connection: sqlite3.Connection,
    owner: str,
    term: str,
    *,
    category: str | None = None,
    only: str | None = None,
) -> sqlite3.Cursor:
    """Entry, weight and length of a term's postings; ``only`` is a JSON list of entries."""
    where, values = "owner = ? AND term = ?", [owner, term]
    if category is not None:
        where += " AND entry IN (SELECT number FROM entries WHERE owner = ? AND category = ?)"
        values += [owner, category]
    if only is not None:
        where += " AND entry IN (SELECT value FROM json_each(?))"
        values.append(only)
    return connection.execute(
        f"SELECT entry, weight, length FROM postings WHERE {where}",  # noqa: S608 - fixed texts
        values,
    )
