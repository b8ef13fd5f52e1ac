"""Any archive, taken out and into an empty one, is taken out again as the same bytes."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.archive_transfer import Import, lines_of
from memory.errors import Conflict, Invalid
from memory.objects import as_chunks
from memory.records import Entry, File, Source
from memory.text import is_blank
from server.settings import Settings
from server.stores import Stores, open_stores

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
CONTENTS = TEXT | st.builds(lambda text: text + " 긴 줄\r\n" * 9_000, TEXT)
LABELS = st.sampled_from(["레디스 만료", "👨‍👩‍👧‍👦 가족", "Passport", "e\u0301"]) | TEXT
CATEGORIES = st.sampled_from(["개발", "Travel", "요리"])
SOURCES = st.none() | st.builds(Source, room_id=TEXT, key=TEXT)
DATA = st.binary(max_size=50) | st.just(b"tomato" * 70_000)
PICK = st.integers(0, 10)
STEPS = st.lists(
    st.tuples(st.just("save"), LABELS, CATEGORIES, CONTENTS, SOURCES)
    | st.tuples(st.just("again"), TEXT.filter(lambda text: not is_blank(text)))
    | st.tuples(st.just("change"), PICK, LABELS, CONTENTS)
    | st.tuples(st.just("attach"), PICK, st.sampled_from(["a.txt", "표.bin", "👩‍👩‍👧.png"]), DATA)
    | st.tuples(st.just("rename"), CATEGORIES, CATEGORIES)
    | st.tuples(st.just("delete"), PICK),
    max_size=12,
)
MOMENT = datetime(2020, 1, 1, tzinfo=UTC)


class World:
    """Two stores that stay open, and a new owner in both for each archive."""

    def __init__(self, folder: Path) -> None:
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.owners = count()
        self.here, self.there = (
            self.runner.run(self._open(folder / name)) for name in ("here", "there")
        )

    async def _open(self, folder: Path) -> Stores:
        return await self.stack.enter_async_context(open_stores(Settings(data=folder)))

    def close(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        yield world
        world.close()


async def do(stores: Stores, owner: str, step: Sequence[Any]) -> None:
    archive = stores.archive
    entries = (await archive.page(owner, limit=20)).items
    match step:
        case ["save", label, category, content, source]:
            await archive.save(
                owner, label=label, category=category, content=content, source=source
            )
        case ["again", content] if entries:  # of the same moment as all others made so
            entry = replace(entries[0], id=f"{entries[0].id}x", content=content, files=())
            await archive.add(replace(entry, created_at=MOMENT, size=len(content.encode())))
        case ["change", pick, label, content] if entries:
            entry = entries[pick % len(entries)]
            await archive.update(owner, entry.id, label=label, content=content)
        case ["attach", pick, name, data] if entries:
            entry = entries[pick % len(entries)]
            await stores.attachments.put(
                owner, entry.id, name, as_chunks(data), content_type="a/b", overwrite=True
            )
        case ["rename", name, new_name] if any(one.category == name for one in entries):
            await archive.rename_category(owner, name, new_name)
        case ["delete", pick] if entries:
            await archive.delete(owner, entries[pick % len(entries)].id)


def never(entry: Entry, file: File) -> None:
    raise AssertionError(f"{file.name} of {entry.id} is missing")


def refuse(number: int, why: str) -> None:
    raise AssertionError(f"line {number}: {why}")


async def exported(stores: Stores, owner: str) -> list[bytes]:
    return [one async for one in lines_of(stores.archive, stores.attachments, owner, never)]


async def there_and_back(world: World, steps: Sequence[Sequence[Any]]) -> None:
    owner = f"user_{next(world.owners)}"
    for step in steps:
        with suppress(Conflict, Invalid):
            await do(world.here, owner, step)
    lines = await exported(world.here, owner)

    async def each() -> AsyncIterator[bytes | None]:
        for line in lines:
            yield line

    there = world.there
    await Import(there.archive, there.attachments, owner, refuse).take(each())
    assert await exported(there, owner) == lines


@settings(max_examples=40, deadline=None)
@given(steps=STEPS)
def test_any_archive_comes_back_to_the_byte(world: World, steps: Sequence[Sequence[Any]]) -> None:
    world.runner.run(there_and_back(world, steps))
