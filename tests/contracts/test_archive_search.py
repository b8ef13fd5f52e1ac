"""Whether an archive's search finds what is meant, in Korean, English and code, on every store."""

import json
from pathlib import Path

import pytest

from memory.protocols import Archive
from tests.contracts.test_archive import (
    archive,  # noqa: F401 - the fixture: the same stores
)

DATA = Path(__file__).parents[1] / "data"
ME = "user_me"

INJECTIONS = [
    "' OR 1=1 --",
    '"; DROP TABLE entries; --',
    "레디스 AND NOT *",
    '{"$gt": ""}',
    "$where: sleep(1000)",
    ".*(a+)+$",
    "[[[[((((",
    "레디스\x00",
    "\ud800",
    "%_%",
    "#개발",
    "\N{RIGHT-TO-LEFT OVERRIDE}레디스",
]
PLACES = {
    "getUserName": "code",
    "get_user_name": "code",
    "user_service.py": "code",
    "src/auth": "code",
    "ERR_AUTH_401": "code",
    "err auth": "code",
    "10.0.0.7": "address",
    "maxmemoryPolicy": "policy",
    "cafes": "coffee",
    "집": "house",
    "개발": "policy",
    "만료시간": "expiry",
}


async def filled(archive: Archive) -> None:  # noqa: F811 - the fixture's value
    for label, category, content in [
        ("code", "dev", "getUserName() in src/auth/user_service.py raises ERR_AUTH_401."),
        ("address", "infra", "The staging server lives at 10.0.0.7."),
        ("policy", "개발", "maxmemory-policy를 allkeys-lru로 바꿨다."),
        ("coffee", "places", "The café at the corner opens at nine."),
        ("house", "생활", "우리집 계약은 내년 8월에 끝난다."),
        ("expiry", "메모", "세션의 만료 시간은 30분이다."),
    ]:
        await archive.save(ME, label=label, category=category, content=content)


@pytest.mark.parametrize(("query", "label"), PLACES.items())
async def test_names_codes_and_single_characters_are_found(
    archive: Archive,  # noqa: F811 - the fixture
    query: str,
    label: str,
) -> None:
    await filled(archive)
    found = await archive.search(ME, query, limit=5)
    assert [one.entry.label for one in found.items][:1] == [label]
    assert found.items[0].matched


@pytest.mark.parametrize("query", INJECTIONS)
async def test_operators_and_odd_characters_are_only_text(
    archive: Archive,  # noqa: F811 - the fixture
    query: str,
) -> None:
    await filled(archive)
    found = await archive.search(ME, query, limit=5)
    assert all(one.matched for one in found.items)
    assert len((await archive.page(ME, limit=10)).items) == 6


@pytest.mark.parametrize("language", ["ko", "en"])
async def test_most_questions_find_their_note_first(
    archive: Archive,  # noqa: F811 - the fixture
    language: str,
) -> None:
    notes = json.loads((DATA / f"archive_{language}.json").read_text())
    note_of = {}
    for note in notes:
        entry = await archive.save(ME, label="note", category="notes", content=note["text"])
        note_of[entry.id] = note["text"]
    places = []
    for note in notes:
        for question in note["questions"]:
            hits = (await archive.search(ME, question, limit=5)).items
            texts = [note_of[hit.entry.id] for hit in hits]
            places.append(texts.index(note["text"]) + 1 if note["text"] in texts else 0)
    assert sum(place == 1 for place in places) / len(places) >= 0.94
    assert all(places)
