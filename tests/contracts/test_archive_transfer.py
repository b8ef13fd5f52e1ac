"""An archive as lines and back, on both stores: nothing is lost, nothing is overwritten."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from memory.archive_lines import PART_BYTES, Part, part_line
from memory.archive_transfer import Counts, Import, lines_of
from memory.contents import ROW_BYTES
from memory.objects import as_chunks
from memory.records import Entry, File, Source
from server.settings import Settings
from server.stores import Stores, open_stores

ME, OTHER = "user_me", "user_other"
LARGE = "".join(f"{number % 40}번째 줄: sprinkler\n" for number in range(4_000)) + "끝은 27993"
BYTES = hashlib.shake_256(b"tomato").digest(2 * PART_BYTES + 7)


def settings_at(folder: Path, mongo_url: str | None) -> Settings:
    return Settings(data=folder, mongodb_url=SecretStr(mongo_url) if mongo_url else None)


@pytest.fixture(params=["sqlite", "mongo"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    url = request.getfixturevalue("mongo_url") if request.param == "mongo" else None
    async with open_stores(settings_at(tmp_path / "data", url)) as opened:
        yield opened


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[Stores]:
    async with open_stores(settings_at(tmp_path / "elsewhere", None)) as opened:
        yield opened


def never(entry: Entry, file: File) -> None:
    raise AssertionError(f"{file.name} of {entry.id} is missing")


async def exported(stores: Stores, owner: str = ME) -> list[bytes]:
    return [one async for one in lines_of(stores.archive, stores.attachments, owner, never)]


async def each(lines: Sequence[bytes | None]) -> AsyncIterator[bytes | None]:
    for line in lines:
        yield line


async def imported(
    stores: Stores, lines: Sequence[bytes | None], owner: str = ME
) -> tuple[Counts, dict[int, str]]:
    """What became of it, and why lines were refused by their numbers."""
    refused: dict[int, str] = {}
    coming = Import(stores.archive, stores.attachments, owner, refused.__setitem__)
    await coming.take(each(lines))
    return coming.counts, refused


def told(counts: Counts) -> tuple[str, str, int]:
    """Added, same and refused, of entries and of files; other lines refused."""
    entries, files = counts.entries, counts.files
    return (
        f"{entries.added}/{entries.same}/{entries.refused}",
        f"{files.added}/{files.same}/{files.refused}",
        counts.lines,
    )


async def fill(stores: Stores) -> Entry:
    """Entries of all kinds; the one that has files."""
    archive = stores.archive
    source = Source(room_id="room_1", key="t00000001-0000")
    first = await archive.save(
        ME, label="여권", category="여행", content="M1\n\u2028", source=source
    )
    await archive.save(ME, label="👨‍👩‍👧 긴 글", category="집", content=LARGE)
    gone = await archive.save(ME, label="gone", category="gone", content="gone")
    await archive.update(ME, first.id, label="여권 번호")
    for name, data in (("표.bin", BYTES), ("빈.txt", b""), ("회의.txt", "배포는 목요일".encode())):
        await stores.attachments.put(ME, first.id, name, as_chunks(data), content_type="text/plain")
    await archive.rename_category(ME, "집", "우리 집")
    await archive.delete(ME, gone.id)
    return await archive.get(ME, first.id)


def line(**fields: Any) -> bytes:
    return json.dumps({"summary": "라벨", "category": "분류", "content": "내용"} | fields).encode()


async def test_all_of_an_archive_comes_back(stores: Stores, elsewhere: Stores) -> None:
    first = await fill(stores)
    lines = await exported(stores)
    assert all(one.endswith(b"\n") and one.count(b"\n") == 1 for one in lines)
    assert b"user_" not in b"".join(lines)
    counts, refused = await imported(elsewhere, lines)
    assert (told(counts), refused) == (("2/0/0", "3/0/0", 0), {})
    assert await exported(elsewhere) == lines
    there = await elsewhere.archive.get(ME, first.id)
    assert (there.version, there.updated_at) == (first.version, first.updated_at)
    hits = await elsewhere.archive.search(ME, "배포 목요일", limit=1)
    assert [one.entry.id for one in hits.items] == [first.id]
    long = (await elsewhere.archive.search(ME, "sprinkler 27993", limit=1)).items[0].entry
    assert long.size > ROW_BYTES
    assert (await elsewhere.archive.get(ME, long.id)).content == LARGE
    # And where it came from, once it is gone there.
    for entry in (await stores.archive.page(ME, limit=9)).items:
        await stores.archive.delete(ME, entry.id)
    assert await exported(stores) == []
    counts, refused = await imported(stores, lines)
    assert (told(counts), refused) == (("2/0/0", "3/0/0", 0), {})
    assert await exported(stores) == lines


async def test_what_is_there_is_left_alone(stores: Stores) -> None:
    first = await fill(stores)
    lines = await exported(stores)
    await stores.archive.update(ME, first.id, label="내가 바꿨다")
    before = await exported(stores)
    counts, refused = await imported(stores, lines)
    assert (told(counts), refused) == (("0/2/0", "0/3/0", 0), {})
    assert await exported(stores) == before


async def test_another_content_or_file_under_the_same_name_is_refused(stores: Stores) -> None:
    first = await fill(stores)
    lines = await exported(stores)
    await stores.attachments.put(ME, first.id, "빈.txt", as_chunks(b"full"), overwrite=True)
    before = await exported(stores)
    changed = json.loads(lines[-1]) | {"content": "다른 내용"}
    spaced = line(content=LARGE.replace("\n", " \n"))
    counts, refused = await imported(stores, [*lines[:-1], json.dumps(changed).encode(), spaced])
    assert told(counts) == ("0/1/2", "0/2/1", 0)
    assert list(refused) == [2, len(lines), len(lines) + 1]
    assert "빈.txt" in refused[2]
    assert "another content" in refused[len(lines)]
    assert "But for spacing" in refused[len(lines) + 1]
    assert await exported(stores) == before


async def test_an_id_of_somebody_else_is_left_to_them(stores: Stores) -> None:
    await fill(stores)
    lines, before = await exported(stores), await exported(stores)
    for told_now in (("2/0/0", "3/0/0", 0), ("0/2/0", "0/3/0", 0)):
        counts, refused = await imported(stores, lines, OTHER)
        assert (told(counts), refused) == (told_now, {})
    theirs = [json.loads(one) for one in await exported(stores, OTHER)]
    mine = [json.loads(one) for one in before]
    assert not {one.get("id", one.get("of")) for one in mine} & {
        one.get("id", one.get("of")) for one in theirs
    }
    without = [{**one, "id": "", "of": ""} for one in mine]
    assert [{**one, "id": "", "of": ""} for one in theirs] == without
    assert await exported(stores) == before


async def test_an_import_that_was_cut_short_is_done_again(
    stores: Stores, elsewhere: Stores
) -> None:
    first = await fill(stores)
    lines = await exported(stores)
    for end in (1, 3, len(lines) - 1):  # before the files, within one, before the last entry
        await imported(elsewhere, lines[:end], f"user_{end}")
        counts, refused = await imported(elsewhere, lines, f"user_{end}")
        assert (counts.refused, refused) == (0, {})
        page = await elsewhere.archive.page(f"user_{end}", limit=5)
        files = {one.name: one.digest for entry in page.items for one in entry.files}
        assert files == {one.name: one.digest for one in first.files}


async def test_bad_lines_are_told_by_their_number_and_the_rest_is_in(stores: Stores) -> None:
    lines = [
        line(),
        b"",
        b"not JSON",
        None,
        b"\xff",
        b"[]",
        line(content=" "),
        line(summary="둘\n줄"),
        line(category="x" * 41),
        line(content="a", created_at="yesterday"),
        line(content="a", version=0),
        line(content="a", id="../../etc"),
        line(content="a", files=[{"name": "../x", "size": 1, "digest": "0" * 64}]),
        b'{"content": "\\ud800", "summary": "a", "category": "b"}',
        part_line(Part(entry="entry_x", name="a", start=0, data=b"a")),
        line(content="b"),
    ]
    counts, refused = await imported(stores, lines)
    assert list(refused) == [3, 4, *range(5, 16)]
    assert told(counts) == ("2/0/0", "0/0/0", 13)
    assert {one.content for one in (await stores.archive.page(ME, limit=9)).items} == {""}
    assert len(await exported(stores)) == 2


async def test_of_a_file_all_comes_in_or_nothing(stores: Stores) -> None:
    def entry(name: str, data: bytes = BYTES) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        return {"name": name, "size": len(BYTES), "digest": digest}

    names = ["short", "swapped", "broken", "other", "absent", "good"]
    files = [entry(name) for name in names[:-1]] + [entry("good")]
    files[3] = entry("other", b"others")

    def parts(name: str) -> list[bytes]:
        starts = range(0, len(BYTES), PART_BYTES)
        return [
            part_line(Part(entry="entry_1", name=name, start=at, data=BYTES[at : at + PART_BYTES]))
            for at in starts
        ]

    short, swapped, broken = parts("short")[:2], parts("swapped"), parts("broken")
    swapped[1:] = swapped[:0:-1]
    broken[1] = b"{"
    lines = [line(id="entry_1", files=files), *short, *swapped, *broken]
    lines += [*parts("other"), *parts("good"), *parts("nobody's")[:1]]
    counts, refused = await imported(stores, lines)
    assert told(counts) == ("1/0/0", "1/0/5", 2)
    assert sorted(refused) == [1, 2, 4, 7, 8, 10, 16]
    kept = await stores.archive.get(ME, "entry_1")
    assert [one.name for one in kept.files] == ["good"]
    assert len([one async for one in stores.blobs.list(ME)]) == 1


async def test_the_lines_of_a_lost_file_are_told(stores: Stores) -> None:
    first = await fill(stores)
    lost = first.files[0]
    await stores.blobs.delete(ME, lost.blob)
    missing: list[str] = []

    def note(entry: Entry, file: File) -> None:
        missing.append(file.name)

    lines = [one async for one in lines_of(stores.archive, stores.attachments, ME, note)]
    assert missing == [lost.name]
    counts, refused = await imported(stores, lines, OTHER)
    assert told(counts) == ("2/0/0", "2/0/1", 0)
    assert refused == {1: f"The bytes of its file {lost.name!r} do not follow."}


async def test_entries_that_come_and_go_meanwhile_do_no_harm(stores: Stores) -> None:
    for number in range(3):
        await stores.archive.save(ME, label=f"l{number}", category="c", content=f"c{number}")
    seen: list[str] = []
    async for one in lines_of(stores.archive, stores.attachments, ME, never):
        seen.append(json.loads(one)["summary"])
        if len(seen) == 1:
            newest = (await stores.archive.page(ME, limit=1)).items[0]
            await stores.archive.delete(ME, newest.id)
    assert seen == ["l0", "l1"]
