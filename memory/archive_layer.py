"""An archive around another: what a layer does not change is handed on."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from memory.protocols import Archive
from memory.records import Category, Entry, Found, Near, Page, Source


class ArchiveLayer:
    """The Archive protocol by the inner one; ``changed`` is told of each change that was tried."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive

    async def changed(self, owner: str) -> None:
        """Called after a change of the owner's archive, or after one that may have failed."""

    @asynccontextmanager
    async def changing(self, owner: str) -> AsyncIterator[None]:
        """Around each change of the owner's archive."""
        try:
            yield
        finally:
            await self.changed(owner)

    async def save(
        self, owner: str, *, label: str, category: str, content: str, source: Source | None = None
    ) -> Entry:
        async with self.changing(owner):
            return await self._archive.save(
                owner, label=label, category=category, content=content, source=source
            )

    async def add(self, entry: Entry) -> Entry:
        async with self.changing(entry.owner):
            return await self._archive.add(entry)

    async def get(self, owner: str, entry_id: str) -> Entry:
        return await self._archive.get(owner, entry_id)

    async def update(
        self,
        owner: str,
        entry_id: str,
        *,
        label: str | None = None,
        category: str | None = None,
        content: str | None = None,
        if_version: int | None = None,
    ) -> Entry:
        async with self.changing(owner):
            return await self._archive.update(
                owner,
                entry_id,
                label=label,
                category=category,
                content=content,
                if_version=if_version,
            )

    async def delete(self, owner: str, entry_id: str) -> None:
        async with self.changing(owner):
            await self._archive.delete(owner, entry_id)

    async def page(
        self,
        owner: str,
        *,
        category: str | None = None,
        limit: int,
        cursor: str | None = None,
        oldest_first: bool = False,
    ) -> Page[Entry]:
        return await self._archive.page(
            owner, category=category, limit=limit, cursor=cursor, oldest_first=oldest_first
        )

    async def search(
        self,
        owner: str,
        query: str,
        *,
        category: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[Found]:
        return await self._archive.search(
            owner, query, category=category, limit=limit, cursor=cursor
        )

    async def near(self, owner: str, content: str, *, limit: int = 5) -> Sequence[Near]:
        return await self._archive.near(owner, content, limit=limit)

    async def categories(self, owner: str) -> Sequence[Category]:
        return await self._archive.categories(owner)

    async def rename_category(self, owner: str, name: str, new_name: str) -> int:
        async with self.changing(owner):
            return await self._archive.rename_category(owner, name, new_name)

    async def digest(self, owner: str, *, max_tokens: int) -> str:
        return await self._archive.digest(owner, max_tokens=max_tokens)
