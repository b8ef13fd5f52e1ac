"""What is kept of runs, in SQLite."""

import sqlite3
from collections.abc import Sequence

from memory.conflicts import run_exists
from memory.errors import NotFound
from memory.records import Message, Run, RunStatus
from memory.sqlite.database import Database
from memory.sqlite.rows import message_from, run_from
from memory.times import now, to_micros


class SQLiteRunRecords:
    """The RunRecords protocol on one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, owner: str, run_id: str) -> Run:
        def work(connection: sqlite3.Connection) -> Run:
            row = connection.execute(
                "SELECT * FROM runs WHERE id = ? AND owner = ?", (run_id, owner)
            ).fetchone()
            if row is None:
                raise NotFound.of("run")
            return run_from(row)

        return await self._database.read(work)

    async def by_key(self, owner: str, room_id: str, idempotency_key: str) -> Run | None:
        return await self._database.read(
            lambda connection: _known(connection, owner, room_id, idempotency_key)
        )

    async def answer(self, run: Run) -> Message | None:
        def work(connection: sqlite3.Connection) -> Message | None:
            row = connection.execute(
                "SELECT * FROM messages WHERE room = ? AND owner = ? AND key = ?",
                (run.room_id, run.owner, run.answer_key),
            ).fetchone()
            return message_from(row) if row is not None else None

        return await self._database.read(work)

    async def unfinished(self) -> Sequence[Run]:
        def work(connection: sqlite3.Connection) -> list[Run]:
            rows = connection.execute("SELECT * FROM runs WHERE status = 'running'")
            return [run_from(row) for row in rows]

        return await self._database.read(work)


def insert_run(connection: sqlite3.Connection, run: Run) -> None:
    connection.execute(
        "INSERT INTO runs (id, owner, room, turn, status, started_at, idempotency_key,"
        " request_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
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


def finish_run(
    connection: sqlite3.Connection, run_id: str, status: RunStatus, answer_key: str | None
) -> None:
    connection.execute(
        "UPDATE runs SET status = ?, answer_key = ?, ended_at = ? WHERE id = ?",
        (status, answer_key, to_micros(now()), run_id),
    )


def refuse_known_key(connection: sqlite3.Connection, run: Run) -> None:
    """Conflict ``run_exists`` if a run of the room took the same idempotency key."""
    if run.idempotency_key is None:
        return
    known = _known(connection, run.owner, run.room_id, run.idempotency_key)
    if known is not None:
        raise run_exists(known.id)


def _known(
    connection: sqlite3.Connection, owner: str, room_id: str, idempotency_key: str
) -> Run | None:
    row = connection.execute(
        "SELECT * FROM runs WHERE owner = ? AND room = ? AND idempotency_key = ?",
        (owner, room_id, idempotency_key),
    ).fetchone()
    return run_from(row) if row is not None else None
