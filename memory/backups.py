"""Backups of what is durable and of the objects, kept as objects; knows no schedule."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from memory.backup_archive import CHUNK, pack, unpack
from memory.backup_cipher import decrypted, encrypted
from memory.errors import Conflict, Newer, NotFound, Unavailable
from memory.objects import Objects, StoredObject
from memory.scratch import scratch_folder

PREFIX = "backups/"
OBJECTS = "objects"


class Durable(Protocol):
    """Everything durable but the objects: the SQLite file, or a MongoDB database.

    All raise Unavailable while it can't be read or written.
    """

    kind: str
    """``sqlite`` or ``mongodb``."""

    schema: int
    """The version up to which this program knows its data."""

    async def dump(self, folder: Path) -> Mapping[str, Any]:
        """Write all of it to files in ``folder``, as of one point in time.

        What the manifest is to tell of it: ``schema``, ``consistent``, and what ``load`` compares.
        """
        ...

    async def prepare(self, manifest: Mapping[str, Any], *, overwrite: bool) -> None:
        """Make sure that a load may begin, or changes nothing.

        Raises Conflict ``target_not_empty`` if anything is there, unless ``overwrite`` or a load
        of the same backup was cut short.
        """
        ...

    async def load(self, folder: Path, manifest: Mapping[str, Any]) -> None:
        """Put in place what ``dump`` wrote and read it back; Unavailable if it is not the same."""
        ...

    async def drop(self) -> None:
        """Delete all of it."""
        ...

    async def drop_old_drills(self) -> None:
        """Drop what drills left that were killed a day ago or more."""
        ...


async def run(durable: Durable, objects: Objects, store: Objects, key: str | None = None) -> str:
    """Back up ``durable`` and all ``objects`` to ``store``; the new backup's key there.

    What is durable is taken before the objects that it names. ``key`` encrypts it.
    """
    with scratch_folder() as scratch:
        folder, archive = scratch / "members", scratch / "archive"
        await asyncio.to_thread(folder.mkdir)
        now = datetime.now(UTC)
        about = {"made_at": now.isoformat(), "store": durable.kind, **await durable.dump(folder)}
        lost = await _copy_objects(objects, folder / OBJECTS)
        await asyncio.to_thread(pack, folder, archive, {**about, "deleted_meanwhile": lost})
        name, data = f"{PREFIX}{now:%Y%m%dT%H%M%S%fZ}.tar.zst", _read(archive)
        if key is None:
            await store.put(name, data)
            return name
        await store.put(f"{name}.enc", encrypted(data, key))
        return f"{name}.enc"


async def listed(store: Objects) -> list[StoredObject]:
    """All backups, newest first."""
    found = [one async for one in store.list(PREFIX) if ".tar.zst" in one.key]
    return sorted(found, key=lambda one: one.key, reverse=True)


async def latest(store: Objects) -> str:
    """The newest backup's key; NotFound ``backup_not_found`` if there is none."""
    found = await listed(store)
    if not found:
        raise NotFound.of("backup")
    return found[0].key


async def verify(
    store: Objects, name: str, key: str | None = None, *, durable: Durable | None = None
) -> dict[str, Any]:
    """Read all of a backup, and see that ``durable`` could hold it; its manifest.

    Raises as ``opened`` does.
    """
    async with opened(store, name, key) as (_, manifest):
        if durable is not None:
            _check_fit(durable, manifest)
        return manifest


async def restore(
    store: Objects,
    name: str,
    key: str | None = None,
    *,
    durable: Durable,
    objects: Objects,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Put a backup in place and compare all of it with its manifest, which it gives.

    All of the backup is checked before anything is changed. What is durable comes last, and can't
    be used before it is whole: a restore that was cut short is run again. The caller keeps servers
    off. Raises as ``verify`` and ``Durable.prepare`` do.
    """
    async with opened(store, name, key) as (folder, manifest):
        _check_fit(durable, manifest)
        await durable.prepare(manifest, overwrite=overwrite)
        for member, expected in manifest["members"].items():
            folder_name, _, object_key = member.partition("/")
            if folder_name == OBJECTS:
                await _restore_object(folder / member, object_key, objects, expected["sha256"])
        await durable.load(folder, manifest)
        return manifest


async def extract(store: Objects, name: str, key: str | None, target: Path) -> dict[str, Any]:
    """Lay out a backup's members in ``target``, which is not there yet; its manifest."""
    async with opened(store, name, key) as (folder, manifest):
        if await asyncio.to_thread(target.exists):
            raise Conflict(f"{target} exists.", code="target_not_empty")
        await asyncio.to_thread(shutil.copytree, folder, target)
        return manifest


@asynccontextmanager
async def opened(
    store: Objects, name: str, key: str | None
) -> AsyncIterator[tuple[Path, dict[str, Any]]]:
    """A folder with a backup's members, for as long as it is open, and the manifest they match.

    Raises Invalid ``bad_backup`` for a backup that is cut short or changed or has another key,
    Newer for one of a newer version.
    """
    with scratch_folder() as scratch:
        archive, folder = scratch / "archive", scratch / "members"
        await asyncio.to_thread(folder.mkdir)
        await _write(archive, decrypted(store.get(name), key))
        manifest = await asyncio.to_thread(unpack, archive, folder)
        await asyncio.to_thread(archive.unlink)
        yield folder, manifest


def _check_fit(durable: Durable, manifest: Mapping[str, Any]) -> None:
    if manifest["store"] != durable.kind:
        raise Conflict(
            f"The backup is of {manifest['store']}, the settings are for {durable.kind}.",
            code="wrong_store",
        )
    if manifest["schema"] > durable.schema:
        raise Newer("The backup was made by a newer version of Tomato; nothing was changed.")


async def _copy_objects(objects: Objects, folder: Path) -> int:
    """How many of the listed objects were deleted before they were read."""
    lost = 0
    async for one in objects.list():
        if one.key.startswith(PREFIX):
            continue
        target = folder / one.key
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            await _write(target, objects.get(one.key))
        except NotFound:
            target.unlink()
            lost += 1
    return lost


async def _restore_object(source: Path, key: str, objects: Objects, sha256: str) -> None:
    await objects.put(key, _read(source))
    found = hashlib.sha256()
    async for chunk in objects.get(key):
        found.update(chunk)
    if found.hexdigest() != sha256:
        raise Unavailable(f"The object {key} is not as in the backup after it was restored.")


async def _write(path: Path, chunks: AsyncIterator[bytes]) -> None:
    with await asyncio.to_thread(path.open, "wb") as file:
        async for chunk in chunks:
            await asyncio.to_thread(file.write, chunk)


async def _read(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
