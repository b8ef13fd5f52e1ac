"""Objects in a bucket; the client blocks, so that it works on threads of its own."""

import asyncio
import io
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import BinaryIO, TypeVar, cast

import urllib3
from minio import Minio
from minio.error import S3Error

from memory.errors import Invalid, NotFound, Unavailable
from memory.objects import CHUNK_BYTES, StoredObject, check_key
from memory.s3.faults import mapped_errors
from memory.s3.streams import ChunkReader

T = TypeVar("T")

PART_BYTES = 5 * 1024 * 1024
"""Up to this size an object goes in one request; a larger one in parts, one at a time.

The least that S3 takes: the client holds a part two or three times.
"""

CONNECT_SECONDS, ANSWER_SECONDS = 1.5, 3.0
"""How long S3 may stay silent: a request is refused within five seconds."""

THREADS = 8
PAGE = 500


class S3Objects:
    """The Objects protocol on one bucket."""

    def __init__(self, client: Minio, bucket: str, threads: ThreadPoolExecutor) -> None:
        self._client = client
        self._bucket = bucket
        self._threads = threads

    @classmethod
    @asynccontextmanager
    async def open(
        cls, endpoint: str, *, access_key: str, secret_key: str, bucket: str, secure: bool
    ) -> "AsyncIterator[S3Objects]":
        """Connect, and make the bucket if it is not there.

        Raises Invalid for an address that is none, Unavailable if nothing answers.
        """
        http = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS),
            maxsize=THREADS,
            retries=urllib3.Retry(total=1, read=0, redirect=0),
        )
        try:
            client = Minio(
                endpoint,
                access_key=access_key,
                secret_key=secret_key,
                secure=secure,
                http_client=http,
            )
        except ValueError as error:
            raise Invalid.field("S3_ENDPOINT", "it must be host:port, without a path") from error
        with ThreadPoolExecutor(THREADS, thread_name_prefix="s3") as threads:
            try:
                objects = cls(client, bucket, threads)
                await objects._prepare()
                yield objects
            finally:
                http.clear()

    async def _prepare(self) -> None:
        try:
            there = await self._call(partial(self._client.bucket_exists, self._bucket))
        except ValueError as error:
            raise Invalid.field("S3_BUCKET", "it is no name of a bucket") from error
        if not there:
            await self._call(self._make_bucket)

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(self._bucket)
        except S3Error as error:
            if error.code != "BucketAlreadyOwnedByYou":  # another process was first
                raise

    async def keeps_versions(self) -> bool:
        """Whether what is deleted stays in the bucket as an older version."""
        versioning = await self._call(partial(self._client.get_bucket_versioning, self._bucket))
        return bool(versioning.status == "Enabled")

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        check_key(key)
        source = aiter(chunks)
        begin: deque[bytes] = deque()
        size = 0
        async for chunk in source:
            begin.append(chunk)
            size += len(chunk)
            if size > PART_BYTES:
                return await self._put_parts(key, _joined(begin, source))
        await self._call(lambda: self._put(key, io.BytesIO(b"".join(begin)), size))
        return size

    async def _put_parts(self, key: str, chunks: AsyncIterator[bytes]) -> int:
        """Put what is larger than a part; the client ends the upload if the rest breaks off."""
        reader = ChunkReader(chunks, asyncio.get_running_loop())
        putting = asyncio.ensure_future(
            self._call(lambda: self._put(key, cast(BinaryIO, reader), -1))
        )
        try:
            await asyncio.shield(putting)
        except asyncio.CancelledError:
            # Nobody waits for the object any more: its thread must not go on waiting for bytes.
            reader.break_off()
            with suppress(Unavailable):
                await putting
            raise
        except Unavailable:
            if reader.failure is not None:
                raise reader.failure from None
            raise
        return reader.size

    def _put(self, key: str, data: BinaryIO, length: int) -> None:
        self._client.put_object(
            self._bucket, key, data, length, part_size=PART_BYTES, num_parallel_uploads=1
        )

    async def get(
        self, key: str, *, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        check_key(key)
        if length == 0:
            await self.stat(key)
            return
        answer = await self._call(
            lambda: self._client.get_object(self._bucket, key, offset=start, length=length or 0)
        )
        try:
            while chunk := await self._call(partial(answer.read, CHUNK_BYTES)):
                yield chunk
        finally:
            answer.close()
            answer.release_conn()

    async def stat(self, key: str) -> StoredObject:
        check_key(key)
        found = await self._call(partial(self._client.stat_object, self._bucket, key))
        return _stored(key, found.size, found.last_modified)

    async def delete(self, key: str) -> None:
        check_key(key)
        with suppress(NotFound):
            await self._call(partial(self._client.remove_object, self._bucket, key))

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        found = iter(self._client.list_objects(self._bucket, prefix=prefix, recursive=True))
        while page := await self._call(lambda: list(islice(found, PAGE))):
            for one in page:
                if one.object_name and not one.is_dir:
                    yield _stored(one.object_name, one.size, one.last_modified)

    async def check(self) -> None:
        await self._call(partial(self._client.bucket_exists, self._bucket))

    async def _call(self, work: Callable[[], T]) -> T:
        def mapped() -> T:
            with mapped_errors():
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._threads, mapped)


async def _joined(begin: deque[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks of both, each of the first let go as it leaves."""
    while begin:
        yield begin.popleft()
    async for chunk in rest:
        yield chunk


def _stored(key: str, size: int | None, modified: datetime | None) -> StoredObject:
    moment = modified or datetime.fromtimestamp(0, UTC)
    return StoredObject(key=key, size=size or 0, modified_at=moment)
