"""Examines the SQLite file: its pages, its references, its schema."""

import sqlite3
from collections.abc import Sequence

from memory.findings import Finding
from memory.sqlite.database import Database
from memory.sqlite.migrations import MIGRATIONS


async def examine(database: Database) -> Sequence[Finding]:
    """What the file is like; the larger it is, the longer it takes."""
    return await database.read(_examine)


def _examine(connection: sqlite3.Connection) -> list[Finding]:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    pages = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    strays = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    return [
        Finding("schema", "ok" if version == len(MIGRATIONS) else "problem", f"version {version}"),
        Finding("file", "ok" if pages == "ok" else "problem", f"pages: {pages}"),
        Finding("references", "problem" if strays else "ok", f"{strays} rows without their parent"),
    ]
