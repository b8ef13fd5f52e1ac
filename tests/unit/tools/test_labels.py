"""Labels and category names: their bounds as people count, their language, cutting one out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.text import grapheme_count
from tools.labels import (
    category_problem,
    extract_label,
    label_problem,
    language_problem,
    same_name,
    tidy,
)

FAMILY = "👨‍👩‍👧‍👦"
KO = "Redis의 maxmemory-policy를 allkeys-lru로 바꾸면 오래된 키부터 지운다."
EN = "The staging database password rotates on the first Monday of each month."


@pytest.mark.parametrize(
    "label",
    ["a", "가" * 30, FAMILY * 30, "é" * 30, "각" * 10, "Redis TTL", "레디스 만료"],
)
def test_up_to_thirty_characters_as_people_see_them(label: str) -> None:
    assert label_problem(label) is None


@pytest.mark.parametrize(
    ("label", "problem"),
    [
        ("", "empty"),
        ("  \t", "empty"),
        ("\u200b\u200d", "empty"),
        ("\u3164\u115f", "empty"),
        ("\u0301", "empty"),
        ("e" + "\u0301" * 600, "too long"),
        ("가" * 31, "31"),
        (FAMILY * 31, "31"),
        ("two\nlines", "one line"),
        ("two\u2028lines", "one line"),
        ("bell\x07", "one line"),
    ],
)
def test_what_is_no_label(label: str, problem: str) -> None:
    assert problem in str(label_problem(label))


def test_categories_have_their_own_bound() -> None:
    assert category_problem("가" * 40) is None
    assert "200" in str(category_problem("x" * 200))
    assert "empty" in str(category_problem(" "))


@pytest.mark.parametrize(
    ("label", "content", "fits"),
    [
        ("Redis 메모리 정책", KO, True),
        ("Redis memory eviction", KO, False),
        ("maxmemory-policy", KO, True),  # a name that stands in the content
        ("Staging DB password rotation", EN, True),
        ("스테이징 비밀번호 교체", EN, False),
        ("東京の天気", "東京の天気は明日も晴れです。", True),
        ("Tokyo weather", "東京の天気は明日も晴れです。", False),
        ("Погода", "Завтра в Москве будет дождь.", True),
    ],
)
def test_a_label_stays_in_its_contents_language(label: str, content: str, fits: bool) -> None:
    assert (language_problem(label, content) is None) is fits


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ('"Redis TTL"', "Redis TTL"),
        ("「레디스 만료」", "레디스 만료"),
        ("  '“x”' ", "x"),
        ("<think>The user wants a label.</think>Redis TTL", "Redis TTL"),
        ("<think>never closed", ""),
        ("a\u202eb\u200b", "ab"),
        ("it's", "it's"),
        ('"', '"'),
    ],
)
def test_tidying(raw: str, name: str) -> None:
    assert tidy(raw) == name


@pytest.mark.parametrize(
    ("content", "label"),
    [
        ("# Redis 메모\n본문", "Redis 메모"),
        ("- [링크](x)", "[링크](x)"),
        ("배포는 v1.2.3이다. 다음 줄", "배포는 v1.2.3이다."),
        ("...\n!!\n3. 세 번째 항목", "세 번째 항목"),
        ("Milk", "Milk"),
        ("🎉", "Note"),
    ],
)
def test_a_label_cut_out_of_the_content(content: str, label: str) -> None:
    assert extract_label(content) == label


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=400))
def test_what_is_cut_out_can_always_be_a_label(content: str) -> None:
    label = extract_label(content)
    assert label_problem(label) is None
    assert 1 <= grapheme_count(label) <= 30


def test_names_that_are_the_same_to_people() -> None:
    known = ["Recipes", "개발 노트"]
    assert same_name("recipes ", known) == "Recipes"
    assert same_name("개발-노트", known) == "개발 노트"
    assert same_name("여행", known) is None
    assert same_name("", known) is None
