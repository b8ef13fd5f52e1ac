"""What the archive promises, held against every store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from memory.errors import Conflict, Invalid, NotFound, Stale, TooLarge
from memory.mongo.archive import MongoArchive
from memory.mongo.schema import open_mongo
from memory.protocols import Archive
from memory.records import Entry, Source
from memory.sqlite.archive import SQLiteArchive
from memory.sqlite.database import Database

ME, OTHER = "user_me", "user_other"

TEXTS = {
    "레디스 만료": ("개발", "레디스 세션 만료 시간은 30분이고 요청마다 갱신된다."),
    "김치찌개": ("요리", "김치찌개는 묵은지와 돼지고기를 볶은 뒤 물을 붓고 20분 끓인다."),
    "Staging server": ("infra", "The staging server lives at 10.0.0.7 and restarts every night."),
    "getUserName bug": ("dev", "getUserName() in src/auth/user_service.py raises ERR_AUTH_401."),
    "Passport": ("travel", "My passport number is M12345678, it expires in March 2031."),
    "회의 결정": ("업무", "월요일 회의에서 배포는 매주 목요일 오전에 하기로 정했다."),
}


@asynccontextmanager
async def on_sqlite(request: pytest.FixtureRequest) -> AsyncIterator[Archive]:
    folder: Path = request.getfixturevalue("tmp_path")
    database = await Database.open(folder / "tomato.db")
    yield SQLiteArchive(database)
    await database.close()


@asynccontextmanager
async def on_mongo(request: pytest.FixtureRequest) -> AsyncIterator[Archive]:
    async with open_mongo(request.getfixturevalue("mongo_url")) as database:
        yield MongoArchive(database)


@asynccontextmanager
async def on_standalone_mongo(request: pytest.FixtureRequest) -> AsyncIterator[Archive]:
    url = request.getfixturevalue("standalone_mongo_url")
    async with open_mongo(url) as database:
        yield MongoArchive(database)


@pytest.fixture(params=[on_sqlite, on_mongo, on_standalone_mongo])
async def archive(request: pytest.FixtureRequest) -> AsyncIterator[Archive]:
    async with request.param(request) as opened:
        yield opened


async def filled(archive: Archive, owner: str = ME) -> dict[str, Entry]:
    return {
        label: await archive.save(owner, label=label, category=category, content=content)
        for label, (category, content) in TEXTS.items()
    }


async def test_what_was_saved_is_read_back(archive: Archive) -> None:
    source = Source(room_id="room_1", key="t00000001-0000")
    saved = await archive.save(ME, label="라벨", category="분류", content="내용 😀", source=source)
    assert await archive.get(ME, saved.id) == saved
    assert (saved.size, saved.version, saved.source) == (len("내용 😀".encode()), 1, source)


async def test_the_same_content_is_there_once(archive: Archive) -> None:
    saved = await archive.save(ME, label="one", category="c", content="Redis expires keys lazily.")
    with pytest.raises(Conflict) as caught:
        await archive.save(ME, label="two", category="d", content="redis  expires keys, lazily!")
    assert caught.value.code == "duplicate"
    assert caught.value.details["id"] == saved.id
    other = await archive.save(OTHER, label="one", category="c", content=saved.content)
    assert other.id != saved.id


async def test_an_entry_from_elsewhere_is_kept_as_it_is(archive: Archive) -> None:
    moment = datetime(2001, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    entry = Entry(
        id="entry_elsewhere",
        owner=ME,
        category="분류",
        label="라벨",
        content="내용",
        size=6,
        created_at=moment,
        updated_at=moment + timedelta(days=1),
        version=7,
        source=Source(room_id="room_1", key="t00000001-0000"),
    )
    assert await archive.add(entry) == entry
    assert await archive.get(ME, entry.id) == entry
    with pytest.raises(Conflict) as caught:
        await archive.add(replace(entry, id="entry_other"))
    assert (caught.value.code, caught.value.details) == ("duplicate", {"id": entry.id})
    for owner in (ME, OTHER):
        with pytest.raises(Conflict) as caught:
            await archive.add(replace(entry, owner=owner, content="다른 내용"))
        assert caught.value.code == "entry_exists"
    assert await archive.get(ME, entry.id) == entry


async def test_the_oldest_first_is_the_newest_first_from_the_other_end(archive: Archive) -> None:
    saved = await archive.save(ME, label="now", category="a", content="the newest")
    for number in range(5):  # of one moment: then the order in which they came
        old = replace(saved, id=f"entry_{number}", content=f"old {number}")
        await archive.add(replace(old, created_at=datetime(2020, 1, 1, tzinfo=UTC)))
    orders: list[list[str]] = []
    for oldest_first in (True, False):
        seen: list[str] = []
        cursor = None
        while not seen or cursor is not None:
            page = await archive.page(ME, limit=2, cursor=cursor, oldest_first=oldest_first)
            seen.extend(entry.id for entry in page.items)
            cursor = page.next_cursor
        orders.append(seen)
    assert orders[0] == [*(f"entry_{number}" for number in range(5)), saved.id]
    assert orders[1] == orders[0][::-1]


async def test_of_many_equal_saves_at_once_one_wins(archive: Archive) -> None:
    saves = [archive.save(ME, label=f"l{n}", category="c", content="same words") for n in range(8)]
    done = await asyncio.gather(*saves, return_exceptions=True)
    assert sum(isinstance(one, Entry) for one in done) == 1
    assert sum(isinstance(one, Conflict) for one in done) == 7


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("레디스 만료", "레디스 만료"),
        ("세션이 언제 만료되지?", "레디스 만료"),
        ("찌개 끓이는 법", "김치찌개"),
        ("where does the staging server live?", "Staging server"),
        ("10.0.0.7", "Staging server"),
        ("user name", "getUserName bug"),
        ("ERR_AUTH_401", "getUserName bug"),
        ("user_service", "getUserName bug"),
        ("when does my passport expire", "Passport"),
        ("배포는 무슨 요일에 하지", "회의 결정"),
        ("infra", "Staging server"),
    ],
)
async def test_search_finds_it_in_other_words(archive: Archive, query: str, label: str) -> None:
    await filled(archive)
    await archive.save(OTHER, label="other", category="c", content=query)
    page = await archive.search(ME, query, limit=3)
    assert page.items[0].entry.label == label
    assert page.items[0].matched
    assert page.items[0].entry.owner == ME


async def test_search_is_paged_and_kept_within_a_category(archive: Archive) -> None:
    for number in range(7):
        await archive.save(
            ME, label=f"memo {number}", category="ab"[number % 2], content=f"토마토 심기 {number}"
        )
    seen: list[str] = []
    cursor = None
    while True:
        page = await archive.search(ME, "토마토", limit=3, cursor=cursor)
        seen.extend(found.entry.label for found in page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == [f"memo {number}" for number in range(7)]
    within = await archive.search(ME, "토마토", category="a", limit=10)
    assert {found.entry.category for found in within.items} == {"a"}
    assert len(within.items) == 4


@pytest.mark.parametrize(
    "query", ["", "   ", "?!*", "the of and", '"*" OR 1=1; --', "$where", "\x00"]
)
async def test_a_query_without_words_finds_nothing(archive: Archive, query: str) -> None:
    await filled(archive)
    assert (await archive.search(ME, query, limit=5)).items == []


async def test_too_long_a_query_is_refused(archive: Archive) -> None:
    with pytest.raises(Invalid):
        await archive.search(ME, "가" * 10_000, limit=5)


async def test_a_change_is_found_and_what_it_replaced_is_not(archive: Archive) -> None:
    saved = (await filled(archive))["Passport"]
    changed = await archive.update(ME, saved.id, content="The locker code is 4711.", label="Locker")
    assert (changed.version, changed.label, changed.category) == (2, "Locker", "travel")
    assert (await archive.search(ME, "passport", limit=5)).items == []
    found = await archive.search(ME, "locker", limit=5)
    assert [one.entry.id for one in found.items] == [saved.id]


async def test_a_change_of_an_older_version_is_refused(archive: Archive) -> None:
    saved = (await filled(archive))["Passport"]
    await archive.update(ME, saved.id, label="first", if_version=1)
    with pytest.raises(Stale):
        await archive.update(ME, saved.id, label="second", if_version=1)
    assert (await archive.get(ME, saved.id)).label == "first"


async def test_what_is_deleted_is_gone(archive: Archive) -> None:
    saved = (await filled(archive))["김치찌개"]
    await archive.delete(ME, saved.id)
    with pytest.raises(NotFound):
        await archive.get(ME, saved.id)
    assert (await archive.search(ME, "김치찌개", limit=5)).items == []
    again = await archive.save(ME, label="다시", category="요리", content=saved.content)
    assert (await archive.search(ME, "묵은지", limit=5)).items[0].entry.id == again.id


async def test_another_owner_sees_and_changes_nothing(archive: Archive) -> None:
    saved = (await filled(archive))["Passport"]
    for attempt in (
        archive.get(OTHER, saved.id),
        archive.update(OTHER, saved.id, label="stolen"),
        archive.delete(OTHER, saved.id),
        archive.rename_category(OTHER, "travel", "stolen"),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await archive.page(OTHER, limit=10)).items == []
    assert await archive.categories(OTHER) == []
    assert await archive.near(OTHER, saved.content) == []
    assert await archive.digest(OTHER, max_tokens=100) == ""
    assert await archive.get(ME, saved.id) == saved


async def test_entries_are_paged_newest_first_without_contents(archive: Archive) -> None:
    await filled(archive)
    seen: list[str] = []
    cursor = None
    while True:
        page = await archive.page(ME, limit=4, cursor=cursor)
        assert all(entry.content == "" for entry in page.items)
        seen.extend(entry.label for entry in page.items)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == list(TEXTS)[::-1]


async def test_categories_are_counted_renamed_and_merged(archive: Archive) -> None:
    await filled(archive)
    assert await archive.rename_category(ME, "dev", "개발") == 1
    counts = {category.name: category.count for category in await archive.categories(ME)}
    assert counts == {"개발": 2, "요리": 1, "infra": 1, "travel": 1, "업무": 1}
    found = await archive.search(ME, "개발", limit=5)
    assert {one.entry.label for one in found.items} == {"레디스 만료", "getUserName bug"}
    with pytest.raises(NotFound):
        await archive.rename_category(ME, "dev", "x")


async def test_near_contents_are_told_apart_from_the_same(archive: Archive) -> None:
    saved = await filled(archive)
    same = await archive.near(ME, "레디스 세션 만료 시간은 30분이고, 요청마다 갱신된다!")
    assert (same[0].entry.id, same[0].exact) == (saved["레디스 만료"].id, True)
    close = await archive.near(ME, TEXTS["회의 결정"][1] + " 담당은 민수다.")
    assert (close[0].entry.id, close[0].exact) == (saved["회의 결정"].id, False)
    assert 0.5 < close[0].overlap < 1
    assert await archive.near(ME, "전혀 다른 이야기") == []


async def test_the_digest_names_no_contents_and_keeps_its_bound(archive: Archive) -> None:
    await filled(archive)
    digest = await archive.digest(ME, max_tokens=200)
    assert "레디스 만료" in digest
    assert "travel (1)" in digest
    assert "M12345678" not in digest
    assert len((await archive.digest(ME, max_tokens=20)).encode()) <= 80


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("summary", {"label": "가" * 31}),
        ("summary", {"label": "  "}),
        ("summary", {"label": "two\nlines"}),
        ("category", {"category": "c" * 200}),
        ("category", {"category": "\x07"}),
        ("content", {"content": " \n "}),
        ("content", {"content": "nul \x00"}),
    ],
)
async def test_bad_values_are_refused_by_name(
    archive: Archive, field: str, values: dict[str, str]
) -> None:
    good = {"label": "label", "category": "category", "content": "content"} | values
    with pytest.raises(Invalid) as caught:
        await archive.save(
            ME, label=good["label"], category=good["category"], content=good["content"]
        )
    assert caught.value.details["field"] == field
    assert (await archive.page(ME, limit=5)).items == []


async def test_thirty_characters_are_counted_as_people_see_them(archive: Archive) -> None:
    label = "👨‍👩‍👧‍👦" * 30
    saved = await archive.save(ME, label=label, category="가족", content="사진 모음")
    assert saved.label == label


async def test_too_large_a_content_is_refused(archive: Archive) -> None:
    with pytest.raises(TooLarge):
        await archive.save(ME, label="l", category="c", content="x" * 10_000_000)
