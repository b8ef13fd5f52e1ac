"""Saving to an archive so that the same thing, said again, makes no second entry."""

import asyncio
from dataclasses import dataclass
from typing import Literal

from memory.archive_rules import check_content
from memory.errors import Conflict, Stale
from memory.protocols import Archive
from memory.records import Entry, Near, Source
from memory.text import LABEL_LIMIT, cut_label
from tools.caller import Caller
from tools.drafting import Drafter
from tools.errors import ToolFailed
from tools.labels import category_problem, extract_label, label_problem, tidy
from tools.overlap import merge, most_alike

Outcome = Literal["saved", "already_saved", "updated"]

ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """The entry that holds the content now, and what it took: a new one, or one that was there."""

    outcome: Outcome
    entry: Entry


class Saver:
    """Saves contents, drafting what the person didn't name."""

    def __init__(self, archive: Archive, drafter: Drafter) -> None:
        self._archive = archive
        self._drafter = drafter

    async def save(
        self, caller: Caller, content: str, label: str | None, category: str | None
    ) -> Saved:
        """Save ``content``: into an entry that it repeats or extends, or else as a new one."""
        if not content.strip():
            raise ToolFailed("The content is empty. Give the text that is to be saved, in full.")
        check_content(content)
        for _ in range(ATTEMPTS):
            # Another save may come between looking and writing: then look again.
            try:
                return await self._into_known(caller, content) or await self._as_new(
                    caller, content, label, category
                )
            except Stale:
                continue
            except Conflict as error:
                if error.code != "duplicate":
                    raise
        raise ToolFailed("The archive is being changed at the same time. Try once more.")

    async def _into_known(self, caller: Caller, content: str) -> Saved | None:
        nearest = await self._archive.near(caller.user, content)
        for near in nearest:
            if near.exact:
                return Saved(outcome="already_saved", entry=near.entry)
        entries = [await self._whole(caller, near) for near in nearest]
        alike = most_alike([entry.content for entry in entries], content)
        if alike is None:
            return None
        entry = entries[alike[0]]
        if alike[1] == "said":
            return Saved(outcome="already_saved", entry=entry)
        updated = await self._archive.update(
            caller.user,
            entry.id,
            content=merge(entry.content, content),
            if_version=entry.version,
        )
        return Saved(outcome="updated", entry=updated)

    async def _whole(self, caller: Caller, near: Near) -> Entry:
        if near.entry.content:
            return near.entry
        return await self._archive.get(caller.user, near.entry.id)

    async def _as_new(
        self, caller: Caller, content: str, label: str | None, category: str | None
    ) -> Saved:
        text, (place, _) = await asyncio.gather(
            self._label(content, label),
            self._drafter.place(caller.user, content, _usable(category)),
        )
        entry = await self._archive.save(
            caller.user, label=text, category=place, content=content, source=_source(caller)
        )
        return Saved(outcome="saved", entry=entry)

    async def _label(self, content: str, label: str | None) -> str:
        """The named label, or a drafted one; what a person wants saved is never without one."""
        named = cut_label(tidy(label or ""), LABEL_LIMIT)
        if label_problem(named) is None:
            return named
        return (await self._drafter.label(content)).text or extract_label(content)


def _usable(category: str | None) -> str | None:
    return None if category is None or category_problem(tidy(category)) else category


def _source(caller: Caller) -> Source | None:
    if caller.room_id is None or caller.question_key is None:
        return None
    return Source(room_id=caller.room_id, key=caller.question_key)
