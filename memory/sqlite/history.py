"""The history of rooms in SQLite: one row per message, a turn's end in one transaction."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace

from memory.conflicts import turn_closed
from memory.errors import NotFound
from memory.keys import message_key, turn_of
from memory.records import (
    Deleted,
    Message,
    Page,
    Room,
    Run,
    Status,
    Summary,
    SummaryFate,
    Turn,
)
from memory.sqlite.database import Database
from memory.sqlite.rooms import closed_room, owned_room
from memory.sqlite.rows import INSERT_MESSAGE, message_from, message_row
from memory.sqlite.run_records import finish_run, insert_run, refuse_known_key
from memory.times import now, to_micros
from memory.turns import message_tokens, newest_turns, with_companions

_FIRST, _LAST = "", "~"  # below and above every message key


class SQLiteHistory:
    """The History protocol on one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, run: Run, content: str) -> Turn:
        moment, owner, room_id = now(), run.owner, run.room_id

        def work(connection: sqlite3.Connection) -> Turn:
            refuse_known_key(connection, run)
            room = closed_room(connection, owner, room_id)
            number = room.turns + 1
            insert_run(connection, replace(run, turn=number))
            question = Message(
                key=message_key(number, 0),
                turn=number,
                role="user",
                content=content,
                created_at=moment,
            )
            _insert(connection, owner, room_id, [question])
            connection.execute(
                "UPDATE rooms SET turns = ?, open_turn = ?, open_run = ?, last_key = ?,"
                " message_count = message_count + 1, pending_tokens = pending_tokens + ?,"
                " updated_at = ? WHERE id = ?",
                (
                    number,
                    number,
                    run.id,
                    question.key,
                    message_tokens(question),
                    to_micros(moment),
                    room_id,
                ),
            )
            return Turn(
                room=owned_room(connection, owner, room_id),
                number=number,
                run_id=run.id,
                question=question,
                after=room.last_key,
            )

        return await self._database.write(work)

    async def end(self, turn: Turn, messages: Sequence[Message], *, status: Status) -> Room:
        owner, room_id = turn.room.owner, turn.room.id
        last = messages[-1] if messages else turn.question
        answer_key = last.key if last.role == "assistant" else None

        def work(connection: sqlite3.Connection) -> Room:
            _close(connection, owner, room_id, turn.run_id)
            finish_run(connection, turn.run_id, status, answer_key)
            _insert(connection, owner, room_id, messages)
            if status == "failed":
                _mark_failed(connection, room_id, turn.question.key)
            connection.execute(
                "UPDATE rooms SET last_key = ?, message_count = message_count + ?,"
                " pending_tokens = pending_tokens + ?, updated_at = ? WHERE id = ?",
                (
                    last.key,
                    len(messages),
                    sum(map(message_tokens, messages)),
                    to_micros(now()),
                    room_id,
                ),
            )
            return owned_room(connection, owner, room_id)

        return await self._database.write(work)

    async def abandon(self, run: Run) -> bool:
        def work(connection: sqlite3.Connection) -> bool:
            room = owned_room(connection, run.owner, run.room_id)
            if room.open_turn is None or room.open_turn.run_id != run.id:
                return False
            _close(connection, run.owner, run.room_id, run.id)
            finish_run(connection, run.id, "failed", None)
            _mark_failed(connection, run.room_id, message_key(room.open_turn.turn, 0))
            return True

        return await self._database.write(work)

    async def page(
        self, owner: str, room_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Message]:
        def work(connection: sqlite3.Connection) -> list[Message]:
            owned_room(connection, owner, room_id)
            rows = connection.execute(
                "SELECT * FROM messages WHERE room = ? AND owner = ? AND key < ?"
                " ORDER BY key DESC LIMIT ?",
                (room_id, owner, cursor or _LAST, limit + 1),
            )
            return [message_from(row) for row in rows]

        found = await self._database.read(work)
        return Page(found[:limit], found[limit - 1].key if len(found) > limit else None)

    async def between(
        self,
        owner: str,
        room_id: str,
        *,
        after: str | None = None,
        up_to: str | None = None,
        limit: int,
    ) -> Sequence[Message]:
        def work(connection: sqlite3.Connection) -> list[Message]:
            rows = connection.execute(
                "SELECT * FROM messages WHERE room = ? AND owner = ? AND key > ? AND key <= ?"
                " ORDER BY key LIMIT ?",
                (room_id, owner, after or _FIRST, up_to or _LAST, limit),
            )
            return [message_from(row) for row in rows]

        return await self._database.read(work)

    async def recent(
        self, owner: str, room_id: str, *, after: str | None, up_to: str | None, max_tokens: int
    ) -> Sequence[Message]:
        def work(connection: sqlite3.Connection) -> list[Message]:
            rows = connection.execute(
                "SELECT * FROM messages WHERE room = ? AND owner = ? AND key > ? AND key <= ?"
                " ORDER BY key DESC",
                (room_id, owner, after or _FIRST, up_to or _LAST),
            )
            return newest_turns(map(message_from, rows), max_tokens)

        return await self._database.read(work)

    async def delete(self, owner: str, room_id: str, keys: Sequence[str]) -> Deleted:
        def work(connection: sqlite3.Connection) -> Deleted:
            room = closed_room(connection, owner, room_id)
            gone = with_companions(keys, _turns_of(connection, room, keys))
            if not set(keys) <= set(gone):
                raise NotFound.of("message")
            connection.executemany(
                "DELETE FROM messages WHERE room = ? AND key = ?", [(room_id, key) for key in gone]
            )
            connection.execute(
                "UPDATE rooms SET message_count = message_count - ?, deletions = deletions + 1"
                " WHERE id = ?",
                (len(gone), room_id),
            )
            fate = _clear_summary(connection, room, gone[0])
            _count_pending(connection, room_id)
            return Deleted(
                deleted=tuple(dict.fromkeys(keys)),
                also_deleted=tuple(key for key in gone if key not in set(keys)),
                summary=fate,
                title_cleared=_clear_title(connection, room, gone[0]),
            )

        return await self._database.write(work)

    async def fold(self, seen: Room, summary: Summary, *, tokens: int) -> bool:
        over = seen.summary.covers_up_to if seen.summary else None

        def work(connection: sqlite3.Connection) -> bool:
            changed = connection.execute(
                "UPDATE rooms SET summary = ?, summary_covers = ?,"
                " pending_tokens = max(0, pending_tokens - ?)"
                " WHERE id = ? AND owner = ? AND deletions = ? AND summary_covers IS ?",
                (
                    summary.text,
                    summary.covers_up_to,
                    tokens,
                    seen.id,
                    seen.owner,
                    seen.deletions,
                    over,
                ),
            )
            return changed.rowcount == 1

        return await self._database.write(work)


def _insert(
    connection: sqlite3.Connection, owner: str, room_id: str, messages: Sequence[Message]
) -> None:
    connection.executemany(
        INSERT_MESSAGE,
        [message_row(owner, room_id, message) for message in messages],
    )


def _close(connection: sqlite3.Connection, owner: str, room_id: str, run_id: str) -> None:
    closed = connection.execute(
        "UPDATE rooms SET open_turn = NULL, open_run = NULL"
        " WHERE id = ? AND owner = ? AND open_run = ?",
        (room_id, owner, run_id),
    )
    if closed.rowcount != 1:
        raise turn_closed()


def _mark_failed(connection: sqlite3.Connection, room_id: str, key: str) -> None:
    connection.execute(
        "UPDATE messages SET status = 'failed' WHERE room = ? AND key = ?", (room_id, key)
    )


def _turns_of(connection: sqlite3.Connection, room: Room, keys: Sequence[str]) -> list[Message]:
    """The whole turns that ``keys`` are of, in order; NotFound for what is no key."""
    try:
        turns = sorted({turn_of(key) for key in keys})
    except ValueError as error:
        raise NotFound.of("message") from error
    marks = ",".join("?" * len(turns))
    rows = connection.execute(
        f"SELECT * FROM messages WHERE room = ? AND owner = ? AND turn IN ({marks})"  # noqa: S608 - only marks
        " AND key BETWEEN ? AND ? ORDER BY key",
        (
            room.id,
            room.owner,
            *turns,
            message_key(turns[0], 0),
            message_key(turns[-1], 9999),
        ),
    )
    return [message_from(row) for row in rows]


def _clear_summary(connection: sqlite3.Connection, room: Room, first_gone: str) -> SummaryFate:
    """Drop a summary that tells of a deleted message, in the same transaction."""
    if room.summary is None or first_gone > room.summary.covers_up_to:
        return "unchanged"
    connection.execute(
        "UPDATE rooms SET summary = NULL, summary_covers = NULL WHERE id = ?", (room.id,)
    )
    return "cleared"


def _clear_title(connection: sqlite3.Connection, room: Room, first_gone: str) -> bool:
    """Drop a made title that may tell of a deleted message, in the same transaction."""
    cleared = connection.execute(
        "UPDATE rooms SET title = NULL, title_source = 'none', title_covers = NULL"
        " WHERE id = ? AND title_source = 'auto' AND title_covers >= ?",
        (room.id, first_gone),
    )
    return cleared.rowcount == 1


def _count_pending(connection: sqlite3.Connection, room_id: str) -> None:
    """Count anew the tokens of what the summary does not cover."""
    rows = connection.execute(
        "SELECT messages.* FROM messages JOIN rooms ON rooms.id = room"
        " WHERE room = ? AND key > coalesce(summary_covers, '')",
        (room_id,),
    )
    tokens = sum(message_tokens(message_from(row)) for row in rows)
    connection.execute("UPDATE rooms SET pending_tokens = ? WHERE id = ?", (tokens, room_id))
