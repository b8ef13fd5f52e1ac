"""One SQLite file, opened for many readers and one writer; knows connections, no tables.

A unit of work is a plain function of a connection that runs on a thread of its own, so that the
event loop never waits for the disk, and so that a cancelled caller can never leave a transaction
half done: the function runs to its commit or to its rollback, whoever still listens.
"""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Self, TypeVar

from memory.archive_rules import fingerprint
from memory.errors import Newer, Unavailable
from memory.sqlite.migrations import MIGRATIONS

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

BUSY_SECONDS = 5.0
READERS = 4
LOG_BYTES = 128 * 4096
"""How large the write-ahead log may grow before it is copied into the file, beside the writes."""
LOG_SHARE = 16
"""The log of a large file may grow to one part in this many of the file's size."""
MOST_LOG_BYTES = 16 * 1024 * 1024
"""How large the log of any file may grow before it is copied."""
FULL_LOG_PAGES = 4 * MOST_LOG_BYTES // 4096
"""From this length on a write checkpoints the log itself.

The background copy should have begun long before.
"""
WIPE_SECONDS = 0.05
"""How long the emptying of the log waits for those who read from it; all writes wait with it."""
WIPE_AGAIN_SECONDS = 0.25
"""How long after a reader was in its way the emptying of the log is tried again."""


class Database:
    """Units of work on one file: ``write`` is one transaction, ``read`` one consistent view."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._connections = threading.local()
        self._opened: list[sqlite3.Connection] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sqlite-write")
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="sqlite-read")
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="sqlite-log")
        self._copying = threading.Lock()
        self._owed = threading.Event()
        self._closing = threading.Event()

    @classmethod
    async def open(cls, path: Path, migrations: Sequence[str] = MIGRATIONS) -> Self:
        """Open ``path``, creating and migrating as needed.

        Raises Newer, with the file untouched, if a newer version wrote it, and Unavailable if it
        can't be opened.
        """
        database = cls(path)
        left = await asyncio.to_thread(database._log_size)
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True, mode=0o700)
        try:
            await database._run(
                database._writer, lambda connection: _migrate(connection, migrations)
            )
        except BaseException:
            await database.close()
            raise
        if left:  # what was deleted may be in it: by whom nobody knows any more
            with database._copying:
                database._owe_wipe()
        return database

    async def write(self, work: Work[T]) -> T:
        """Run ``work`` in one transaction; all of it is on disk at return, or none of it."""
        return await self._run(self._writer, lambda connection: self._write(connection, work))

    async def read(self, work: Work[T]) -> T:
        """Run ``work`` on one consistent view of the file."""
        return await self._run(self._readers, lambda connection: _view(connection, work))

    async def forget(self) -> None:
        """Empty the write-ahead log, so that no byte of what was deleted stays in it.

        While others read from it, as a backup does, that can't be: then it is emptied as soon as
        they have done, or at the next opening.
        """
        await self._run(self._writer, self._empty_log)

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._closing.set()
        self._readers.shutdown()
        self._writer.shutdown()
        self._keeper.shutdown()
        while self._opened:
            self._opened.pop().close()

    def _write(self, connection: sqlite3.Connection, work: Work[T]) -> T:
        result = _transaction(connection, work)
        if not (self._copying.locked() or self._owed.is_set()) and self._log_is_long():
            self._keeper.submit(self._copy_log)
        return result

    def _log_is_long(self) -> bool:
        try:
            file = self.path.stat().st_size
        except OSError:
            return False  # what was written is written, whatever becomes of the log
        return self._log_size() > min(max(LOG_BYTES, file // LOG_SHARE), MOST_LOG_BYTES)

    def _log_size(self) -> int:
        try:
            return Path(f"{self.path}-wal").stat().st_size
        except OSError:
            return 0

    def _copy_log(self) -> None:
        """Copy the log into the file; no write waits for it."""
        with self._copying, suppress(sqlite3.Error):  # the next write has it done again
            self._connection().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def _empty_log(self, connection: sqlite3.Connection) -> None:
        # SQLite refuses a second copier at once, without waiting for the first.
        with self._copying:
            if not _emptied(connection):
                self._owe_wipe()

    def _owe_wipe(self) -> None:
        """Have the log emptied once nobody reads from it; the caller holds ``_copying``."""
        if not self._owed.is_set():
            self._owed.set()
            self._keeper.submit(self._wipe)

    def _wipe(self) -> None:
        """Try to empty the log until it is done; each try copies what can be copied."""
        while True:
            with self._copying, suppress(sqlite3.Error):
                if _emptied(self._connection()):
                    self._owed.clear()
                    return
            if self._closing.wait(WIPE_AGAIN_SECONDS):
                return

    async def _run(self, pool: ThreadPoolExecutor, work: Work[T]) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(pool, lambda: work(self._connection()))
        except (sqlite3.OperationalError, sqlite3.DatabaseError) as error:
            if isinstance(error, sqlite3.IntegrityError | sqlite3.ProgrammingError):
                raise
            raise Unavailable("The data file can't be read or written now.") from error

    def _connection(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._connections, "own", None)
        if connection is None:
            connection = _connect(self.path)
            self._connections.own = connection
            self._opened.append(connection)
        return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    # A commit must outlive a power cut: in WAL mode only FULL waits for the disk.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {FULL_LOG_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
    return connection


def _emptied(connection: sqlite3.Connection) -> bool:
    """Copy the log into the file and empty it; False if somebody reads from it or writes."""
    connection.execute(f"PRAGMA busy_timeout = {WIPE_SECONDS * 1000:.0f}")
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000:.0f}")
    return not busy


def _transaction(connection: sqlite3.Connection, work: Work[T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # A full disk may already have ended the transaction.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def _view(connection: sqlite3.Connection, work: Work[T]) -> T:
    connection.execute("BEGIN")
    try:
        return work(connection)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def fresh_schema(migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """An empty database in memory as all migrations leave one."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.create_function("fingerprint_of", 1, fingerprint, deterministic=True)
    for script in migrations:
        for statement in _statements(script):
            connection.execute(statement)
    return connection


def _migrate(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    version = _version(connection)
    if version > len(migrations):
        raise Newer(
            f"The data file has schema version {version}; this version of Tomato knows up to "
            f"{len(migrations)}. Nothing was changed: open it with the newer Tomato."
        )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.create_function("fingerprint_of", 1, fingerprint, deterministic=True)
    while _version(connection) < len(migrations):
        _transaction(connection, lambda one: _migrate_once(one, migrations))


def _migrate_once(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    version = _version(connection)  # read again under the lock: another process may be first
    if version >= len(migrations):
        return
    for statement in _statements(migrations[version]):
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version + 1:d}")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _statements(script: str) -> list[str]:
    """A migration's statements; executescript() would commit the transaction around them."""
    statements, pending = [], ""
    for line in script.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    if pending.strip():
        raise ValueError("a migration's last statement is not complete")
    return statements
