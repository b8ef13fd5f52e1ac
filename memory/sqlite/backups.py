"""Copies the SQLite file for a backup; knows no archive and no objects."""

import sqlite3
from contextlib import closing
from pathlib import Path

from memory.errors import Unavailable


def copy_database(source: Path, target: Path) -> int:
    """Copy the file as of one point in time; its schema. Raises Unavailable."""
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
