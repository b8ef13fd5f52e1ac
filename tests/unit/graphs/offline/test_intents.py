"""Reading what people ask for, in both languages, and what they do not ask for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.offline.intents import read_intent
from tests.unit.graphs.offline.utterances import (
    DELETES,
    FINDS,
    LABELLED,
    LISTS,
    NO_COMMANDS,
    PLACED,
    READS,
    SAVES_EN,
    SAVES_KO,
    TALK,
    UPDATES,
)


@pytest.mark.parametrize(("message", "content"), SAVES_KO + SAVES_EN)
def test_saving(message: str, content: str) -> None:
    intent = read_intent(message)
    assert (intent.kind, intent.content) == ("save", content)


@pytest.mark.parametrize(("message", "category", "content"), PLACED)
def test_saving_in_a_category(message: str, category: str, content: str) -> None:
    intent = read_intent(message)
    assert (intent.kind, intent.category, intent.content) == ("save", category, content)


@pytest.mark.parametrize(("message", "label", "content"), LABELLED)
def test_saving_with_a_label(message: str, label: str, content: str) -> None:
    intent = read_intent(message)
    assert (intent.kind, intent.label, intent.content) == ("save", label, content)


@pytest.mark.parametrize(
    ("message", "author"),
    [
        ("네 답변 저장해줘", "assistant"),
        ("방금 알려준 거 저장해줘", "assistant"),
        ("내가 방금 말한 내용 저장해줘", "person"),
        ("이거 저장해줘", "either"),
        ("save your answer", "assistant"),
        ("save what I said", "person"),
        ("save this", "either"),
    ],
)
def test_whose_words_are_saved(message: str, author: str) -> None:
    assert read_intent(message).author == author


@pytest.mark.parametrize(("message", "query"), FINDS)
def test_finding(message: str, query: str) -> None:
    intent = read_intent(message)
    assert (intent.kind, intent.query) == ("find", query)


@pytest.mark.parametrize(("message", "category"), LISTS)
def test_listing(message: str, category: str | None) -> None:
    intent = read_intent(message)
    assert (intent.kind, intent.category) == ("list", category)


@pytest.mark.parametrize(("message", "ordinals", "words"), READS)
def test_reading(message: str, ordinals: tuple[int, ...], words: str) -> None:
    intent = read_intent(message)
    assert (intent.kind, intent.target.ordinals, intent.target.words) == ("read", ordinals, words)


@pytest.mark.parametrize(("message", "ordinals", "words", "every"), DELETES)
def test_deleting(message: str, ordinals: tuple[int, ...], words: str, every: bool) -> None:
    intent = read_intent(message)
    target = intent.target
    assert intent.kind == "delete"
    assert (target.ordinals, target.words, target.every) == (ordinals, words, every)


@pytest.mark.parametrize(("message", "label", "category", "content", "ordinals", "words"), UPDATES)
def test_changing(
    message: str,
    label: str | None,
    category: str | None,
    content: str,
    ordinals: tuple[int, ...],
    words: str,
) -> None:
    intent = read_intent(message)
    assert intent.kind == "update"
    assert (intent.label, intent.category, intent.content) == (label, category, content)
    assert (intent.target.ordinals, intent.target.words) == (ordinals, words)


@pytest.mark.parametrize(("message", "kind"), TALK)
def test_small_talk(message: str, kind: str) -> None:
    assert read_intent(message).kind == kind


@pytest.mark.parametrize("message", NO_COMMANDS)
def test_what_changes_nothing(message: str) -> None:
    assert read_intent(message).kind not in ("save", "update", "delete")


def test_the_tables_are_large() -> None:
    saves = len(SAVES_KO) + len(SAVES_EN) + len(PLACED)
    looks = len(FINDS) + len(LISTS) + len(READS)
    assert saves + looks + len(DELETES) + len(UPDATES) >= 240
    assert len(NO_COMMANDS) >= 60


def test_a_long_text_is_no_command_but_can_be_saved() -> None:
    pasted = "회의록 내용입니다. " * 100
    assert read_intent(f"{pasted}\n모두 삭제해줘").kind == "ask"
    assert read_intent(f"{pasted}\ndelete it").kind == "ask"
    assert read_intent(f"이거 저장해줘:\n{pasted}\n모두 삭제해줘").kind == "save"


@given(st.text())
def test_any_text_has_an_intent(message: str) -> None:
    assert read_intent(message) == read_intent(message)


_PIECES = [
    *"이거 저장 해 줘 라고 카테고리 에 삭제 2번 은 를 save this that please note the about".split(),
    *"delete to find : ? ' , .".split(),
    *(" ", "  ", "\n", '"'),
]


@given(st.lists(st.sampled_from(_PIECES), max_size=60))
def test_any_mixture_of_command_words_has_an_intent(pieces: list[str]) -> None:
    message = "".join(pieces)
    assert read_intent(message) == read_intent(message)
