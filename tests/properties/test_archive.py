"""Whatever is done to an archive, it holds what a plain dictionary would, and finds just that."""

import asyncio
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from memory.archive_rules import fingerprint
from memory.errors import Conflict, Invalid, NotFound, Stale
from memory.lexical import entry_terms, lone_characters, query_terms
from memory.records import Entry
from memory.sqlite.archive import SQLiteArchive
from memory.sqlite.database import Database
from memory.sqlite.postings import COUNT

OWNERS = st.sampled_from(["user_me", "user_other"])
LABELS = st.sampled_from(["레디스 만료", "Passport", "getUserName bug", "👨‍👩‍👧‍👦 가족", "a"])
CATEGORIES = st.sampled_from(["개발", "Travel", "travel plans", "요리"])
WORD_LIST = [
    *("레디스", "만료는", "세션이", "김치찌개를", "집", "30분", "여권"),
    *("server", "running", "runs", "the", "user_service.py", "getUserName", "ERR_AUTH_401", "café"),
    *("!!", "%", "OR", "*", '"', "'", "--", "\\", "💡"),
]
CONTENTS = st.lists(st.sampled_from(WORD_LIST), min_size=1, max_size=8).map(" ".join)
PICK = st.integers(0, 10**6)

TABLES = ("postings", "indexed_entries", "entries")


class ArchiveMachine(RuleBasedStateMachine):
    """An archive in a file beside a dictionary of what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.database = self.run(Database.open(Path(self.folder.name) / "one.db"))
        self.archive = SQLiteArchive(self.database)
        self.held: dict[str, Entry] = {}

    def run(self, work: Any) -> Any:
        return self.runner.run(work)

    def teardown(self) -> None:
        self.run(self.database.close())
        self.runner.close()
        self.folder.cleanup()

    def of(self, owner: str) -> list[Entry]:
        return [entry for entry in self.held.values() if entry.owner == owner]

    def same(self, owner: str, content: str, but: str = "") -> list[str]:
        return [
            entry.id
            for entry in self.of(owner)
            if entry.id != but and fingerprint(entry.content) == fingerprint(content)
        ]

    @rule(owner=OWNERS, label=LABELS, category=CATEGORIES, content=CONTENTS)
    def save(self, owner: str, label: str, category: str, content: str) -> None:
        known = self.same(owner, content)
        if known:
            with pytest.raises(Conflict) as refused:
                self.run(self.archive.save(owner, label=label, category=category, content=content))
            assert [refused.value.details["id"]] == known
            return
        entry = self.run(self.archive.save(owner, label=label, category=category, content=content))
        assert (entry.label, entry.category, entry.content) == (label, category, content)
        self.held[entry.id] = entry

    @rule(
        pick=PICK,
        label=st.none() | LABELS,
        category=st.none() | CATEGORIES,
        content=st.none() | CONTENTS,
        behind=st.sampled_from([None, 0, 1]),
    )
    def update(
        self,
        pick: int,
        label: str | None,
        category: str | None,
        content: str | None,
        behind: int | None,
    ) -> None:
        if not self.held:
            return
        before = list(self.held.values())[pick % len(self.held)]
        change = {"label": label, "category": category, "content": content}
        version = None if behind is None else before.version - behind
        update = self.archive.update(before.owner, before.id, **change, if_version=version)
        known = [] if content is None else self.same(before.owner, content, before.id)
        if behind == 1 or known:
            with pytest.raises(Stale if behind == 1 else Conflict) as refused:
                self.run(update)
            assert behind == 1 or [refused.value.details["id"]] == known
            return
        after = self.run(update)
        for name, value in change.items():
            assert getattr(after, name) == (getattr(before, name) if value is None else value)
        self.held[before.id] = after

    @rule(pick=PICK, stranger=st.booleans())
    def delete(self, pick: int, stranger: bool) -> None:
        if not self.held:
            return
        entry = list(self.held.values())[pick % len(self.held)]
        owner = "user_stranger" if stranger else entry.owner
        try:
            self.run(self.archive.delete(owner, entry.id))
        except NotFound:
            assert stranger
            return
        assert not stranger
        del self.held[entry.id]

    @rule(owner=OWNERS, name=CATEGORIES, new_name=CATEGORIES)
    def rename(self, owner: str, name: str, new_name: str) -> None:
        inside = [entry.id for entry in self.of(owner) if entry.category == name]
        try:
            moved = self.run(self.archive.rename_category(owner, name, new_name))
        except NotFound:
            assert not inside
            return
        assert moved == len(inside)
        for entry_id in inside:
            self.held[entry_id] = self.run(self.archive.get(owner, entry_id))
            assert self.held[entry_id].category == new_name

    @rule(owner=OWNERS, query=CONTENTS, category=st.none() | CATEGORIES)
    def search(self, owner: str, query: str, category: str | None) -> None:
        found = self.run(self.archive.search(owner, query, category=category, limit=100)).items
        wanted = set(query_terms(query))
        for one in found:
            entry = self.held[one.entry.id]
            assert entry.owner == owner
            assert category in (None, entry.category)
            terms = entry_terms(entry.label, entry.category, entry.content).all()
            assert wanted & terms.keys() or lone_characters(query_terms(query))
        scores = [one.score for one in found]
        assert scores == sorted(scores, reverse=True)

    @rule(pick=PICK)
    def what_is_there_is_found_by_its_own_words(self, pick: int) -> None:
        if not self.held:
            return
        entry = list(self.held.values())[pick % len(self.held)]
        if not query_terms(entry.content):
            return
        found = self.run(self.archive.search(entry.owner, entry.content, limit=100)).items
        assert entry.id in [one.entry.id for one in found]

    @rule(owner=OWNERS, content=CONTENTS)
    def near(self, owner: str, content: str) -> None:
        found = self.run(self.archive.near(owner, content))
        assert [one.entry.id for one in found if one.exact] == self.same(owner, content)
        assert all(one.entry.owner == owner for one in found)

    @rule(owner=OWNERS, query=st.text(max_size=30))
    def anything_may_be_asked(self, owner: str, query: str) -> None:
        assert self.run(self.archive.search(owner, query, limit=5)) is not None

    @rule(owner=OWNERS, cursor=st.text(max_size=10))
    def no_cursor_breaks_it(self, owner: str, cursor: str) -> None:
        try:
            self.run(self.archive.page(owner, limit=2, cursor=cursor))
        except Invalid:
            assert cursor is not None

    @invariant()
    def it_holds_what_was_kept(self) -> None:
        for owner in ("user_me", "user_other"):
            kept: list[str] = []
            cursor = None
            while True:
                page = self.run(self.archive.page(owner, limit=2, cursor=cursor))
                kept += [entry.id for entry in page.items]
                if (cursor := page.next_cursor) is None:
                    break
            assert kept == [entry.id for entry in reversed(self.of(owner))]
            counts = {one.name: one.count for one in self.run(self.archive.categories(owner))}
            categories = [entry.category for entry in self.of(owner)]
            assert counts == {name: categories.count(name) for name in set(categories)}

    @invariant()
    def its_index_holds_that_and_no_more(self) -> None:
        wanted: dict[str, int] = {}
        for entry in self.held.values():
            for term in entry_terms(entry.label, entry.category, entry.content).all():
                wanted[f"{entry.owner} {term}"] = wanted.get(f"{entry.owner} {term}", 0) + 1

        def work(connection: sqlite3.Connection) -> tuple[dict[str, int], dict[str, int]]:
            named = "SELECT owner || ' ' || term AS name, {} AS held FROM postings JOIN archives"
            named += " ON archive = number WHERE entry {} {}"
            counted = connection.execute(named.format("weight", "=", COUNT))
            counts = {row["name"]: row["held"] for row in counted}
            listed = connection.execute(named.format("count(*)", "<", f"{COUNT} GROUP BY 1"))
            return counts, {row["name"]: row["held"] for row in listed}

        counts, listed = self.run(self.database.read(work))
        assert counts == listed == wanted


TestArchive = ArchiveMachine.TestCase
TestArchive.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)


def test_not_a_byte_stays_of_what_was_deleted(tmp_path: Path) -> None:
    """Neither contents nor labels nor search terms, nor names of categories."""

    async def live() -> None:
        database = await Database.open(tmp_path / "one.db")
        archive = SQLiteArchive(database)
        secret = "비밀번호는 zanzibarquokka 이고 서랍에 있다"
        entries = [
            await archive.save(
                "user_me", label=f"quagga{n}", category="okapitown", content=f"{secret} {n}"
            )
            for n in range(200)
        ]
        kept = await archive.save("user_me", label="kept", category="kept", content="other words")
        await archive.update("user_me", entries[0].id, content="pangolinsong", label="mongoosehum")
        await archive.rename_category("user_me", "okapitown", "numbatville")
        for entry in entries:
            await archive.delete("user_me", entry.id)
        await database.forget()
        assert (await archive.search("user_me", "other words", limit=5)).items[
            0
        ].entry.id == kept.id
        await database.close()

    asyncio.run(live())
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for word in (
        *("비밀", "서랍", "zanzibar", "quagga", "okapi", "pangolin", "mongoose", "numbat"),
    ):
        assert word.encode() not in stored, word
