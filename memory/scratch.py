"""Folders for what is on the disk for a while; also those of killed processes go."""

import fcntl
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "tomato-scratch-"
LOCK = "lock"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder where the system has such (TMPDIR), which nobody else reads; gone at the end.

    What a process left that was killed goes now: it may hold what was deleted since.
    """
    parent = Path(tempfile.gettempdir())
    _sweep(parent)
    with (
        tempfile.TemporaryDirectory(prefix=PREFIX, dir=parent) as folder,
        Path(folder, LOCK).open("w") as lock,
    ):
        fcntl.flock(lock, fcntl.LOCK_EX)
        inner = Path(folder, "held")
        inner.mkdir()
        yield inner


def _sweep(parent: Path) -> None:
    for lock in parent.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(OSError), lock.open("a") as file:  # held, another user's, or just gone
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A folder that is being made has its lock a moment before that is held.
            if (lock.parent / "held").exists():
                shutil.rmtree(lock.parent)
