"""The nightly backup is due when it should be, and old ones go."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from memory import backups
from memory.folder.objects import FolderObjects
from memory.objects import as_chunks
from memory.retention import Keep
from server.backup_scheduler import due_at, thin_out

NOW = datetime(2026, 11, 23, 20, tzinfo=UTC)


def test_the_next_is_due_at_its_time_in_its_zone_and_a_missed_one_at_once() -> None:
    seoul = due_at("03:00", "Asia/Seoul", NOW - timedelta(hours=1), NOW)
    assert seoul == datetime(2026, 11, 24, 18, tzinfo=UTC)
    assert due_at("03:00", "UTC", NOW - timedelta(days=2), NOW) <= NOW
    assert due_at("03:00", "UTC", None, NOW) == NOW


async def test_old_backups_go_and_the_newest_stays(tmp_path: Path) -> None:
    store = await FolderObjects.open(tmp_path)
    now = datetime.now(UTC)
    for days in range(20):
        key = f"{backups.PREFIX}{now - timedelta(days=days):%Y%m%dT%H%M%S%fZ}.tar.zst"
        await store.put(key, as_chunks(b"x"))
    await thin_out(store, Keep(days=3, weeks=0, months=0))
    assert len(await backups.listed(store)) in (3, 4)
