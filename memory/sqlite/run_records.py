"""What is kept of runs, in SQLite."""

import sqlite3
from collections.abc import Sequence

from memory.errors import NotFound
from memory.records import Run, RunStatus
from memory.sqlite.database import Database
from memory.sqlite.rows import run_from
from memory.times import now, to_micros


class SQLiteRunRecords:
    """The RunRecords protocol on one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, run: Run) -> Run:
        def work(connection: sqlite3.Connection) -> Run:
            connection.execute(
                "INSERT INTO runs (id, owner, room, turn, status, started_at, idempotency_key,"
                " request_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (
                    run.id,
                    run.owner,
                    run.room_id,
                    run.turn,
                    run.status,
                    to_micros(run.started_at),
                    run.idempotency_key,
                    run.request_digest,
                ),
            )
            row = connection.execute(
                "SELECT * FROM runs WHERE id = ?"
                " OR (owner = ? AND room = ? AND idempotency_key = ?)",
                (run.id, run.owner, run.room_id, run.idempotency_key),
            ).fetchone()
            return run_from(row)

        return await self._database.write(work)

    async def get(self, owner: str, run_id: str) -> Run:
        def work(connection: sqlite3.Connection) -> Run:
            row = connection.execute(
                "SELECT * FROM runs WHERE id = ? AND owner = ?", (run_id, owner)
            ).fetchone()
            if row is None:
                raise NotFound.of("run")
            return run_from(row)

        return await self._database.read(work)

    async def finish(
        self,
        owner: str,
        run_id: str,
        *,
        status: RunStatus,
        turn: int | None,
        answer_key: str | None,
    ) -> None:
        await self._database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE runs SET status = ?, turn = ?, answer_key = ?, ended_at = ?"
                    " WHERE id = ? AND owner = ?",
                    (status, turn, answer_key, to_micros(now()), run_id, owner),
                ).rowcount
            )
        )

    async def unfinished(self) -> Sequence[Run]:
        def work(connection: sqlite3.Connection) -> list[Run]:
            rows = connection.execute("SELECT * FROM runs WHERE status = 'running'")
            return [run_from(row) for row in rows]

        return await self._database.read(work)
