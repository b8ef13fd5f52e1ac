"""A backup comes back equal to the byte, and a bad one touches nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from memory import backups
from memory.errors import Conflict, Invalid, Newer
from memory.folder.objects import FolderObjects
from memory.objects import as_chunks, read_whole
from memory.sqlite.backups import SQLiteBackup
from memory.sqlite.database import Database

SAID = "토마토는 여름에 심는다 🍅"


async def _filled(folder: Path) -> tuple[Path, FolderObjects]:
    path = folder / "tomato.db"
    await (await Database.open(path)).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE said (words TEXT)")
        connection.execute("INSERT INTO said VALUES (?)", [SAID])
    objects = await FolderObjects.open(folder / "blobs")
    await objects.put("blobs/u1/file", as_chunks(bytes(range(256)) * 3000))
    await objects.put("blobs/u1/empty", as_chunks(b""))
    return path, objects


def _dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


async def test_a_backup_comes_back_after_a_lost_disk(tmp_path: Path) -> None:
    path, objects = await _filled(tmp_path / "old")
    store = await FolderObjects.open(tmp_path / "store")
    key = await backups.run(SQLiteBackup(path), objects, store)
    new = await FolderObjects.open(tmp_path / "new" / "blobs")
    target = tmp_path / "new" / "tomato.db"
    durable = SQLiteBackup(target)
    await backups.restore(store, await backups.latest(store), durable=durable, objects=new)
    assert [one.key for one in await backups.listed(store)] == [key]
    assert _dump(target) == _dump(path)
    for name in ("blobs/u1/file", "blobs/u1/empty"):
        assert await read_whole(new, name) == await read_whole(objects, name)
    with pytest.raises(Conflict):
        await backups.restore(store, key, durable=durable, objects=new)
    await backups.restore(store, key, durable=durable, objects=new, overwrite=True)


async def test_a_cut_or_changed_backup_is_refused_and_touches_nothing(tmp_path: Path) -> None:
    path, objects = await _filled(tmp_path / "old")
    store = await FolderObjects.open(tmp_path / "store")
    key = await backups.run(SQLiteBackup(path), objects, store)
    good = await read_whole(store, key)
    places = [0, 1, len(good) // 3, len(good) // 2, len(good) - 40, len(good) - 1]
    flipped = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in places]
    target, new = tmp_path / "new" / "tomato.db", tmp_path / "new" / "blobs"
    for bad in [good[:at] for at in places] + flipped:
        await store.put(key, as_chunks(bad))
        with pytest.raises(Invalid, match="refused"):
            await backups.restore(
                store, key, durable=SQLiteBackup(target), objects=FolderObjects(new)
            )
    assert not (tmp_path / "new").exists()


async def test_a_backup_of_a_newer_schema_is_refused(tmp_path: Path) -> None:
    path, objects = await _filled(tmp_path / "old")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 9999")
    key = await backups.run(SQLiteBackup(path), objects, objects)
    with pytest.raises(Newer):
        await backups.verify(objects, key, durable=SQLiteBackup(path))
