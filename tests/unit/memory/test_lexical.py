"""Search terms of Korean, English and code."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.lexical import (
    TERM_CHARACTERS,
    entry_terms,
    lone_characters,
    matched_words,
    overlap,
    query_terms,
    sample_terms,
    terms,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("families", "family"),
        ("expires", "expired"),
        ("running", "runs"),
        ("stopped", "stop"),
        ("caches", "cache"),
        ("bought", "buying"),
        ("children", "child"),
        ("Café", "cafe"),
        ("REDIS", "redis"),
        ("user's", "user"),
        ("rateLimit", "rate_limit"),
        ("rate-limit", "ratelimit"),
        ("２０３１", "2031"),
    ],
)
def test_forms_of_a_word_share_a_term(one: str, other: str) -> None:
    assert terms(one)[0] == terms(other)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("getUserById", {"getuserbyid", "get", "user", "id"}),
        ("HTTPServer", {"httpserver", "http", "server"}),
        ("user_service", {"userservic", "user", "servic"}),
        ("ERR_AUTH_401", {"errauth401", "err", "auth", "401"}),
        ("E11000", {"e11000", "11000"}),
        ("ORA-00942", {"ora00942", "ora", "00942"}),
        ("src/auth/token.py", {"srcauthtokenpy", "src", "auth", "token", "py"}),
        ("192.168.0.1", {"192.168.0.1", "192", "168", "0", "1"}),
        ("redis를", {"redis", "를"}),
        ("300초", {"300", "초"}),
        ("만료 시간은", {"만료", "시간", "간은"}),
        ("東京都コーヒー", {"東京", "京都", "都コ", "コー", "ーヒ", "ヒー"}),
        ("the and of", set()),
        ("don't", set()),
        ("!? ... --", set()),
    ],
)
def test_terms(text: str, expected: set[str]) -> None:
    assert set(terms(text)) == expected


def test_versions_and_numbers_with_other_dots_are_others() -> None:
    assert terms("1.23")[0] != terms("12.3")[0] != terms("123")[0]


@given(st.text())
def test_any_text_has_terms_of_a_bounded_length(text: str) -> None:
    found = terms(text)
    assert all(found)
    assert all(len(term) <= TERM_CHARACTERS for term in found)
    assert found == terms(text)


def test_words_by_which_one_only_asks_are_left_out_of_a_query() -> None:
    asked = query_terms("내가 저장한 redis 만료 메모 찾아줘")
    assert asked[:3] == ["redis", "만료", "메모"]
    assert "저장" not in asked
    assert query_terms("어디")[0] == "어디"


def test_label_and_category_weigh_more_than_content() -> None:
    made = entry_terms("redis", "server", "redis port")
    assert made.weights["port"] == 1
    assert made.weights[terms("redis")[0]] > made.weights["port"]
    assert made.length == 2
    assert len(made.category) == 1
    assert not made.category.keys() & made.weights.keys()


@pytest.mark.parametrize(
    ("query", "found", "matched"),
    [
        ("만료는 언제", {"만료"}, ("만료",)),
        ("redis expiring", {"redis", "expir"}, ("redis", "expiring")),
        ("redis 여권", {"여권"}, ("여권",)),
        ("집", {"우리", "리집"}, ("집",)),
        ("travel", {"#travel"}, ("travel",)),
        ("maxmemory-policy", {"maxmemory", "policy"}, ("maxmemory-policy",)),
        ("레디스만료", {"레디", "디스"}, ("레디스",)),
        ("getUserById/3", {"3"}, ("3",)),
        ("find getUserById", {"user"}, ("User",)),
        ("rate-limit", {"ratelimit"}, ("rate-limit",)),
        ("만료시간을", {"시간"}, ("시간",)),
        ("만료시간을 redis", {"시간", "redis"}, ("redis",)),
        ("nothing here", set(), ()),
    ],
)
def test_matched_words_are_as_they_stand(
    query: str, found: set[str], matched: tuple[str, ...]
) -> None:
    assert matched_words(query, found) == matched


@given(st.text(st.sampled_from("aBz1가나집漢.-_/' \u0301é")), st.randoms())
def test_whatever_is_found_tells_what_matched(query: str, chance: random.Random) -> None:
    wanted = query_terms(query)
    if wanted:
        assert matched_words(query, [chance.choice(wanted)])


def test_a_lone_character_is_known_from_one_beside_words() -> None:
    assert lone_characters(query_terms("집")) == ["집"]
    assert lone_characters(query_terms("집 계약")) == []
    assert lone_characters(query_terms("x")) == []
    assert lone_characters(query_terms("")) == []


def test_overlap_is_between_nothing_and_all() -> None:
    one = sample_terms("레디스 만료 시간은 30분이다")
    assert overlap(one, sample_terms("레디스 만료시간은 30분 이다.")) > 0.6
    assert overlap(one, one) == 1.0
    assert overlap(one, sample_terms("completely different")) == 0.0
    assert overlap(one, {}) == 0.0


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit", ["a", "가", "a_", "aB", "a.", "1", "'", "a'", "_", "ー", "#a", "É"]
)
def test_a_million_characters_end_soon(unit: str) -> None:
    entry_terms("label", "category", (unit * 1_000_000)[:1_000_000])
