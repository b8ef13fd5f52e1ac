"""Tools' answers: valid JSON within their bound, whatever the archive holds."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.embeddings import BY_MEANING
from memory.records import Entry, File
from tools.answers import (
    ANSWER_CHARACTERS,
    answer,
    card,
    fitting,
    found_in_files,
    snippet,
    whole_entry,
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
awkward = st.builds(
    lambda unit, count: unit * count, st.text('"\\\n\x01가a', min_size=1), st.integers(0, 3_000)
)


def entry(content: str, label: str = "a label") -> Entry:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    return Entry(
        id="entry_1",
        owner="me",
        category="b",
        label=label,
        content=content,
        size=len(content),
        created_at=moment,
        updated_at=moment,
    )


def test_the_first_files_of_an_entry_are_named() -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    files = tuple(
        File(
            name='"' * 250 + f"{number}",
            size=1,
            content_type="text/plain",
            digest="0" * 64,
            created_at=moment,
            blob="b",
        )
        for number in range(100)
    )
    told = json.loads(whole_entry(replace(entry("content" * 5_000), files=files)))["entry"]
    assert told["files"] == [file.name for file in files[:5]]
    assert told["truncated"]
    assert "files" not in card(entry("content"))


def test_words_that_stand_in_files_alone_are_told() -> None:
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    file = File(name="표.pdf", size=1, content_type="a/b", digest="", created_at=moment, blob="b")
    held = replace(entry("Redis 만료"), files=(file,))
    assert found_in_files(held, held.content, ["redis", "탑승구", "label"]) == "[표.pdf: 탑승구]"
    assert found_in_files(held, held.content, ["만료", BY_MEANING]) == ""
    assert found_in_files(entry("x"), "x", ["탑승구"]) == ""


@given(texts | awkward)
def test_a_whole_entry_fits_and_says_whether_it_was_cut(content: str) -> None:
    text = whole_entry(entry(content))
    assert len(text) <= ANSWER_CHARACTERS
    told = json.loads(text)["entry"]
    if "truncated" in told:
        assert content.startswith(told["content"].removesuffix("…"))
    else:
        assert told["content"] == content


def test_an_entry_keeps_as_much_as_fits() -> None:
    told = json.loads(whole_entry(entry("가" * 100_000)))["entry"]
    assert len(told["content"]) > ANSWER_CHARACTERS * 0.8


@given(st.lists(texts | awkward, max_size=8), st.integers(0, 4_000))
def test_a_list_keeps_what_fits_from_its_start(labels: list[str], room: int) -> None:
    cards = [card(entry("", label)) for label in labels]
    kept = fitting(cards, room)
    assert len(answer({"found": kept})) <= room + len('{"found":[]}')
    assert kept == cards[: len(kept)]
    if len(kept) < len(cards):
        assert len(answer({"found": cards[: len(kept) + 1]})) >= room


@given(texts | awkward, st.lists(texts, max_size=5))
def test_a_snippet_is_one_short_line(content: str, matched: list[str]) -> None:
    shown = snippet(content, matched)
    assert len(shown) <= 282
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize("place", [0, 5_000, 90_000])
def test_a_snippet_shows_what_matched(place: int) -> None:
    filler = ("This is filler. " * 10_000)[:place]
    content = f"{filler} The needle is here. {filler}"
    assert "The needle is here." in snippet(content, ["needle"])


def test_a_snippet_of_one_long_sentence_is_cut_around_the_match() -> None:
    shown = snippet("가" * 5_000 + " 바늘 " + "나" * 5_000, ["바늘"])
    assert shown.startswith("…")
    assert shown.endswith("…")
    assert "바늘" in shown
