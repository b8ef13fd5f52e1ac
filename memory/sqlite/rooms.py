"""Rooms in SQLite."""

import sqlite3
import time
from collections.abc import Sequence
from datetime import datetime

from memory.conflicts import room_busy
from memory.cursors import decode_cursor, encode_cursor
from memory.errors import NotFound
from memory.keys import new_id
from memory.protocols import FEW
from memory.records import Page, Room
from memory.sqlite.database import Database
from memory.sqlite.rows import room_from
from memory.times import now, to_micros


class SQLiteRooms:
    """The Rooms protocol on one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._claimed: dict[str, float] = {}  # one process has the file, and claims end with it

    async def create(
        self,
        owner: str,
        title: str | None = None,
        *,
        listed: bool = True,
        room_id: str | None = None,
    ) -> Room:
        made_id, moment = room_id or new_id("room"), to_micros(now())
        source = "none" if title is None else "user" if listed else "auto"

        def work(connection: sqlite3.Connection) -> Room:
            connection.execute(
                "INSERT INTO rooms (id, owner, title, title_source, listed, created_at, updated_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
                (made_id, owner, title, source, listed, moment, moment),
            )
            return owned_room(connection, owner, made_id)

        return await self._database.write(work)

    async def get(self, owner: str, room_id: str) -> Room:
        return await self._database.read(lambda connection: owned_room(connection, owner, room_id))

    async def page(self, owner: str, *, limit: int, cursor: str | None = None) -> Page[Room]:
        before: tuple[object, ...] = (2**62, "")
        if cursor is not None:
            before = decode_cursor(cursor, int, str)

        def work(connection: sqlite3.Connection) -> list[Room]:
            rows = connection.execute(
                "SELECT * FROM rooms WHERE owner = ? AND listed AND (updated_at, id) < (?, ?)"
                " ORDER BY updated_at DESC, id DESC LIMIT ?",
                (owner, *before, limit + 1),
            )
            return [room_from(row) for row in rows]

        rooms = await self._database.read(work)
        if len(rooms) <= limit:
            return Page(rooms)
        last = rooms[limit - 1]
        return Page(rooms[:limit], encode_cursor(to_micros(last.updated_at), last.id))

    async def ids(self, owner: str) -> Sequence[str]:
        def work(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute("SELECT id FROM rooms WHERE owner = ?", (owner,))
            return [row["id"] for row in rows]

        return await self._database.read(work)

    async def unlisted(self, owner: str, *, before: datetime) -> Sequence[Room]:
        def work(connection: sqlite3.Connection) -> list[Room]:
            rows = connection.execute(
                "SELECT * FROM rooms WHERE owner = ? AND updated_at < ? AND NOT listed LIMIT ?",
                (owner, to_micros(before), FEW),
            )
            return [room_from(row) for row in rows]

        return await self._database.read(work)

    async def rename(self, owner: str, room_id: str, title: str) -> Room:
        def work(connection: sqlite3.Connection) -> Room:
            connection.execute(
                "UPDATE rooms SET title = ?, title_source = 'user' WHERE id = ? AND owner = ?",
                (title, room_id, owner),
            )
            return owned_room(connection, owner, room_id)

        return await self._database.write(work)

    async def claim_title(self, seen: Room, seconds: float) -> bool:
        room, moment = await self.get(seen.owner, seen.id), time.monotonic()
        self._claimed = {key: until for key, until in self._claimed.items() if until > moment}
        if room.title_source != "none" or room.id in self._claimed:
            return False
        self._claimed[room.id] = moment + seconds
        return True

    async def title(self, seen: Room, title: str, *, covers: str, asked: bool = False) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(
                "UPDATE rooms SET title = ?, title_source = 'auto', title_covers = ?"
                " WHERE id = ? AND owner = ? AND deletions = ? AND (? OR title_source = 'none')",
                (title, covers, seen.id, seen.owner, seen.deletions, asked),
            )
            return changed.rowcount == 1

        return await self._database.write(work)

    async def delete(self, owner: str, room_id: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            closed_room(connection, owner, room_id)
            connection.execute("DELETE FROM rooms WHERE id = ? AND owner = ?", (room_id, owner))

        await self._database.write(work)


def owned_room(connection: sqlite3.Connection, owner: str, room_id: str) -> Room:
    """The owner's room; NotFound otherwise."""
    row = connection.execute(
        "SELECT * FROM rooms WHERE id = ? AND owner = ?", (room_id, owner)
    ).fetchone()
    if row is None:
        raise NotFound.of("room")
    return room_from(row)


def closed_room(connection: sqlite3.Connection, owner: str, room_id: str) -> Room:
    """The owner's room while no turn is open in it; Conflict ``room_busy`` otherwise."""
    room = owned_room(connection, owner, room_id)
    if room.open_turn is not None:
        raise room_busy(room.open_turn.run_id)
    return room
