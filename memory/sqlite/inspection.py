"""Examines the SQLite file: its pages, its references, its tables and indexes."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from memory.findings import Finding, version
from memory.sqlite.database import Database, fresh_schema
from memory.sqlite.migrations import MIGRATIONS

OLDEST = (3, 38)
"""The first whose RETURNING and JSON functions are always there."""


async def examine(path: Path, *, mend: bool = False) -> Sequence[Finding]:
    """What the file is like; the larger it is, the longer it takes.

    With ``mend`` missing indexes are made. Raises Newer for the file of a newer version,
    Unavailable if it can't be read.
    """
    database = await Database.open(path)
    try:
        return await _findings(database, mend)
    finally:
        await database.close()


async def _findings(database: Database, mend: bool) -> Sequence[Finding]:
    findings = await database.read(_examine)
    missing, wrong = await database.read(_differences)
    if not missing and not wrong:
        return [*findings, Finding("indexes", "ok", "tables and indexes as they should be")]
    if mend and missing and not wrong:
        await database.write(lambda connection: _make(connection, missing))
        return [*findings, Finding("indexes", "mended", f"made: {', '.join(missing)}")]
    names = ", ".join([*missing, *wrong])
    how = "restore a backup into a new file" if wrong else "`tomato doctor --repair`"
    return [*findings, Finding("indexes", "problem", f"missing or different: {names}", how)]


def _examine(connection: sqlite3.Connection) -> list[Finding]:
    schema = connection.execute("PRAGMA user_version").fetchone()[0]
    pages = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    strays = len(connection.execute("PRAGMA foreign_key_check").fetchall())
    said = f"schema {schema} of {len(MIGRATIONS)}"
    restore = "restore a backup into a new file"
    return [
        version("sqlite", sqlite3.sqlite_version, OLDEST, said),
        Finding("file", "ok", "its pages are whole")
        if pages == "ok"
        else Finding("file", "problem", "its pages are damaged", restore),
        Finding("references", "ok", "no row without its parent")
        if not strays
        else Finding("references", "problem", f"{strays} rows without their parent", restore),
    ]


def _differences(connection: sqlite3.Connection) -> tuple[Mapping[str, str], Sequence[str]]:
    """The indexes that are missing, by name, and the names of what is there in another form."""
    there, wanted = _schema(connection), _schema(fresh_schema())
    missing = {
        name: sql
        for (kind, name), sql in wanted.items()
        if kind == "index" and (kind, name) not in there
    }
    wrong = [name for (kind, name), sql in wanted.items() if there.get((kind, name), sql) != sql]
    wrong += [name for kind, name in wanted if kind == "table" and (kind, name) not in there]
    return missing, wrong


def _schema(connection: sqlite3.Connection) -> Mapping[tuple[str, str], str]:
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {(row[0], row[1]): row[2] for row in rows}


def _make(connection: sqlite3.Connection, missing: Mapping[str, str]) -> None:
    for sql in missing.values():
        connection.execute(sql)
