"""SQLite's write-ahead log: copied into the file beside the writes, emptied when told to."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory.sqlite.database import LOG_BYTES, Database, Work

SCHEMA = ("CREATE TABLE notes (id INTEGER PRIMARY KEY, text BLOB);",)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "notes.db", SCHEMA)
    yield database
    await database.close()


def log_of(database: Database) -> int:
    """Bytes of the log."""
    return Path(f"{database.path}-wal").stat().st_size


def noting(text: bytes) -> Work[object]:
    return lambda connection: connection.execute("INSERT INTO notes (text) VALUES (?)", [text])


async def test_a_long_log_is_copied_while_writes_go_on(database: Database) -> None:
    for _ in range(200):
        await database.write(noting(b"x" * 20_000))
    size = database.path.stat().st_size
    async with asyncio.timeout(10):
        # A log that is copied whole is begun anew, and cut, by the next write.
        while log_of(database) > LOG_BYTES:
            await asyncio.sleep(0.05)
            await database.write(noting(b"y"))
    assert size > 20_000 * 100
    with sqlite3.connect(database.path) as connection:
        found = connection.execute("SELECT count(*) FROM notes WHERE length(text) = 20000")
        assert found.fetchone() == (200,)


async def test_what_was_deleted_is_in_no_file_while_the_log_is_copied(database: Database) -> None:
    for number in range(20):
        secret = f"secret number {number}".encode()
        for _ in range(30):
            await database.write(noting(secret + bytes(9_000)))
        await database.write(lambda connection: connection.execute("DELETE FROM notes"))
        await database.forget()
        for file in database.path.parent.iterdir():
            assert secret not in file.read_bytes(), (number, file.name)
