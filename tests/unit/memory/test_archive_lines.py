"""Lines of an archive: whatever an entry holds comes back, whatever a line says is bounded."""

from contextlib import suppress
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memory.archive_lines import LINE_BYTES, PART_BYTES, Part, entry_line, part_line, read_line
from memory.archive_rules import CONTENT_BYTES, check_category, check_content, check_label
from memory.errors import StoreError
from memory.file_rules import MOST_FILES
from memory.records import Entry, File, Source

MOMENTS = st.datetimes(timezones=st.just(UTC))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
NUMBERS = st.integers(0, 2**40)


def checked(check: object) -> st.SearchStrategy[str]:
    def passes(text: str) -> bool:
        try:
            return bool(callable(check) and check(text) == text)
        except StoreError:
            return False

    return TEXT.filter(passes)


ENTRIES = st.builds(
    Entry,
    id=st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True),
    owner=st.just("user_me"),
    category=checked(check_category),
    label=checked(check_label),
    content=checked(check_content),
    size=st.just(0),
    created_at=MOMENTS,
    updated_at=MOMENTS,
    version=st.integers(1, 2**40),
    source=st.none() | st.builds(Source, room_id=TEXT, key=TEXT),
    files=st.lists(
        st.builds(
            File,
            name=st.sampled_from(["표.txt", "a b.pdf", "👩‍👩‍👧.png"]),
            size=NUMBERS,
            content_type=st.just("text/plain; charset=utf-8"),
            digest=st.from_regex(r"[0-9a-f]{64}", fullmatch=True),
            created_at=MOMENTS,
            blob=st.just(""),
        ),
        max_size=3,
        unique_by=lambda one: one.name,
    ).map(tuple),
)


@settings(max_examples=40)
@given(ENTRIES)
def test_an_entry_comes_back_from_its_line(entry: Entry) -> None:
    line = entry_line(entry)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    found = read_line(line, "user_me")
    assert isinstance(found, Entry)
    assert found.size == len(entry.content.encode())
    assert entry_line(found) == line


@given(NUMBERS, st.binary(max_size=100))
def test_a_part_comes_back_from_its_line(start: int, data: bytes) -> None:
    part = Part(entry="entry_1", name="표.txt", start=start, data=data)
    assert read_line(part_line(part), "user_me") == part


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**60), 2**60)
        | st.floats(allow_nan=False)
        | TEXT,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    "id summary category content source created_at updated_at version files".split()
                    + "name size content_type digest room_id key file of at data".split()
                ),
                inner,
            )
        ),
        max_leaves=20,
    ).map(orjson.dumps)
)
def test_whatever_a_line_says_it_is_taken_or_refused(line: bytes) -> None:
    with suppress(StoreError):
        assert isinstance(read_line(line, "user_me"), Entry | Part)


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_no_calendar_has_is_refused(moment: str) -> None:
    line = {"summary": "a", "category": "b", "content": "c", "created_at": moment}
    with pytest.raises(StoreError):
        read_line(orjson.dumps(line), "user_me")


def test_a_moment_of_another_zone_is_one_in_utc() -> None:
    line = {"summary": "a", "category": "b", "content": "c", "created_at": "2026-01-01T09:00+09:00"}
    found = read_line(orjson.dumps(line), "user_me")
    assert isinstance(found, Entry)
    assert found.created_at == found.updated_at == datetime(2026, 1, 1, tzinfo=UTC)


def test_the_longest_lines_are_within_the_bound() -> None:
    moment = datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    files = tuple(
        File(
            name=f"{number:03}" + '"' * 252,
            size=2**50,
            content_type="a/" + "b" * 127,
            digest="0" * 64,
            created_at=moment,
            blob="",
        )
        for number in range(MOST_FILES)
    )
    entry = Entry(
        id="e" * 100,
        owner="user_me",
        category="c" * 40,
        label="l" * 30,
        content="x" + "\x01" * (CONTENT_BYTES - 1),
        size=CONTENT_BYTES,
        created_at=moment,
        updated_at=moment,
        files=files,
    )
    line = entry_line(entry)
    assert len(line) < LINE_BYTES
    assert read_line(line, "user_me") == entry
    part = Part(entry="e" * 100, name="가" * 85, start=2**50, data=bytes(PART_BYTES))
    assert len(part_line(part)) < LINE_BYTES
