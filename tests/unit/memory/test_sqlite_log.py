"""SQLite's write-ahead log: copied into the file beside the writes, emptied when told to."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
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


SECRET = b"secret"


@contextmanager
def reader(path: Path) -> Iterator[None]:
    """Another process' view of the file, as a backup's copy holds it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM notes").fetchone()
        yield


def files_with_secret(folder: Path) -> list[str]:
    return [file.name for file in folder.iterdir() if SECRET in file.read_bytes()]


async def is_wiped(path: Path) -> None:
    """So it is soon, though nobody writes."""
    for _ in range(100):
        if not files_with_secret(path.parent):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("what was deleted is still there")


async def test_who_reads_holds_up_neither_a_deletion_nor_its_wiping(database: Database) -> None:
    await database.write(noting(SECRET))
    with reader(database.path):
        await database.write(lambda connection: connection.execute("DELETE FROM notes"))
        async with asyncio.timeout(2):
            await database.forget()
            await database.write(noting(b"x"))
            await database.forget()
        assert "notes.db-wal" in files_with_secret(database.path.parent)
    await is_wiped(database.path)


async def test_a_log_that_goes_on_growing_behind_a_reader_is_wiped_and_copied(
    database: Database,
) -> None:
    await database.write(noting(SECRET))
    with reader(database.path):
        await database.write(lambda connection: connection.execute("DELETE FROM notes"))
        await database.forget()
        for _ in range(100):
            await database.write(noting(b"x" * 20_000))
    await is_wiped(database.path)
    assert log_of(database) == 0


async def test_what_a_crash_left_is_wiped_at_the_opening(
    database: Database, tmp_path: Path
) -> None:
    await database.write(noting(SECRET))
    await database.write(lambda connection: connection.execute("DELETE FROM notes"))
    crashed = tmp_path / "crashed"
    crashed.mkdir()
    for end in ("", "-wal"):
        shutil.copyfile(f"{database.path}{end}", crashed / f"notes.db{end}")
    assert "notes.db-wal" in files_with_secret(crashed)
    opened = await Database.open(crashed / "notes.db", SCHEMA)
    await is_wiped(opened.path)
    await opened.close()


async def test_a_wiping_that_is_owed_holds_up_no_closing(tmp_path: Path) -> None:
    database = await Database.open(tmp_path / "notes.db", SCHEMA)
    await database.write(noting(SECRET))
    with reader(database.path):
        await database.write(lambda connection: connection.execute("DELETE FROM notes"))
        await database.forget()
        async with asyncio.timeout(2):
            await database.close()
    opened = await Database.open(tmp_path / "notes.db", SCHEMA)
    await is_wiped(opened.path)
    await opened.close()
