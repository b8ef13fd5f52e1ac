"""What says the same, what adds to it, and that nothing is lost when two become one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.overlap import merge, most_alike, relate

A = "Redis의 만료 시간은 3600초다."


@pytest.mark.parametrize(
    ("new", "relation"),
    [
        ("redis의 만료시간은 3600초다", "said"),
        ("  REDIS의   만료 시간은 3600초다!!!", "said"),
        (f"1. {A}", "said"),
        (f"> {A}", "said"),
        (f"- {A}\n- 위키에도 있다.", "adds"),
        (A + " 2024년 장애 뒤에 정했다.", "adds"),
        ("참고로 적는다. " + A, "adds"),
        ("redis의 만료 시간은 3600초다\n위키에도 있다", "adds"),
        ("Redis의 만료 시간은 7200초다.", "apart"),
        ("Redis의 만료 시간은 36000초다.", "apart"),
        ("김치찌개는 묵은지로 끓인다.", "apart"),
    ],
)
def test_relations(new: str, relation: str) -> None:
    assert relate(A, new) == relation


def test_a_sentence_of_a_long_content_is_a_thing_of_its_own() -> None:
    long = " ".join(f"Fact number {index} is about subject {index}." for index in range(20))
    assert relate(long, "Fact number 3 is about subject 3.") == "apart"
    assert relate("Fact number 3 is about subject 3.", long) == "apart"


def test_each_with_a_sentence_of_its_own_become_one() -> None:
    old, new = f"{A} 위키에 적었다.", f"{A} 장애 뒤에 정했다."
    assert relate(old, new) == "adds"
    assert merge(old, new) == f"{A} 위키에 적었다.\n장애 뒤에 정했다."


sentences_of_mine = st.lists(
    st.sampled_from([f"Sentence {name} says {name}{name}." for name in "abcdefgh"]),
    min_size=1,
    max_size=6,
    unique=True,
)


@given(sentences_of_mine, sentences_of_mine)
def test_nothing_is_lost_by_merging(old: list[str], new: list[str]) -> None:
    merged = merge(" ".join(old), " ".join(new))
    assert all(merged.count(sentence) == 1 for sentence in {*old, *new})


@given(st.text(), st.text())
def test_any_texts_merge_and_relate(old: str, new: str) -> None:
    assert relate(old, new) in ("said", "adds", "apart")
    merged = " ".join(merge(old, new).split())
    assert " ".join(old.split()).rstrip(".!?…。！？ ") in merged


def test_what_is_added_without_a_full_stop_is_known_again() -> None:
    kept = "redis 만료는 EXPIRE로 정한다"
    for more in ("팀 위키 참고.", "추가로 확인함", "담당은 김", "추가로 확인함"):
        new = f"redis 만료는 EXPIRE로 정한다 {more}"
        assert relate(kept, new) == ("said" if more in kept else "adds")
        kept = merge(kept, new)
        assert more in kept
    assert kept.startswith("redis 만료는 EXPIRE로 정한다\n팀 위키 참고.\n")


def test_large_contents_are_related_in_time() -> None:
    large = "\n".join(f"Line {number} says something of its own." for number in range(3_000))
    assert relate(large, large + "\nOne more.") == "adds"
    assert relate(large, "\n".join(reversed(large.splitlines()))) == "said"


def test_what_says_it_wins_over_what_it_adds_to() -> None:
    assert most_alike(["김치", A, f"{A} 더 있다."], f"{A} 더 있다!") == (2, "said")
    assert most_alike(["김치"], A) is None
