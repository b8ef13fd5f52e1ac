"""The nightly backup is due when it should be, and old ones go."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memory import backups
from memory.errors import Unavailable
from memory.folder.objects import FolderObjects
from memory.objects import as_chunks
from memory.retention import Keep
from server import backup_scheduler
from server.backup_scheduler import due_at, schedule, thin_out

NOW = datetime(2026, 11, 23, 20, tzinfo=UTC)


def test_the_next_is_due_at_its_time_in_its_zone_and_a_missed_one_at_once() -> None:
    seoul = due_at("03:00 Asia/Seoul", NOW - timedelta(hours=1), NOW)
    assert seoul == datetime(2026, 11, 24, 18, tzinfo=UTC)
    assert due_at("03:00", NOW - timedelta(days=2), NOW) <= NOW
    assert due_at("03:00", None, NOW) == NOW


async def test_old_backups_go_and_the_newest_stays(tmp_path: Path) -> None:
    store = await FolderObjects.open(tmp_path)
    now = datetime.now(UTC)
    for days in range(20):
        key = f"{backups.PREFIX}{now - timedelta(days=days):%Y%m%dT%H%M%S%fZ}.tar.zst"
        await store.put(key, as_chunks(b"x"))
    await store.put(f"{backups.PREFIX}notes.txt", as_chunks(b"not ours"))
    await thin_out(store, Keep(days=3, weeks=0, months=0))
    assert [one.key async for one in store.list(f"{backups.PREFIX}notes")]
    left = [one.key for one in await backups.listed(store)]
    assert len(left) in (3, 4)


async def test_a_failed_one_is_told_and_tried_again_and_the_process_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_scheduler, "FIRST_WAIT", 0.0)
    store, made = await FolderObjects.open(tmp_path), asyncio.Event()
    failures: list[Exception] = [Unavailable("the disk is away"), OSError("no room is left")]

    async def make() -> str:
        if failures:
            raise failures.pop(0)
        made.set()
        return f"{backups.PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.tar.zst"

    going_on = asyncio.create_task(schedule(store, make, at="03:00", keep=Keep()))
    async with asyncio.timeout(30):
        await made.wait()
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "the disk is away" in caplog.text
    assert "no room is left" in caplog.text
    assert not going_on.done()
    going_on.cancel()
