"""Counters of usage in SQLite."""

import sqlite3
from collections.abc import Collection, Sequence
from datetime import date

from memory.records import Usage
from memory.sqlite.database import Database
from memory.usage import Counted, DayUsage


class SQLiteUsageRecords:
    """The UsageRecords protocol on one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, counts: Collection[Counted]) -> None:
        rows = [
            (
                owner,
                more.day.isoformat(),
                more.turns,
                more.usage.input_tokens,
                more.usage.output_tokens,
            )
            for owner, more in counts
        ]

        def work(connection: sqlite3.Connection) -> None:
            connection.executemany(
                "INSERT INTO usage (owner, day, turns, input_tokens, output_tokens)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (owner, day) DO UPDATE SET"
                " turns = turns + excluded.turns,"
                " input_tokens = input_tokens + excluded.input_tokens,"
                " output_tokens = output_tokens + excluded.output_tokens",
                rows,
            )

        await self._database.write(work)

    async def day(self, owner: str, day: date) -> DayUsage:
        def work(connection: sqlite3.Connection) -> DayUsage | None:
            row = connection.execute(
                "SELECT * FROM usage WHERE owner = ? AND day = ?", (owner, day.isoformat())
            ).fetchone()
            return None if row is None else _day_from(row)

        found = await self._database.read(work)
        return found or DayUsage(day=day, turns=0, usage=Usage())

    async def days(self, owner: str, *, limit: int) -> Sequence[DayUsage]:
        def work(connection: sqlite3.Connection) -> list[DayUsage]:
            rows = connection.execute(
                "SELECT * FROM usage WHERE owner = ? ORDER BY day DESC LIMIT ?", (owner, limit)
            )
            return [_day_from(row) for row in rows]

        return await self._database.read(work)

    async def delete_all(self, owner: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM usage WHERE owner = ?", (owner,))

        await self._database.write(work)


def _day_from(row: sqlite3.Row) -> DayUsage:
    return DayUsage(
        day=date.fromisoformat(row["day"]),
        turns=row["turns"],
        usage=Usage(input_tokens=row["input_tokens"], output_tokens=row["output_tokens"]),
    )
