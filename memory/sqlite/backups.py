"""Copies the SQLite file for a backup and puts a copy in place; knows no archive and no objects."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from memory.errors import Conflict, Unavailable
from memory.sqlite.migrations import MIGRATIONS

FILE = "tomato.db"


class SQLiteBackup:
    """The Durable protocol on one SQLite file."""

    kind = "sqlite"
    schema = len(MIGRATIONS)

    def __init__(self, path: Path) -> None:
        self._path = path

    async def dump(self, folder: Path) -> Mapping[str, Any]:
        schema = await asyncio.to_thread(_copy, self._path, folder / FILE)
        return {"schema": schema, "consistent": True}

    async def prepare(self, manifest: Mapping[str, Any], *, overwrite: bool) -> None:
        if await asyncio.to_thread(self._path.exists) and not overwrite:
            raise Conflict(
                f"{self._path} exists; --overwrite replaces it.", code="target_not_empty"
            )

    async def load(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        """The file is there whole or not at all; the caller keeps servers off."""
        await asyncio.to_thread(_place, folder / FILE, self._path)

    async def drop_old_drills(self) -> None:
        """A drill of a file leaves none: its folder goes with the next scratch folder."""

    async def drop(self) -> None:
        for end in ("", "-wal", "-shm"):
            path = self._path.with_name(self._path.name + end)
            await asyncio.to_thread(path.unlink, missing_ok=True)


def _copy(source: Path, target: Path) -> int:
    """Copy the file as of one point in time; its schema."""
    try:
        with (
            closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as original,
            closing(sqlite3.connect(target)) as copy,
        ):
            original.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            version: int = copy.execute("PRAGMA user_version").fetchone()[0]
    except sqlite3.Error as error:
        raise Unavailable(f"The database {source} can't be read: {error}.") from error
    return version


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(f"{target.name}.restoring")
    shutil.copyfile(source, part)
    _check(part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.chmod(0o600)
    for log in ("-wal", "-shm"):
        target.with_name(target.name + log).unlink(missing_ok=True)
    part.replace(target)


def _check(path: Path) -> None:
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise Unavailable(f"The restored database is damaged: {found}.")
