"""What an owner's blobs promise, held against a folder and a real S3 server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from memory.blobs import Blobs, new_blob_key
from memory.errors import Invalid, NotFound, Unavailable
from memory.objects import Objects, as_chunks
from memory.s3.objects import S3Objects
from tests.contracts.test_objects import in_folder, on_s3
from tests.services.process import free_ports
from tests.services.s3 import Bucket

ME, OTHER = "user_me", "user_me2"


@pytest.fixture(params=[in_folder, on_s3])
async def objects(request: pytest.FixtureRequest) -> AsyncIterator[Objects]:
    async with request.param(request) as opened:
        yield opened


@pytest.fixture
def blobs(objects: Objects) -> Blobs:
    return Blobs(objects)


async def read(blobs: Blobs, owner: str, key: str) -> bytes:
    return b"".join([chunk async for chunk in blobs.get(owner, key)])


async def test_a_blob_is_its_owners_alone(blobs: Blobs) -> None:
    key = new_blob_key()
    assert await blobs.put(ME, key, as_chunks("비밀".encode())) == 6
    assert (await read(blobs, ME, key)).decode() == "비밀"
    with pytest.raises(NotFound):
        await read(blobs, OTHER, key)
    await blobs.delete(OTHER, key)
    assert (await blobs.stat(ME, key)).size == 6
    await blobs.delete(ME, key)
    with pytest.raises(NotFound):
        await blobs.stat(ME, key)


async def test_all_of_an_owner_is_deleted_and_nothing_of_another(blobs: Blobs) -> None:
    for owner in (ME, OTHER):
        for number in range(7):
            await blobs.put(owner, f"k{number}", as_chunks(b"x" * number))
    assert await blobs.delete_all(ME) == 7
    assert await blobs.delete_all(ME) == 0
    assert [one.key async for one in blobs.list(ME)] == []
    left = {(owner, one.key) async for owner, one in blobs.everything()}
    assert left == {(OTHER, f"k{number}") for number in range(7)}
    assert {one.key: one.size async for one in blobs.list(OTHER)} == {
        f"k{number}": number for number in range(7)
    }


@pytest.mark.parametrize("owner", ["", "..", "a/b", "user.me", "나", "a" * 101, "a\n"])
async def test_an_owner_is_a_plain_word(blobs: Blobs, owner: str) -> None:
    with pytest.raises(Invalid):
        await blobs.put(owner, "key", as_chunks(b"x"))
    with pytest.raises(Invalid):
        await blobs.delete_all(owner)


async def test_an_s3_that_does_not_know_the_keys_says_so(s3: Bucket) -> None:
    with pytest.raises(Unavailable, match=r"refuses this now \(\w+\)"):
        async with S3Objects.open(
            s3.endpoint, access_key="no", secret_key="body", bucket=s3.bucket, secure=False
        ):
            pass


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:1", "host/path"])
async def test_an_endpoint_is_a_host_and_a_port(endpoint: str) -> None:
    with pytest.raises(Invalid, match="S3_ENDPOINT"):
        async with S3Objects.open(
            endpoint, access_key="a", secret_key="b", bucket="tomato", secure=False
        ):
            pass


async def test_a_bucket_has_the_name_of_one() -> None:
    with pytest.raises(Invalid, match="S3_BUCKET"):
        async with S3Objects.open(
            "127.0.0.1:1", access_key="a", secret_key="b", bucket="No Bucket", secure=False
        ):
            pass


async def test_an_s3_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        async with S3Objects.open(
            f"127.0.0.1:{free_ports(1)[0]}",
            access_key="key",
            secret_key="secret",
            bucket="tomato",
            secure=False,
        ):
            pass


async def test_an_s3_that_is_silent_is_given_up_within_five_seconds() -> None:
    ended = asyncio.Event()

    async def say_nothing(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    async with await asyncio.start_server(say_nothing, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable):
                async with S3Objects.open(
                    f"127.0.0.1:{port}",
                    access_key="a",
                    secret_key="b",
                    bucket="tomato",
                    secure=False,
                ):
                    pass
        ended.set()
