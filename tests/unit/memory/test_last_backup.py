"""A good backup is noted for servers, which read the note once in a while."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from memory import last_backup
from memory.errors import Unavailable
from memory.folder.objects import FolderObjects
from memory.last_backup import LastGood, last_good, made_at, noted

FIRST, SECOND = (
    "backups/20261122T030000000000Z.tar.zst",
    "backups/20261123T030000000000Z.tar.zst.enc",
)


class Counted(FolderObjects):
    """A folder that counts how often it was read, and can be away."""

    reads = 0
    away = False

    async def get(
        self, key: str, *, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        self.reads += 1
        if self.away:
            raise Unavailable("The folder is away.")
        async for chunk in super().get(key, start=start, length=length):
            yield chunk


@pytest.fixture
def store(tmp_path: Path) -> Counted:
    return Counted(tmp_path)


async def test_the_note_tells_when_the_last_one_was_made(store: Counted) -> None:
    assert await last_good(store) is None
    for name in (FIRST, SECOND):
        await noted(store, name)
        assert await last_good(store) == made_at(name)
    assert made_at(SECOND) == datetime(2026, 11, 23, 3, tzinfo=UTC)


async def test_what_is_no_backup_is_not_noted(store: Counted) -> None:
    with pytest.raises(ValueError):
        await noted(store, "backups/notes.txt")
    assert await last_good(store) is None


async def test_it_is_read_once_in_a_while(store: Counted, monkeypatch: pytest.MonkeyPatch) -> None:
    await noted(store, FIRST)
    known = LastGood(store)
    assert [await known.made_at() for _ in range(3)] == [made_at(FIRST)] * 3
    await noted(store, SECOND)
    assert await known.made_at() == made_at(FIRST)
    assert store.reads == 1
    monkeypatch.setattr(last_backup, "LOOK_SECONDS", 0.0)
    again = LastGood(store)
    assert await again.made_at() == made_at(SECOND)
    store.away = True
    assert await again.made_at() == made_at(SECOND)
    assert await LastGood(store).made_at() is None
