"""Sessions in SQLite, which has no expiry of its own: what is over is not found any more."""

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from datetime import datetime

from memory.accounts import Session
from memory.sessions import Lifetime, Over, Watch, new_sid, session_id
from memory.sqlite.database import Database
from memory.times import from_micros, now, to_micros


class SQLiteSessions:
    """The Sessions protocol on one SQLite file."""

    def __init__(self, database: Database, lifetime: Lifetime) -> None:
        self._database = database
        self._lifetime = lifetime
        self._watch = Watch(self._look)

    async def open(self, uid: str) -> tuple[str, Session]:
        sid = new_sid()
        session = self._lifetime.opened(sid, uid)

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM sessions WHERE expires_at <= ?", (to_micros(now()),))
            connection.execute(
                "INSERT INTO sessions (id, uid, created_at, expires_at, ends_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    session.id,
                    uid,
                    to_micros(session.created_at),
                    to_micros(session.expires_at),
                    to_micros(session.ends_at),
                ),
            )

        await self._database.write(work)
        return sid, session

    async def use(self, sid: str) -> Session | None:
        def work(connection: sqlite3.Connection) -> Session | None:
            row = connection.execute(
                "SELECT * FROM sessions WHERE id = ? AND expires_at > ?",
                (session_id(sid), to_micros(now())),
            ).fetchone()
            return None if row is None else _session_from(row)

        session = await self._database.read(work)
        if session is None:
            return None
        used = self._lifetime.used(session)
        if used is session:
            return session
        return used if await self._move(used) else None

    async def close(self, session_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,))

        await self._database.write(work)
        self._watch.tell([session_id])

    async def close_all(self, uid: str) -> int:
        def work(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute("DELETE FROM sessions WHERE uid = ? RETURNING id", (uid,))
            return [row["id"] for row in rows]

        closed = await self._database.write(work)
        self._watch.tell(closed)
        return len(closed)

    def watched(self, session: Session, over: Over) -> AbstractContextManager[None]:
        return self._watch.watched(session, over)

    async def _move(self, session: Session) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            done = connection.execute(
                "UPDATE sessions SET expires_at = ? WHERE id = ?",
                (to_micros(session.expires_at), session.id),
            )
            return done.rowcount == 1

        return await self._database.write(work)

    async def _look(self, ids: Collection[str]) -> Mapping[str, datetime]:
        def work(connection: sqlite3.Connection) -> dict[str, datetime]:
            found: dict[str, datetime] = {}
            for one in ids:
                row = connection.execute(
                    "SELECT expires_at FROM sessions WHERE id = ?", (one,)
                ).fetchone()
                if row is not None:
                    found[one] = from_micros(row["expires_at"])
            return found

        return await self._database.read(work)


def _session_from(row: sqlite3.Row) -> Session:
    return Session(
        id=row["id"],
        uid=row["uid"],
        created_at=from_micros(row["created_at"]),
        expires_at=from_micros(row["expires_at"]),
        ends_at=from_micros(row["ends_at"]),
    )
