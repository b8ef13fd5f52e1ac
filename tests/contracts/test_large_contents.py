"""Contents too large for a row: the archive promises the same of them, on every store."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from memory.blobs import Blobs
from memory.contents import ROW_BYTES, Contents
from memory.errors import Conflict, Unavailable
from memory.files import Files
from memory.folder.objects import FolderObjects
from memory.mongo import loose as mongo_loose
from memory.mongo.archive import MongoArchive
from memory.mongo.files import MongoFiles
from memory.mongo.schema import open_mongo
from memory.protocols import Archive
from memory.sqlite import loose as sqlite_loose
from memory.sqlite.archive import SQLiteArchive
from memory.sqlite.database import Database
from memory.sqlite.files import SQLiteFiles
from memory.times import now

ME = "user_me"
# Long with few words: what is tried here is not the index.
LARGE = "".join(f"{number % 40}번째 줄: sprinkler\n" for number in range(4_000)) + "끝은 27993"
OTHER = LARGE.replace("sprinkler", "hydrant")


@dataclass(frozen=True)
class Kept:
    archive: Archive
    files: Files
    blobs: Blobs


@asynccontextmanager
async def on_sqlite(request: pytest.FixtureRequest, blobs: Blobs) -> AsyncIterator[Kept]:
    folder: Path = request.getfixturevalue("tmp_path")
    database = await Database.open(folder / "tomato.db")
    archive = SQLiteArchive(database, Contents(blobs, partial(sqlite_loose.promise, database)))
    yield Kept(archive, SQLiteFiles(database, archive), blobs)
    await database.close()


@asynccontextmanager
async def on_mongo(
    request: pytest.FixtureRequest, blobs: Blobs, url: str = "mongo_url"
) -> AsyncIterator[Kept]:
    async with open_mongo(request.getfixturevalue(url)) as database:
        contents = Contents(blobs, partial(mongo_loose.promise, database))
        archive = MongoArchive(database, contents)
        yield Kept(archive, MongoFiles(database, archive), blobs)


on_standalone_mongo = partial(on_mongo, url="standalone_mongo_url")


@pytest.fixture(params=[on_sqlite, on_mongo, on_standalone_mongo])
async def kept(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Kept]:
    blobs = Blobs(await FolderObjects.open(tmp_path / "blobs"))
    async with request.param(request, blobs) as opened:
        yield opened


async def blobs(kept: Kept) -> set[str]:
    return {one.key async for one in kept.blobs.list(ME)}


async def loose(kept: Kept) -> set[str]:
    return {blob for _, blob in await kept.files.loose(before=now() - timedelta(1), limit=100)}


async def test_a_large_content_is_read_found_and_compared_as_any_other(kept: Kept) -> None:
    assert len(LARGE.encode()) > ROW_BYTES
    saved = await kept.archive.save(ME, label="긴 글", category="집", content=LARGE)
    assert await kept.archive.get(ME, saved.id) == saved
    assert (saved.content, saved.size) == (LARGE, len(LARGE.encode()))
    assert len(await blobs(kept)) == 1
    assert {(owner, entry) async for owner, _, entry in kept.files.recorded()} == {(ME, saved.id)}
    hits = await kept.archive.search(ME, "sprinkler 27993", limit=5)
    assert [one.entry.id for one in hits.items] == [saved.id]
    with pytest.raises(Conflict) as caught:
        await kept.archive.save(ME, label="x", category="y", content=LARGE.upper())
    assert caught.value.details["id"] == saved.id
    assert len(await blobs(kept)) == 1
    near = await kept.archive.near(ME, LARGE[:3_000])
    assert [(one.entry.id, one.entry.content) for one in near] == [(saved.id, "")]
    assert near[0].overlap > 0.5


async def test_a_small_content_stays_in_its_row(kept: Kept) -> None:
    for content in ("짧은 글", "a" * ROW_BYTES):
        saved = await kept.archive.save(ME, label="x", category="y", content=content)
        assert (await kept.archive.get(ME, saved.id)).content == content
    assert await blobs(kept) == set()


async def test_another_content_leaves_the_old_blob_loose(kept: Kept) -> None:
    saved = await kept.archive.save(ME, label="긴 글", category="집", content=LARGE)
    first = await blobs(kept)
    await kept.archive.update(ME, saved.id, label="다른 라벨")
    assert await blobs(kept) == first
    assert (await kept.archive.get(ME, saved.id)).content == LARGE
    await kept.archive.update(ME, saved.id, content=OTHER)
    assert (await kept.archive.get(ME, saved.id)).content == OTHER
    second = await blobs(kept) - first
    assert await loose(kept) == first
    await kept.archive.update(ME, saved.id, content="이제는 짧다")
    assert (await kept.archive.get(ME, saved.id)).content == "이제는 짧다"
    assert await loose(kept) == first | second
    await kept.archive.update(ME, saved.id, content=LARGE)
    await kept.archive.delete(ME, saved.id)
    assert await loose(kept) == await blobs(kept)


async def test_a_content_whose_bytes_are_missing_is_told_so(kept: Kept) -> None:
    saved = await kept.archive.save(ME, label="긴 글", category="집", content=LARGE)
    await kept.blobs.delete_all(ME)
    with pytest.raises(Unavailable, match="doctor"):
        await kept.archive.get(ME, saved.id)
    await kept.archive.delete(ME, saved.id)
