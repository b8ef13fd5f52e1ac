"""What of a Korean query is searched for, with morphemes as an analyser gives them."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.korean import Morpheme, content_of
from memory.lexical import query_terms

Said = Sequence[tuple[str, int, int]]


@pytest.mark.parametrize(
    ("query", "said", "kept"),
    [
        ("만료는 언제였더라", [("NNG", 0, 2), ("JX", 2, 3), ("NP", 4, 6), ("EF", 6, 9)], "만료"),
        ("내가 저장한 비밀번호", [("NP", 0, 1), ("NNG", 3, 5), ("NNG", 7, 11)], "비밀번호"),
        ("getUserById를 달렸던", [("SL", 0, 11), ("VV", 13, 15)], "getUserById 달렸"),
        ("돈 빌린 날이", [("NNG", 0, 1), ("VV", 2, 4), ("NNG", 5, 6)], "돈 빌린 날이"),
        ("책은 어디 뒀지?", [("NNG", 0, 1), ("NP", 3, 5), ("VV", 6, 7)], "책"),
        ("먹었던 거", [("VV", 0, 1), ("EP", 1, 2), ("NNB", 4, 5)], "먹 거"),
        ("어디야?", [("NP", 0, 2)], "어디야?"),
        ("v1.2에서 뭐야", [("SN", 0, 4), ("JKB", 4, 6), ("NP", 7, 8)], "v1.2"),
    ],
)
def test_particles_and_endings_are_not_searched_for(query: str, said: Said, kept: str) -> None:
    morphemes = [Morpheme(*one) for one in said]
    assert content_of(query, morphemes).split() == kept.split()


@given(
    st.text(st.characters() | st.sampled_from("책은만료가어디 ")),
    st.lists(st.tuples(st.sampled_from(["NNG", "VV", "JX"]), st.integers(0, 9), st.integers(0, 9))),
)
def test_what_can_be_searched_for_stays_so(query: str, said: list[tuple[str, int, int]]) -> None:
    morphemes = [Morpheme(tag, at, min(len(query), at + more)) for tag, at, more in said]
    kept = content_of(query, [one for one in morphemes if one.start <= one.end])
    assert query_terms(kept) or not query_terms(query)
    assert set(kept) <= {*query, " "}
