"""The scheduler as a process: a missed backup at once, alone on its data, an orderly end."""

import asyncio
from pathlib import Path

from click.testing import CliRunner

from server.cli import main
from tests.services.tomato_server import TOMATO, TomatoServer

PATIENCE_SECONDS = 60


async def test_a_missed_backup_is_made_and_the_process_ends_in_order(
    live_server: TomatoServer, tmp_path: Path
) -> None:
    environment = live_server.environment | {
        "TOMATO_BACKUP_AT": "03:00 Asia/Seoul",
        "TMPDIR": str(tmp_path / "scratch"),
    }
    (tmp_path / "scratch").mkdir()
    command = [str(TOMATO), "backup", "schedule", "--store", str(tmp_path / "other-disk")]
    pipe = asyncio.subprocess.PIPE
    first = await asyncio.create_subprocess_exec(*command, env=environment, stdout=pipe)
    assert first.stdout is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        key = (await first.stdout.readline()).decode().strip()
        second = await asyncio.create_subprocess_exec(*command, env=environment, stderr=pipe)
        _, told = await second.communicate()
    assert second.returncode == 1
    assert "in use by another" in told.decode()
    first.terminate()
    assert await asyncio.wait_for(first.wait(), PATIENCE_SECONDS) == 0
    assert list((tmp_path / "scratch").iterdir()) == []
    assert (tmp_path / "other-disk" / key).is_file()


def test_without_a_time_it_says_what_to_set(tmp_path: Path) -> None:
    ran = CliRunner().invoke(main, ["backup", "schedule", "--data", str(tmp_path)])
    assert ran.exit_code == 1
    assert "TOMATO_BACKUP_AT" in ran.output
