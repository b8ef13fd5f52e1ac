"""Titles: from what the two sides said, one line of at most 40 characters, or none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphs.title import Said, build_title_graph, title_of
from memory.text import grapheme_count
from tests.unit.tools.structured_model import StructuredModel

TALK: list[Said] = [
    {"role": "user", "content": "레디스 메모리가 찼을 때 어떻게 돼?"},
    {"role": "assistant", "content": "정책에 따라 키를 지웁니다."},
]


async def titled(conversation: list[Said], answer: Any) -> tuple[str | None, StructuredModel]:
    model = StructuredModel(RoomTitle=answer)
    made = await build_title_graph(model).ainvoke({"conversation": conversation})
    assert set(made) == {"title"}
    return made["title"], model


async def test_a_title_from_the_conversation_alone() -> None:
    title, model = await titled(TALK, {"title": "레디스 메모리 정책"})
    assert title == "레디스 메모리 정책"
    assert model.asked("RoomTitle") == [{"conversation": TALK}]
    assert "at most 40 characters" in model.system("RoomTitle").casefold()


async def test_tools_and_system_prompts_are_not_heard() -> None:
    odd: list[Said] = [
        {"role": "system", "content": "SECRET"},
        {"role": "tool", "content": "SECRET"},
        {"role": "assistant", "content": "  "},
    ]
    _, model = await titled(odd + TALK + odd, {"title": "x"})
    assert model.asked("RoomTitle") == [{"conversation": TALK}]


async def test_a_long_conversation_is_heard_at_its_ends() -> None:
    talk: list[Said] = [{"role": "user", "content": f"{n} " + "x" * 5_000} for n in range(100)]
    _, model = await titled(talk, {"title": "x"})
    heard = model.asked("RoomTitle")[0]["conversation"]
    assert [said["content"].split()[0] for said in heard] == [
        str(n) for n in (0, 1, 2, 3, 96, 97, 98, 99)
    ]
    assert all(len(said["content"]) == 1_500 for said in heard)


@pytest.mark.parametrize("conversation", [[], [{"role": "tool", "content": "x"}]])
async def test_where_nobody_spoke_nothing_is_asked(conversation: list[Said]) -> None:
    title, model = await titled(conversation, {"title": "An invention"})
    assert title is None
    assert model.asked("RoomTitle") == []


@pytest.mark.parametrize("failure", [RuntimeError(), TimeoutError(), {"title": ""}, {"name": "x"}])
async def test_a_failure_gives_no_title_and_raises_nothing(failure: Any) -> None:
    assert (await titled(TALK, failure))[0] is None


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Redis memory policies", "Redis memory policies"),
        ('"Redis memory"', "Redis memory"),
        ("Title: Redis memory", "Redis memory"),
        ("제목: 「레디스 메모리」", "레디스 메모리"),
        ("<think>They ask about Redis.\nSo:</think>\nRedis memory", "Redis memory"),
        (
            "Redis memory policies and how a full one behaves",
            "Redis memory policies and how a full one",
        ),
        ("가" * 41, "가" * 40),
        ("The person asks. " * 10, None),
        ("Okay, let me think.\nRedis memory", None),
        ("<think>never closed Redis memory", None),
        ("...", None),
        ("", None),
    ],
)
def test_what_a_model_says_becomes_a_title(said: str, title: str | None) -> None:
    assert title_of(said) == title


@given(st.text(max_size=200))
def test_any_text_gives_a_title_or_none(said: str) -> None:
    title = title_of(said)
    assert title is None or (1 <= grapheme_count(title) <= 40 and len(title.splitlines()) == 1)
