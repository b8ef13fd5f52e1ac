"""An archive in a dict, for what the tools do with any archive."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from memory.errors import Conflict, NotFound, Stale
from memory.keys import new_id
from memory.records import Category, Entry, Found, Near, Page, Source
from memory.text import normalize, words
from memory.times import now


class MemoryArchive:
    """The Archive protocol over a dict; nearness is the overlap of words."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}

    def of(self, owner: str) -> list[Entry]:
        return [entry for entry in reversed(self.entries.values()) if entry.owner == owner]

    async def save(
        self, owner: str, *, label: str, category: str, content: str, source: Source | None = None
    ) -> Entry:
        self._refuse_twin(owner, content)
        entry = Entry(
            id=new_id("entry"),
            owner=owner,
            category=category,
            label=label,
            content=content,
            size=len(content.encode()),
            created_at=now(),
            updated_at=now(),
            source=source,
        )
        self.entries[entry.id] = entry
        return entry

    async def get(self, owner: str, entry_id: str) -> Entry:
        entry = self.entries.get(entry_id)
        if entry is None or entry.owner != owner:
            raise NotFound.of("archive entry")
        return entry

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
        entry = await self.get(owner, entry_id)
        if if_version not in (None, entry.version):
            raise Stale("changed")
        if content is not None:
            self._refuse_twin(owner, content, but=entry_id)
        self.entries[entry_id] = replace(
            entry,
            label=label or entry.label,
            category=category or entry.category,
            content=content or entry.content,
            version=entry.version + 1,
        )
        return self.entries[entry_id]

    async def delete(self, owner: str, entry_id: str) -> None:
        await self.get(owner, entry_id)
        del self.entries[entry_id]

    async def page(
        self, owner: str, *, category: str | None = None, limit: int, cursor: str | None = None
    ) -> Page[Entry]:
        found = [entry for entry in self.of(owner) if category in (None, entry.category)]
        items = [replace(entry, content="") for entry in found[:limit]]
        return Page(items, "more" if len(found) > limit else None)

    async def search(
        self,
        owner: str,
        query: str,
        *,
        category: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[Found]:
        wanted = words(query)
        found = []
        for entry in self.of(owner):
            text = f"{entry.label} {entry.category} {entry.content}".casefold()
            matched = tuple(word for word in wanted if word in text)
            if matched and category in (None, entry.category):
                found.append(Found(entry=entry, score=len(matched), matched=matched))
        found.sort(key=lambda one: -one.score)
        return Page(found[:limit])

    async def near(self, owner: str, content: str, *, limit: int = 5) -> Sequence[Near]:
        asked = set(words(content))
        found = []
        for entry in self.of(owner):
            known = set(words(entry.content))
            exact = normalize(entry.content) == normalize(content)
            overlap = len(asked & known) / max(1, min(len(asked), len(known)))
            if exact or overlap >= 0.4:
                found.append(Near(entry=entry, exact=exact, overlap=1.0 if exact else overlap))
        return sorted(found, key=lambda one: (-one.exact, -one.overlap))[:limit]

    async def categories(self, owner: str) -> Sequence[Category]:
        counts = Counter(entry.category for entry in self.of(owner))
        return [Category(name=name, count=count) for name, count in counts.most_common()]

    async def rename_category(self, owner: str, name: str, new_name: str) -> int:
        moved = [entry for entry in self.of(owner) if entry.category == name]
        for entry in moved:
            self.entries[entry.id] = replace(entry, category=new_name)
        return len(moved)

    async def digest(self, owner: str, *, max_tokens: int) -> str:
        return ""

    def _refuse_twin(self, owner: str, content: str, but: str | None = None) -> None:
        for entry in self.of(owner):
            if entry.id != but and normalize(entry.content) == normalize(content):
                raise Conflict("twin", code="duplicate", details={"id": entry.id})
