"""Backups of the SQLite file and the objects, kept as objects; knows no schedule."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from memory.backup_archive import CHUNK, pack, unpack
from memory.errors import Conflict, Newer, NotFound
from memory.objects import Objects, StoredObject
from memory.sqlite.backups import copy_database
from memory.sqlite.migrations import MIGRATIONS

PREFIX = "backups/"
DATABASE = "tomato.db"
OBJECTS = "objects"


async def run(database: Path, objects: Objects, store: Objects) -> str:
    """Back up ``database`` and all ``objects`` to ``store``; the new backup's key.

    The database is one point in time, taken before the objects that it names.
    Raises Unavailable if there is no database or it can't be read.
    """
    with tempfile.TemporaryDirectory(prefix="tomato-backup-") as scratch:
        folder, archive = Path(scratch, "members"), Path(scratch, "archive")
        await asyncio.to_thread(folder.mkdir)
        schema = await asyncio.to_thread(copy_database, database, folder / DATABASE)
        lost = await _copy_objects(objects, folder / OBJECTS)
        now = datetime.now(UTC)
        about = {"made_at": now.isoformat(), "schema": schema, "deleted_meanwhile": lost}
        await asyncio.to_thread(pack, folder, archive, about)
        key = f"{PREFIX}{now:%Y%m%dT%H%M%S%fZ}.tar.zst"
        await store.put(key, _read(archive))
        return key


async def listed(store: Objects) -> list[StoredObject]:
    """All backups, newest first."""
    return sorted([one async for one in store.list(PREFIX)], key=lambda o: o.key, reverse=True)


async def latest(store: Objects) -> str:
    """The newest backup's key; NotFound ``backup_not_found`` if there is none."""
    found = await listed(store)
    if not found:
        raise NotFound.of("backup")
    return found[0].key


async def verify(store: Objects, key: str) -> dict[str, Any]:
    """Read all of a backup; its manifest. Raises as ``backup_archive.unpack`` does."""
    with tempfile.TemporaryDirectory(prefix="tomato-verify-") as scratch:
        return await _fetched(store, key, Path(scratch))


async def restore(
    store: Objects, key: str, *, database: Path, objects: Objects, overwrite: bool = False
) -> dict[str, Any]:
    """Put a backup's database and objects in place; its manifest.

    All of the backup is checked first. The database comes last, whole or not at all, so that a
    restore that was cut short can be run again. The caller keeps servers off. Raises Conflict
    ``target_not_empty`` if there is a database, unless ``overwrite``.
    """
    if await asyncio.to_thread(database.exists) and not overwrite:
        raise Conflict(f"{database} exists; --overwrite replaces it.", code="target_not_empty")
    with tempfile.TemporaryDirectory(prefix="tomato-restore-") as scratch:
        manifest = await _fetched(store, key, Path(scratch))
        folder = Path(scratch, "members")
        for name in manifest["members"]:
            if name.startswith(f"{OBJECTS}/"):
                await objects.put(name.removeprefix(f"{OBJECTS}/"), _read(folder / name))
        await asyncio.to_thread(_place, folder / DATABASE, database)
        return manifest


async def _fetched(store: Objects, key: str, scratch: Path) -> dict[str, Any]:
    archive, folder = scratch / "archive", scratch / "members"
    folder.mkdir()
    with archive.open("wb") as file:
        async for chunk in store.get(key):
            await asyncio.to_thread(file.write, chunk)
    manifest = await asyncio.to_thread(unpack, archive, folder)
    if manifest["schema"] > len(MIGRATIONS):
        raise Newer("The backup was made by a newer version of Tomato; nothing was changed.")
    return manifest


async def _copy_objects(objects: Objects, folder: Path) -> int:
    """How many of the listed objects were deleted before they were read."""
    lost = 0
    async for one in objects.list():
        if one.key.startswith(PREFIX):
            continue
        target = folder / one.key
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with target.open("wb") as file:
                async for chunk in objects.get(one.key):
                    await asyncio.to_thread(file.write, chunk)
        except NotFound:
            target.unlink()
            lost += 1
    return lost


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = target.with_name(f"{target.name}.restoring")
    with source.open("rb") as read, part.open("wb") as write:
        while chunk := read.read(CHUNK):
            write.write(chunk)
        write.flush()
        os.fsync(write.fileno())
    part.chmod(0o600)
    for log in ("-wal", "-shm"):
        target.with_name(target.name + log).unlink(missing_ok=True)
    part.replace(target)


async def _read(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
