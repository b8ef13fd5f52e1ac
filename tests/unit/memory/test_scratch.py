"""Scratch folders are gone at the end, after a kill with the next one, and never in use."""

import subprocess
import sys
from pathlib import Path

import pytest

from memory.scratch import scratch_folder

HOLD = """
from memory.scratch import scratch_folder
with scratch_folder() as folder:
    (folder / "said").write_text("secret")
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def test_it_is_gone_at_the_end(tmp_path: Path) -> None:
    with scratch_folder() as folder, scratch_folder() as other:
        (folder / "said").write_text("secret")
        assert folder != other
        assert folder.parent.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == []


def test_one_of_a_killed_process_goes_and_one_in_use_stays(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        theirs = Path(process.stdout.readline().strip())
        with scratch_folder():
            assert (theirs / "said").read_text() == "secret"
        process.kill()
    assert (theirs / "said").exists()
    with scratch_folder():
        assert not theirs.parent.exists()
