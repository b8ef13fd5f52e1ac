"""Objects as files of one folder: whole or absent, whatever happens while one is written."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO, TypeVar

from memory.errors import NotFound, Unavailable
from memory.objects import CHUNK_BYTES, StoredObject, check_key

T = TypeVar("T")

UNFINISHED = ".unfinished"
"""The folder of what is being written; what a crash leaves there was never an object."""

UNFINISHED_FOR = timedelta(days=1)
PAGE = 500


class FolderObjects:
    """The Objects protocol on a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    async def open(cls, root: Path) -> "FolderObjects":
        """Clear what an earlier crash left unfinished; the folder is made by the first object."""
        objects = cls(root)
        await _writing(objects._clear)
        return objects

    def _clear(self) -> None:
        unfinished = self.root / UNFINISHED
        if not unfinished.is_dir():
            return
        oldest = (datetime.now(UTC) - UNFINISHED_FOR).timestamp()
        for path in unfinished.iterdir():
            with suppress(FileNotFoundError):  # another process clears too
                if path.stat().st_mtime < oldest:
                    path.unlink()

    async def put(self, key: str, chunks: AsyncIterable[bytes]) -> int:
        target = self._path(key)
        part = self.root / UNFINISHED / secrets.token_hex(16)
        size = 0
        file = await _writing(lambda: _new_file(part))
        try:
            try:
                async for chunk in chunks:
                    await _writing(partial(file.write, chunk))
                    size += len(chunk)
                await _writing(partial(_to_disk, file))
            finally:
                await _writing(file.close)
            await _writing(partial(self._take_over, part, target))
        except BaseException:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        return size

    def _take_over(self, part: Path, target: Path) -> None:
        try:
            _move(part, target)
        except FileNotFoundError:  # a deletion took the empty folder away between the two
            _move(part, target)
        for folder in target.parents:
            _folder_to_disk(folder)
            if folder == self.root:
                break

    async def get(
        self, key: str, *, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        path = self._path(key)
        file = await _off_loop(lambda: open(path, "rb"))  # noqa: SIM115 - closed below
        left = length
        try:
            await _off_loop(partial(file.seek, start))
            while left is None or left > 0:
                size = CHUNK_BYTES if left is None else min(left, CHUNK_BYTES)
                chunk = await _off_loop(partial(file.read, size))
                if not chunk:
                    break
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            file.close()

    async def stat(self, key: str) -> StoredObject:
        return await _off_loop(partial(_stored, key, self._path(key)))

    async def delete(self, key: str) -> None:
        await _off_loop(partial(self._delete, self._path(key)))

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or gone already
            for folder in path.parents:
                if folder == self.root:
                    break
                folder.rmdir()

    async def list(self, prefix: str = "") -> AsyncIterator[StoredObject]:
        found = self._walk(self.root, "", prefix)
        while page := await _off_loop(lambda: list(islice(found, PAGE))):
            for one in page:
                yield one

    def _walk(self, folder: Path, above: str, prefix: str) -> Iterator[StoredObject]:
        try:
            found = sorted(os.scandir(folder), key=lambda one: one.name)
        except FileNotFoundError:
            return
        for one in found:
            key = above + one.name
            if one.is_dir(follow_symlinks=False):
                inside = f"{key}/"
                if key != UNFINISHED and (inside.startswith(prefix) or prefix.startswith(inside)):
                    yield from self._walk(folder / one.name, inside, prefix)
            elif key.startswith(prefix):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    yield _stored(key, folder / one.name)

    async def check(self) -> None:
        await _off_loop(self._check)

    def _check(self) -> None:
        there = next(folder for folder in (self.root, *self.root.parents) if folder.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            raise Unavailable(_AWAY)

    def _path(self, key: str) -> Path:
        return self.root / check_key(key)


_AWAY = "The folder of objects can't be read or written now."


async def _off_loop(work: Callable[[], T]) -> T:
    """Run on a thread, with the system's errors as ours."""
    try:
        return await asyncio.to_thread(work)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise NotFound.of("object") from error
    except OSError as error:
        raise Unavailable(_AWAY) from error


async def _writing(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as error:
        raise Unavailable(_AWAY) from error


def _new_file(path: Path) -> BinaryIO:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return open(path, "xb")


def _move(part: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part.replace(target)


def _stored(key: str, path: Path) -> StoredObject:
    found = path.stat()
    modified = datetime.fromtimestamp(found.st_mtime, UTC)
    return StoredObject(key=key, size=found.st_size, modified_at=modified)


def _to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _folder_to_disk(folder: Path) -> None:
    """The name of a new file outlives a power cut only once its folder is on disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
