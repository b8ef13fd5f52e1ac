"""The data folder belongs to one server at a time; knows a lock file, no tables."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memory.errors import Conflict, Unavailable


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other servers off ``folder``; the system frees it even if the process is killed.

    Raises Conflict ``data_in_use`` while another server has it, Unavailable if it can't be used.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise Unavailable(f"The data folder {folder} can't be used: {error.strerror}.") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(
                f"The data folder {folder} is in use by another Tomato.", code="data_in_use"
            ) from error
        yield
