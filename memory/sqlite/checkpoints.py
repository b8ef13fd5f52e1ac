"""LangGraph's checkpoints in the SQLite file: heads, items and pending writes as rows."""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial

from memory.checkpoint_codec import (
    Draft,
    Head,
    Pool,
    Ranges,
    Write,
    digest,
    gaps,
    ranges_of,
    settle,
)
from memory.checkpoints import (
    BATCH,
    Found,
    Keep,
    Place,
    Query,
    Saver,
    Stored,
    refuse_copy,
)
from memory.sqlite.database import Database

_HEAD = "id, parent, run, metadata, body"
_TABLES = ("checkpoints", "checkpoint_items", "checkpoint_writes")


class SQLiteSaver(Saver):
    """A saver on one SQLite file; every put is one transaction."""

    def __init__(
        self, database: Database, *, keep: Keep = "all", types: Iterable[type] = ()
    ) -> None:
        super().__init__(keep=keep, types=types)
        self._database = database

    async def clear(self) -> None:
        """Drop the checkpoints of all threads."""

        def clear(connection: sqlite3.Connection) -> None:
            for table in _TABLES:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608

        await self._database.write(clear)

    async def _read(self, place: Place, checkpoint_id: str | None) -> Stored | None:
        def read(connection: sqlite3.Connection) -> Stored | None:
            head = _head(connection, place, checkpoint_id)
            return None if head is None else _stored(connection, Found(place, head))

        return await self._database.read(read)

    async def _heads(self, query: Query) -> AsyncIterator[Sequence[Found]]:
        last: Found | None = None
        while True:
            batch = await self._database.read(partial(_batch, query=query, last=last))
            if batch:
                yield batch
            if len(batch) < BATCH:
                return
            last = batch[-1]

    async def _complete(self, found: Sequence[Found]) -> Sequence[Stored]:
        def complete(connection: sqlite3.Connection) -> list[Stored]:
            return [
                _stored(connection, one)
                for one in found
                if _head(connection, one.place, one.head.id) == one.head
            ]

        return await self._database.read(complete)

    async def _put(self, place: Place, drafted: Draft, *, alone: bool) -> None:
        await self._database.write(partial(_put, where=place, drafted=drafted, alone=alone))

    async def _put_writes(self, place: Place, checkpoint_id: str, writes: Sequence[Write]) -> None:
        newest_only = self._keep == "latest"

        def put_writes(connection: sqlite3.Connection) -> None:
            if newest_only and _is_replaced(connection, place, checkpoint_id):
                return
            rows = [(*place, checkpoint_id, *write) for write in writes]
            connection.executemany(_PUT_WRITE, rows)

        await self._database.write(put_writes)

    async def _delete(self, thread: str) -> None:
        def delete(connection: sqlite3.Connection) -> None:
            for table in _TABLES:
                connection.execute(f"DELETE FROM {table} WHERE thread = ?", (thread,))  # noqa: S608

        await self._database.write(delete)

    async def _delete_runs(self, runs: Sequence[str]) -> None:
        await self._database.write(partial(_delete_runs, runs=runs))

    async def _copy(self, source: str, target: str) -> None:
        await self._database.write(partial(_copy, source=source, target=target))

    async def _prune(self, thread: str) -> None:
        def prune(connection: sqlite3.Connection) -> None:
            for where in _places(connection, thread):
                head = _head(connection, where, None)
                if head is not None and not self._needs_ancestors(head):
                    _keep_only(connection, where, head.id, ranges_of(head))

        await self._database.write(prune)


_PUT_WRITE = """
INSERT INTO checkpoint_writes (thread, namespace, checkpoint, task, idx, path, channel, value)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET path = excluded.path, channel = excluded.channel, value = excluded.value
WHERE idx < 0
"""


def _is_replaced(connection: sqlite3.Connection, place: Place, checkpoint_id: str) -> bool:
    """Whether a checkpoint is not there, but a newer one is."""
    newest = _head(connection, place, None)
    return (
        newest is not None
        and newest.id > checkpoint_id
        and _head(connection, place, checkpoint_id) is None
    )


def _head(connection: sqlite3.Connection, place: Place, checkpoint_id: str | None) -> Head | None:
    exact = "" if checkpoint_id is None else "AND id = ?"
    row = connection.execute(
        f"SELECT {_HEAD} FROM checkpoints WHERE thread = ? AND namespace = ? {exact} "  # noqa: S608
        "ORDER BY id DESC LIMIT 1",
        place if checkpoint_id is None else (*place, checkpoint_id),
    ).fetchone()
    return None if row is None else Head(*row)


def _batch(connection: sqlite3.Connection, query: Query, last: Found | None) -> list[Found]:
    conditions, values = ["TRUE"], list[str]()
    for condition, value in (
        ("thread = ?", query.thread),
        ("namespace = ?", query.namespace),
        ("id = ?", query.id),
        ("id < ?", query.before),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if last is not None:
        conditions.append("(id, thread, namespace) < (?, ?, ?)")
        values.extend((last.head.id, *last.place))
    rows = connection.execute(
        f"SELECT thread, namespace, {_HEAD} FROM checkpoints "  # noqa: S608
        f"WHERE {' AND '.join(conditions)} "
        f"ORDER BY id DESC, thread DESC, namespace DESC LIMIT {BATCH}",
        values,
    )
    return [Found(Place(*row[:2]), Head(*row[2:])) for row in rows]


def _stored(connection: sqlite3.Connection, found: Found) -> Stored:
    writes = connection.execute(
        "SELECT task, idx, path, channel, value FROM checkpoint_writes "
        "WHERE thread = ? AND namespace = ? AND checkpoint = ?",
        (*found.place, found.head.id),
    )
    items = _items(connection, found.place, ranges_of(found.head))
    return Stored(*found, items, [Write(*row) for row in writes])


def _items(connection: sqlite3.Connection, place: Place, ranges: Ranges) -> dict[int, bytes]:
    items: dict[int, bytes] = {}
    for one in ranges:
        items.update(
            tuple(row)
            for row in connection.execute(
                "SELECT number, data FROM checkpoint_items "
                "WHERE thread = ? AND namespace = ? AND number BETWEEN ? AND ?",
                (*place, *one),
            )
        )
    return items


def _put(connection: sqlite3.Connection, where: Place, drafted: Draft, *, alone: bool) -> None:
    placed = settle(drafted, _pool(connection, where), alone=alone)
    connection.executemany(
        "REPLACE INTO checkpoint_items (thread, namespace, number, data) VALUES (?, ?, ?, ?)",
        [(*where, number, item) for number, item in placed.new.items()],
    )
    head = placed.head
    connection.execute(
        f"REPLACE INTO checkpoints (thread, namespace, {_HEAD}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        (*where, head.id, head.parent, head.run, head.metadata, head.body),
    )
    if alone:
        _keep_only(connection, where, head.id, placed.ranges)


def _pool(connection: sqlite3.Connection, place: Place) -> Pool:
    """What a new checkpoint may share: the items of the newest one."""
    newest = _head(connection, place, None)
    items = {} if newest is None else _items(connection, place, ranges_of(newest))
    return Pool(_end(connection, place), {digest(data): number for number, data in items.items()})


def _end(connection: sqlite3.Connection, place: Place) -> int:
    """The number after the highest that is taken."""
    end: int = connection.execute(
        "SELECT coalesce(max(number), 0) + 1 FROM checkpoint_items "
        "WHERE thread = ? AND namespace = ?",
        place,
    ).fetchone()[0]
    return end


def _keep_only(
    connection: sqlite3.Connection, place: Place, checkpoint_id: str, ranges: Ranges
) -> None:
    """Delete all of a place but one checkpoint, and writes of newer ones that will come."""
    connection.execute(
        "DELETE FROM checkpoint_writes WHERE thread = ?1 AND namespace = ?2 AND checkpoint <> ?3 "
        "AND (checkpoint < ?3 OR checkpoint IN "
        "(SELECT id FROM checkpoints WHERE thread = ?1 AND namespace = ?2))",
        (*place, checkpoint_id),
    )
    connection.execute(
        "DELETE FROM checkpoints WHERE thread = ? AND namespace = ? AND id <> ?",
        (*place, checkpoint_id),
    )
    _keep_items(connection, place, ranges)


def _keep_items(
    connection: sqlite3.Connection, place: Place, ranges: Iterable[tuple[int, int]]
) -> None:
    connection.executemany(
        "DELETE FROM checkpoint_items "
        "WHERE thread = ? AND namespace = ? AND number BETWEEN ? AND ?",
        [(*place, *gap) for gap in gaps(ranges, _end(connection, place))],
    )


def _delete_runs(connection: sqlite3.Connection, runs: Sequence[str]) -> None:
    touched: set[Place] = set()
    for run in runs:
        found = connection.execute(
            "SELECT thread, namespace, id FROM checkpoints WHERE run = ?", (run,)
        ).fetchall()
        connection.execute("DELETE FROM checkpoints WHERE run = ?", (run,))
        connection.executemany(
            "DELETE FROM checkpoint_writes WHERE thread = ? AND namespace = ? AND checkpoint = ?",
            [tuple(row) for row in found],
        )
        touched.update(Place(*row[:2]) for row in found)
    for where in touched:
        heads = connection.execute(
            f"SELECT {_HEAD} FROM checkpoints WHERE thread = ? AND namespace = ?",  # noqa: S608
            where,
        )
        _keep_items(connection, where, [one for row in heads for one in ranges_of(Head(*row))])


def _copy(connection: sqlite3.Connection, source: str, target: str) -> None:
    if _places(connection, target):
        refuse_copy()
    for table, columns in (
        ("checkpoints", f"namespace, {_HEAD}"),
        ("checkpoint_items", "namespace, number, data"),
        ("checkpoint_writes", "namespace, checkpoint, task, idx, path, channel, value"),
    ):
        connection.execute(
            f"INSERT INTO {table} (thread, {columns}) "  # noqa: S608
            f"SELECT ?, {columns} FROM {table} WHERE thread = ?",
            (target, source),
        )


def _places(connection: sqlite3.Connection, thread: str) -> list[Place]:
    """The namespaces of a thread in which anything is kept."""
    rows = connection.execute(
        "SELECT thread, namespace FROM checkpoints WHERE thread = ?1 "
        "UNION SELECT thread, namespace FROM checkpoint_writes WHERE thread = ?1",
        (thread,),
    )
    return [Place(*row) for row in rows]
