"""The index of search terms in SQLite: which entry of which owner holds a term, how much."""

import sqlite3
from collections import defaultdict
from collections.abc import Sequence

import orjson

from memory.lexical import Statistics, entry_terms, rarity, weigh
from memory.records import Entry

READ_AT_MOST = 20_000
"""How many postings of rare terms a search reads to find its candidates."""

CANDIDATES = 1_000
LEAST_SHARE = 0.12
"""Of the best entry's score, below which an entry does not count as found."""

Scored = tuple[int, float, set[str]]
"""An entry's number, its score, the terms found in it."""


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
    """The owner's entries that hold wanted terms, best first.

    Rare terms find the candidates; terms so common that reading them all would take long only add
    to the scores of those.
    """
    statistics = _statistics(connection, owner)
    frequencies = _frequencies(connection, owner, wanted)
    scores: dict[int, float] = defaultdict(float)
    hits: dict[int, set[str]] = defaultdict(set)
    read = 0
    for term in sorted(frequencies, key=frequencies.__getitem__):
        common = read + frequencies[term] > READ_AT_MOST and bool(scores)
        only = sorted(scores, key=scores.__getitem__)[-CANDIDATES:] if common else None
        value = rarity(frequencies[term], statistics.entries)
        for entry, weight, length in _postings(connection, owner, term, only):
            scores[entry] += value * weigh(weight, length, statistics)
            hits[entry].add(term)
            read += 1
    kept = _within(connection, owner, category, scores)
    ranked = sorted(kept, key=lambda entry: (-scores[entry], -entry))[:CANDIDATES]
    least = LEAST_SHARE * scores[ranked[0]] if ranked else 0.0
    return [(one, scores[one], hits[one]) for one in ranked if scores[one] >= least]


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
    connection: sqlite3.Connection, owner: str, term: str, only: Sequence[int] | None
) -> list[sqlite3.Row]:
    if only is None:
        return connection.execute(
            "SELECT entry, weight, length FROM postings WHERE owner = ? AND term = ? LIMIT ?",
            (owner, term, READ_AT_MOST),
        ).fetchall()
    return connection.execute(
        "SELECT entry, weight, length FROM postings WHERE owner = ? AND term = ?"
        " AND entry IN (SELECT value FROM json_each(?))",
        (owner, term, orjson.dumps(list(only)).decode()),
    ).fetchall()


def _within(
    connection: sqlite3.Connection, owner: str, category: str | None, found: dict[int, float]
) -> list[int]:
    if category is None:
        return list(found)
    rows = connection.execute(
        "SELECT number FROM entries WHERE owner = ? AND category = ?"
        " AND number IN (SELECT value FROM json_each(?))",
        (owner, category, orjson.dumps(list(found)).decode()),
    )
    return [row["number"] for row in rows]
