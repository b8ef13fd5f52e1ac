"""Blobs that no row names, in SQLite: promised before they are written, or left by their row."""

import sqlite3

from memory.errors import Unavailable
from memory.sqlite.database import Database
from memory.times import now, to_micros


async def promise(database: Database, owner: str, blob: str) -> None:
    """Note a loose blob before its first byte is written."""
    row = (blob, owner, to_micros(now()))
    await database.write(
        lambda connection: connection.execute(
            "INSERT INTO loose_blobs (blob, owner, since) VALUES (?, ?, ?)", row
        )
    )


def keep_promise(connection: sqlite3.Connection, owner: str, blob: str) -> None:
    """A row names the blob now; Unavailable if it was given up meanwhile."""
    kept = connection.execute("DELETE FROM loose_blobs WHERE blob = ? AND owner = ?", (blob, owner))
    if kept.rowcount == 0:
        raise Unavailable("The upload took so long that it was given up. Send it again.")
