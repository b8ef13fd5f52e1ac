"""A real archive in a fresh file, for what the tools and graphs do with one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from memory.records import Entry
from memory.sqlite.archive import SQLiteArchive
from memory.sqlite.database import Database


class TrialArchive(SQLiteArchive):
    """An archive that can be looked through whole; its database is at hand for variants of it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.database = database

    async def of(self, owner: str) -> list[Entry]:
        """An owner's entries with their contents, newest first."""
        page = await self.page(owner, limit=100)
        return [await self.get(owner, entry.id) for entry in page.items]


@asynccontextmanager
async def open_archive(folder: Path) -> AsyncIterator[TrialArchive]:
    database = await Database.open(folder / "tomato.db")
    yield TrialArchive(database)
    await database.close()
