"""What object storage promises, held against a folder and a real S3 server."""

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from memory.errors import Invalid, NotFound
from memory.folder.objects import FolderObjects
from memory.objects import Objects, as_chunks, read_whole
from memory.s3.objects import PART_BYTES, S3Objects
from tests.services.s3 import Bucket

MEGABYTE = 1024 * 1024
LARGE = 2 * PART_BYTES + 12_345


@asynccontextmanager
async def in_folder(request: pytest.FixtureRequest) -> AsyncIterator[Objects]:
    folder: Path = request.getfixturevalue("tmp_path")
    yield await FolderObjects.open(folder / "objects")


@asynccontextmanager
async def on_s3(request: pytest.FixtureRequest) -> AsyncIterator[Objects]:
    bucket: Bucket = request.getfixturevalue("s3")
    async with S3Objects.open(
        bucket.endpoint,
        access_key=bucket.access_key,
        secret_key=bucket.secret_key,
        bucket=bucket.bucket,
        secure=False,
    ) as objects:
        yield objects


@pytest.fixture(params=[in_folder, on_s3])
async def objects(request: pytest.FixtureRequest) -> AsyncIterator[Objects]:
    async with request.param(request) as opened:
        yield opened


async def keys(objects: Objects, prefix: str = "") -> list[str]:
    return sorted([one.key async for one in objects.list(prefix)])


@pytest.mark.parametrize("size", [0, 1, 300_000, LARGE])
async def test_what_was_put_is_read_back(objects: Objects, size: int) -> None:
    data = hashlib.shake_256(b"tomato").digest(size)
    assert await objects.put("a/b", as_chunks(data)) == size
    assert await read_whole(objects, "a/b") == data
    assert (await objects.stat("a/b")).size == size


async def test_a_part_of_it_can_be_read(objects: Objects) -> None:
    await objects.put("a", as_chunks(b"0123456789"))
    for start, length, part in ((2, 3, b"234"), (8, 100, b"89"), (4, None, b"456789"), (3, 0, b"")):
        read = [chunk async for chunk in objects.get("a", start=start, length=length)]
        assert b"".join(read) == part


async def test_a_second_put_takes_the_place_of_the_first(objects: Objects) -> None:
    await objects.put("a", as_chunks(b"first and longer"))
    await objects.put("a", as_chunks(b"second"))
    assert await read_whole(objects, "a") == b"second"


@pytest.mark.parametrize("size", [100, LARGE])
async def test_a_source_that_breaks_off_leaves_what_was_there(objects: Objects, size: int) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        async for chunk in as_chunks(bytes(size)):
            yield chunk
        raise NotFound("the client is gone")

    await objects.put("a", as_chunks(b"before"))
    for key in ("a", "b"):
        with pytest.raises(NotFound, match="the client is gone"):
            await objects.put(key, breaking())
    assert await read_whole(objects, "a") == b"before"
    assert await keys(objects) == ["a"]


async def test_a_put_that_is_cancelled_leaves_nothing(objects: Objects) -> None:
    stuck = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        async for chunk in as_chunks(bytes(LARGE)):
            yield chunk
        stuck.set()
        await asyncio.Event().wait()

    putting = asyncio.create_task(objects.put("a", endless()))
    await stuck.wait()
    putting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await keys(objects) == []


async def test_fifty_megabytes_are_never_in_memory_at_once(objects: Objects) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for number in range(50):
            yield bytes([number]) * MEGABYTE

    tracemalloc.start()
    try:
        assert await objects.put("a", chunks()) == 50 * MEGABYTE
        assert tracemalloc.get_traced_memory()[1] < 25 * MEGABYTE
        tracemalloc.reset_peak()
        size = 0
        async for chunk in objects.get("a"):
            size += len(chunk)
        assert size == 50 * MEGABYTE
        assert tracemalloc.get_traced_memory()[1] < 25 * MEGABYTE
    finally:
        tracemalloc.stop()


async def test_what_is_deleted_is_gone(objects: Objects) -> None:
    await objects.put("a/b/c", as_chunks(b"x"))
    await objects.delete("a/b/c")
    await objects.delete("a/b/c")
    assert await keys(objects) == []
    with pytest.raises(NotFound) as caught:
        await read_whole(objects, "a/b/c")
    assert caught.value.code == "object_not_found"
    with pytest.raises(NotFound):
        await objects.stat("a/b/c")


async def test_a_list_has_the_keys_of_its_prefix(objects: Objects) -> None:
    put = ["a/b.c", "a/b/c", "a/b/d", "a/bc", "ab", "b"]
    for key in put[::-1]:
        await objects.put(key, as_chunks(key.encode()))
    assert await keys(objects) == put
    assert await keys(objects, "a/b") == put[:4]
    assert await keys(objects, "a/b/") == put[1:3]
    assert await keys(objects, "nothing/") == []
    sizes = [one.size async for one in objects.list("a/")]
    assert sorted(sizes) == sorted(len(key) for key in put[:4])


@pytest.mark.parametrize("key", ["", "/a", "a/", "a//b", "../a", "a/..", ".", "a\\b", "a\0", "가"])
async def test_a_key_is_a_plain_path(objects: Objects, key: str) -> None:
    for call in (
        objects.put(key, as_chunks(b"x")),
        objects.delete(key),
        objects.stat(key),
        read_whole(objects, key),
    ):
        with pytest.raises(Invalid):
            await call


async def test_many_puts_and_deletes_at_once_lose_nothing(objects: Objects) -> None:
    async def turn_over(number: int) -> None:
        for _ in range(5):
            await objects.put(f"same/{number}/x", as_chunks(b"%d" % number))
            await objects.delete(f"same/{number}/x")
        await objects.put(f"same/{number}/x", as_chunks(b"%d" % number))

    await asyncio.gather(*map(turn_over, range(8)))
    assert await keys(objects) == [f"same/{number}/x" for number in range(8)]
    await objects.check()
