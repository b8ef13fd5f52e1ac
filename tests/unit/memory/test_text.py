"""Text as people see it, in Korean and English."""

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from memory.text import (
    LABEL_POINTS,
    compose,
    condense,
    cut_label,
    grapheme_count,
    is_blank,
    iter_graphemes,
    language,
    normalize,
    sentences,
    words,
)

FAMILY = "👨‍👩‍👧‍👦"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Redis TTL is 300 seconds.", "redis  ttl is 300 seconds"),
        ("레디스 만료는 300초", "  레디스\n만료는 300초!! "),
        ("ＡＢＣ", "abc"),
        ("Straße", "STRASSE"),
        ("한글", unicodedata.normalize("NFD", "한글")),
        ("- first\n- second", "first, second"),
        ("“quoted” text", '"quoted" text'),
        ("zero\u200bwidth", "zerowidth"),
        ("❤️", "❤"),
    ],
)
def test_the_same_said_in_another_form_is_the_same(one: str, other: str) -> None:
    assert normalize(one) == normalize(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C++", "C"),
        ("C#", "C"),
        ("3.5", "35"),
        ("3.5", "3 5"),
        ("-5 degrees", "5 degrees"),
        ("5%", "5"),
        ("10:30", "1030"),
        ("a + b", "a - b"),
        ("360초", "3600초"),
        ("만료 300초", "만료 301초"),
        ("😀", "😡"),
    ],
)
def test_what_differs_in_a_sign_that_tells_stays_two(one: str, other: str) -> None:
    assert normalize(one) != normalize(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("레디스 만료 시간은 3,600초", "레디스 만료시간은 3600 초"),
        ("don't touch the well-known key", "Dont touch the well known key!"),
        ("1,234,567 rows", "1234567 rows"),
    ],
)
def test_the_same_said_with_other_spaces_is_the_same(one: str, other: str) -> None:
    assert condense(one) == condense(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ports 80 81", "ports 8081"),
        ("3.5초", "35초"),
        ("1,2", "12"),
        ("12,34", "1234"),
        ("a -5", "a 5"),
        ("x > y", "x y"),
    ],
)
def test_numbers_and_signs_stay_apart_without_spaces(one: str, other: str) -> None:
    assert condense(one) != condense(other)


@given(st.text())
def test_normalizing_again_changes_nothing(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once
    assert once == " ".join(once.split())


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("abc", 3),
        ("한글", 2),
        (unicodedata.normalize("NFD", "한글"), 2),
        (FAMILY, 1),
        ("🇰🇷🇺🇸", 2),
        ("🇰🇷🇺", 2),
        ("e\u0301", 1),
        ("\r\n", 1),
        ("👍🏽", 1),
    ],
)
def test_characters_count_as_people_see_them(text: str, count: int) -> None:
    assert grapheme_count(text) == len(list(iter_graphemes(text))) == count


ODD = st.text(
    st.sampled_from("a가각ᄀ\u1161\u11a8🇰🇷🇺👨\u200d🏽\ufe0f\u0301\r\n \u0600\u093f\u0915\u094d")
)


@given(st.one_of(st.text(), ODD))
def test_graphemes_are_those_of_unicode(text: str) -> None:
    assert list(iter_graphemes(text)) == regex.findall(r"\X", text)
    assert "".join(iter_graphemes(text)) == text


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("short", "short"),
        ("  two\nlines\tand more  ", "two lines and more"),
        ("The quick brown fox jumps over the lazy dog", "The quick brown fox jumps over"),
        ("The quick brown fox jumped across it", "The quick brown fox jumped"),
        (
            "레디스 만료는 삼백 초, 갱신할 때마다 처음부터 다시 센다",
            "레디스 만료는 삼백 초, 갱신할 때마다 처음부터 다시",
        ),
        ("가" * 40, "가" * 30),
        ("one, " + "x" * 40, "one, " + "x" * 25),
        (
            "회의록과 자료를 정리한 여러 가지 문서와 그 결과, 그리고",
            "회의록과 자료를 정리한 여러 가지 문서와 그 결과",
        ),
        (FAMILY * 31, FAMILY * 30),
        ("", ""),
        (" \n\t\x00 ", ""),
    ],
)
def test_a_label_is_cut_at_a_word_boundary(text: str, label: str) -> None:
    assert cut_label(text) == label


@given(st.one_of(st.text(), ODD), st.integers(1, 40))
def test_a_label_fits_on_one_line(text: str, limit: int) -> None:
    label = cut_label(text, limit)
    assert grapheme_count(label) <= limit
    assert len(label.splitlines()) <= 1
    assert label == label.strip()


def test_one_character_of_a_thousand_marks_is_no_label() -> None:
    assert len(cut_label("a" + "\u0301" * 1000)) <= LABEL_POINTS


@pytest.mark.parametrize(
    ("text", "blank"),
    [
        ("", True),
        (" \t\n\u00a0\u2028", True),
        ("\u200b\u200d\u202e\ufeff\u00ad\ufe0f", True),
        ("\u3164\u115f\u1160\uffa0\u2800", True),
        ("\u0301\u20dd", True),
        ("\x00\x07\ud800", True),
        ("\u200b가", False),
        ("ㄱ", False),
        ("👨\u200d👩", False),
        (".", False),
    ],
)
def test_what_can_not_be_seen_is_blank(text: str, blank: bool) -> None:
    assert is_blank(text) is blank


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't panic: it's 42!", ["Don't", "panic", "it's", "42"]),
        ("레디스(Redis) 만료, 300초", ["레디스", "Redis", "만료", "300초"]),
        ("a_b c-d", ["a", "b", "c", "d"]),
        ("!!! ...", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("레디스 만료 정책", "ko"),
        ("kubernetes rolling update 뭐야", "ko"),
        ("ㅋㅋㅋ", "ko"),
        ("plain English text", "en"),
        ("The city of 서울 is the capital of South Korea and its largest city", "en"),
        ("", "en"),
        ("12345", "en"),
    ],
)
def test_language(text: str, expected: str) -> None:
    assert language(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("첫 문장이다. 둘째다.\n셋째", ["첫 문장이다.", "둘째다.", "셋째"]),
        ("Use v1.2.3 of it. Then 3.5 more.", ["Use v1.2.3 of it.", "Then 3.5 more."]),
        ("Dr. Kim said e.g. this. Yes.", ["Dr. Kim said e.g. this.", "Yes."]),
        ("1. First point\n2. Second", ["1. First point", "2. Second"]),
        ("一つ。二つ。", ["一つ。", "二つ。"]),
        ('He said "go." Then left.', ['He said "go."', "Then left."]),
        ("기다려... 그리고 가자", ["기다려...", "그리고 가자"]),
        (" \n \n", []),
    ],
)
def test_sentences(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@given(st.text())
def test_sentences_keep_every_visible_character(text: str) -> None:
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())


UNITS = ["a", " ", ".", "a.", ". ", "가 ", "🇰🇷", "\u1100", FAMILY, "\n", "5.", "-5", "a'", "\u200d"]


@pytest.mark.timeout(20)  # what grows with the square of the length takes hours
@pytest.mark.parametrize("unit", [*UNITS, "\u0315\u0300", "[.", "。", '."', "1.2 "])
def test_a_million_characters_end_soon(unit: str) -> None:
    text = (unit * 1_000_000)[:1_000_000]
    for work in (compose, normalize, grapheme_count, cut_label, words, language, sentences):
        work(text)
