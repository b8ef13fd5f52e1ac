"""A stream on the disk: bounded, read again, and gone at the end."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from memory.errors import TooLarge
from memory.objects import CHUNK_BYTES, as_chunks
from memory.spool import Spool


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 7])
async def test_what_came_is_read_again(tmp_path: Path, size: int) -> None:
    data = hashlib.shake_256(b"spool").digest(size)
    with await Spool.of(as_chunks(data), max_bytes=size, folder=tmp_path / "up") as spool:
        assert (spool.size, spool.digest) == (size, hashlib.sha256(data).hexdigest())
        spool.file.seek(size)  # whoever else reads the file is not disturbed
        for _ in range(2):
            assert b"".join([chunk async for chunk in spool.chunks()]) == data
    assert list((tmp_path / "up").iterdir()) == []


async def test_what_is_too_much_is_refused_before_the_rest_comes() -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield b"x" * 100

    with pytest.raises(TooLarge) as caught:
        await Spool.of(endless(), max_bytes=1_000)
    assert caught.value.details == {"max_bytes": 1_000}
    assert taken == 11


async def test_a_folder_that_cannot_be_used_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with await Spool.of(as_chunks(b"ok"), max_bytes=2, folder=tmp_path / "file") as spool:
        assert spool.size == 2
