"""Entries' vectors in SQLite, compared one owner's block by block."""

import sqlite3
from collections.abc import Sequence

from memory.cosine import BLOCK, Nearest, packed
from memory.embeddings import Wording, wording
from memory.records import Entry
from memory.sqlite.database import Database
from memory.sqlite.entries import entry_from, rows_by_number


class SQLiteVectors:
    """The Vectors protocol; triggers on ``entries`` delete a vector when its words change."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def missing(self, owner: str, model: str, *, limit: int) -> Sequence[Wording]:
        def work(connection: sqlite3.Connection) -> list[Wording]:
            rows = connection.execute(
                "SELECT number, version, label, content FROM entries"
                " WHERE owner = ? AND (embedded < ? OR embedded > ?) LIMIT ?",
                (owner, model, model, limit),
            )
            return [wording(*row) for row in rows]

        return await self._database.read(work)

    async def keep(
        self, owner: str, model: str, made: Sequence[tuple[Wording, Sequence[float]]]
    ) -> None:
        def work(connection: sqlite3.Connection) -> None:
            for one, vector in made:
                marked = connection.execute(
                    "UPDATE entries SET embedded = ?"
                    " WHERE number = ? AND owner = ? AND version = ?",
                    (model, one.number, owner, one.version),
                )
                if marked.rowcount:
                    connection.execute(
                        "INSERT OR REPLACE INTO vectors (entry, owner, model, vector)"
                        " VALUES (?, ?, ?, ?)",
                        (one.number, owner, model, packed(vector)),
                    )

        await self._database.write(work)

    async def nearest(
        self,
        owner: str,
        model: str,
        wanted: Sequence[float],
        *,
        category: str | None = None,
        limit: int,
    ) -> Sequence[tuple[Entry, float]]:
        within = "" if category is None else " JOIN entries ON number = entry AND category = ?"

        def work(connection: sqlite3.Connection) -> list[tuple[Entry, float]]:
            nearest = Nearest(wanted, limit)
            rows = connection.execute(
                f"SELECT entry, vector FROM vectors{within}"  # noqa: S608 - two fixed texts
                " WHERE vectors.owner = ? AND model = ?",
                (*([] if category is None else [category]), owner, model),
            )
            while block := rows.fetchmany(BLOCK):
                nearest.add([(row["entry"], row["vector"]) for row in block])
            best = nearest.best()
            found = rows_by_number(connection, [number for number, _ in best], content=False)
            return [(entry_from(row), one[1]) for row, one in zip(found, best, strict=True)]

        return await self._database.read(work)
