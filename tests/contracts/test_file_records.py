"""What the records of archive files promise, held against every store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from memory.blobs import new_blob_key
from memory.errors import Conflict, NotFound, Stale, Unavailable
from memory.file_rules import MOST_FILES
from memory.file_terms import file_terms
from memory.files import Files
from memory.mongo.archive import MongoArchive
from memory.mongo.files import MongoFiles
from memory.mongo.schema import open_mongo
from memory.protocols import Archive
from memory.records import Entry, File
from memory.sqlite.archive import SQLiteArchive
from memory.sqlite.database import Database
from memory.sqlite.files import SQLiteFiles
from memory.times import now

ME, OTHER = "user_me", "user_other"


@dataclass(frozen=True)
class Kept:
    archive: Archive
    files: Files


@asynccontextmanager
async def on_sqlite(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    folder: Path = request.getfixturevalue("tmp_path")
    database = await Database.open(folder / "tomato.db")
    archive = SQLiteArchive(database)
    yield Kept(archive, SQLiteFiles(database, archive))
    await database.close()


@asynccontextmanager
async def on_mongo(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    async with open_mongo(request.getfixturevalue("mongo_url")) as database:
        archive = MongoArchive(database)
        yield Kept(archive, MongoFiles(database, archive))


@asynccontextmanager
async def on_standalone_mongo(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    async with open_mongo(request.getfixturevalue("standalone_mongo_url")) as database:
        archive = MongoArchive(database)
        yield Kept(archive, MongoFiles(database, archive))


@pytest.fixture(params=[on_sqlite, on_mongo, on_standalone_mongo])
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    async with request.param(request) as opened:
        yield opened


@pytest.fixture
async def entry(kept: Kept) -> Entry:
    return await kept.archive.save(ME, label="여행", category="일정", content="제주도 비행기 표")


def new_file(name: str = "표.txt", digest: str = "0" * 64) -> File:
    return File(
        name=name,
        size=3,
        content_type="text/plain",
        digest=digest,
        created_at=now(),
        blob=new_blob_key(),
        searchable=True,
    )


async def put(
    kept: Kept, entry: Entry, file: File, text: str = "탑승구", *, overwrite: bool = False
) -> Entry:
    await kept.files.promise(entry.owner, file.blob)
    return await kept.files.attach(
        entry.owner, entry.id, file, file_terms(file.name, text), overwrite=overwrite
    )


async def loose(kept: Kept) -> set[str]:
    """Blobs to be deleted now."""
    return {blob for _, blob in await kept.files.loose(before=now() - timedelta(1), limit=100)}


async def found(kept: Kept, query: str, owner: str = ME) -> list[str]:
    return [one.entry.label for one in (await kept.archive.search(owner, query, limit=5)).items]


async def test_a_file_is_listed_with_its_entry(kept: Kept, entry: Entry) -> None:
    second, first = new_file("b.txt"), new_file("a.txt")
    await put(kept, entry, second)
    after = await put(kept, entry, first)
    assert (after.files, after.version) == ((first, second), entry.version + 2)
    assert await kept.archive.get(ME, entry.id) == after
    assert (await kept.archive.page(ME, limit=5)).items[0].files == (first, second)
    assert await kept.files.get(ME, entry.id, "a.txt") == first
    assert await loose(kept) == set()
    recorded = {one async for one in kept.files.recorded()}
    assert recorded == {(ME, file.blob, entry.id) for file in (first, second)}


async def test_the_entry_is_found_by_its_files_words_until_they_go(
    kept: Kept, entry: Entry
) -> None:
    await put(kept, entry, new_file("boarding.txt"), "탑승구는 17번, gate closes at 08:40")
    for query in ("탑승구", "gate", "boarding", "비행기"):
        assert await found(kept, query) == ["여행"]
    hit = (await kept.archive.search(ME, "탑승구 gate", limit=1)).items[0]
    assert hit.matched == ("탑승구", "gate")
    await kept.archive.update(ME, entry.id, content="부산 기차 표")
    assert await found(kept, "기차 gate") == await found(kept, "탑승구") == ["여행"]
    assert await found(kept, "비행기") == []
    await kept.files.detach(ME, entry.id, "boarding.txt")
    assert await found(kept, "탑승구") == await found(kept, "boarding") == []
    assert await found(kept, "기차") == ["여행"]


async def test_a_word_of_two_files_is_found_until_both_are_gone(kept: Kept, entry: Entry) -> None:
    await put(kept, entry, new_file("a.txt"), "gate gate 비행기")
    await put(kept, entry, new_file("b.txt"), "gate zeppelin")
    both = (await kept.archive.search(ME, "gate", limit=1)).items[0].score
    await kept.files.detach(ME, entry.id, "a.txt")
    one = (await kept.archive.search(ME, "gate", limit=1)).items[0].score
    assert both > one
    assert await found(kept, "비행기") == await found(kept, "zeppelin") == ["여행"]
    await put(kept, entry, new_file("b.txt"), "anything", overwrite=True)
    assert await found(kept, "gate") == await found(kept, "zeppelin") == []
    assert await found(kept, "제주도") == await found(kept, "anything") == ["여행"]
    await kept.archive.delete(ME, entry.id)
    for query in ("비행기", "anything", "txt", "일정"):
        assert await found(kept, query) == []


async def test_a_name_is_taken_once_unless_asked_for(kept: Kept, entry: Entry) -> None:
    first, second = new_file(digest="1" * 64), new_file(digest="2" * 64)
    await put(kept, entry, first, "처음")
    with pytest.raises(Conflict) as caught:
        await put(kept, entry, second)
    assert caught.value.code == "file_exists"
    assert await kept.files.get(ME, entry.id, first.name) == first
    third = replace(second, blob=new_blob_key())
    await put(kept, entry, third, "나중", overwrite=True)
    assert await kept.files.get(ME, entry.id, first.name) == third
    assert await loose(kept) == {first.blob}
    assert (await found(kept, "처음"), await found(kept, "나중")) == ([], ["여행"])


@pytest.mark.parametrize(("if_match", "done"), [("1" * 64, True), ("*", True), ("9" * 64, False)])
async def test_if_match_names_what_is_replaced(
    kept: Kept, entry: Entry, if_match: str, done: bool
) -> None:
    async def replaced(file: File) -> Entry:
        await kept.files.promise(ME, file.blob)
        return await kept.files.attach(ME, entry.id, file, file_terms("", ""), if_match=if_match)

    with pytest.raises(Stale):
        await replaced(new_file())
    await put(kept, entry, new_file(digest="1" * 64))
    if done:
        assert len((await replaced(new_file(digest="2" * 64))).files) == 1
    else:
        with pytest.raises(Stale):
            await replaced(new_file())


async def test_of_many_equal_names_at_once_one_wins(kept: Kept, entry: Entry) -> None:
    puts = [put(kept, entry, new_file()) for _ in range(5)]
    done = await asyncio.gather(*puts, return_exceptions=True)
    assert sum(isinstance(one, Entry) for one in done) == 1
    assert sum(isinstance(one, Conflict | Stale) for one in done) == 4
    assert len((await kept.archive.get(ME, entry.id)).files) == 1


async def test_files_go_with_their_entry(kept: Kept, entry: Entry) -> None:
    file = new_file()
    await put(kept, entry, file)
    await kept.archive.delete(ME, entry.id)
    assert await loose(kept) == {file.blob}
    assert [one async for one in kept.files.recorded()] == []
    assert await found(kept, "탑승구") == []
    await kept.files.settle(OTHER, file.blob)
    assert await loose(kept) == {file.blob}
    await kept.files.settle(ME, file.blob)
    assert await loose(kept) == set()


async def test_what_was_not_promised_is_not_attached(kept: Kept, entry: Entry) -> None:
    with pytest.raises(Unavailable):
        await kept.files.attach(ME, entry.id, new_file(), file_terms("", ""))
    assert (await kept.archive.get(ME, entry.id)).files == ()
    blob = new_blob_key()
    await kept.files.promise(ME, blob)
    assert await loose(kept) == set()
    assert await kept.files.loose(before=now() + timedelta(1), limit=9) == [(ME, blob)]


async def test_files_are_their_owners_alone(kept: Kept, entry: Entry) -> None:
    file = new_file()
    await put(kept, entry, file)
    other = replace(entry, owner=OTHER)
    for call in (
        put(kept, other, new_file("x")),
        kept.files.get(OTHER, entry.id, file.name),
        kept.files.detach(OTHER, entry.id, file.name),
    ):
        with pytest.raises(NotFound) as caught:
            await call
        assert caught.value.code == "entry_not_found"
    with pytest.raises(NotFound) as caught:
        await kept.files.get(ME, entry.id, "no.txt")
    assert caught.value.code == "file_not_found"


async def test_an_entry_has_a_bounded_number_of_files(
    kept: Kept, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MOST_FILES == 100
    monkeypatch.setattr("memory.file_rules.MOST_FILES", 2)
    for name in ("a", "b"):
        await put(kept, entry, new_file(name))
    with pytest.raises(Conflict) as caught:
        await put(kept, entry, new_file("c"))
    assert caught.value.code == "too_many_files"
    await put(kept, entry, new_file("b"), overwrite=True)


async def test_a_file_of_many_words_is_indexed_in_time(kept: Kept, entry: Entry) -> None:
    text = " ".join(f"word{number}" for number in range(30_000))
    await put(kept, entry, new_file(), text)
    assert await found(kept, "word7") == ["여행"]
    await kept.files.detach(ME, entry.id, "표.txt")
    assert await found(kept, "word7") == []
