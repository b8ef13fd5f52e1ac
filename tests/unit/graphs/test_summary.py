"""Rolling summaries: bounded, never empty, and none at all rather than a bad one."""

from typing import Any

import pytest

from graphs.summary import SummaryInput, build_summary_graph
from graphs.title import Said
from tests.unit.tools.structured_model import StructuredModel

TALK: list[Said] = [
    {"role": "user", "content": "만료는 3600초로 하자."},
    {"role": "assistant", "content": "네, 3600초로 정했습니다."},
]


async def folded(given: SummaryInput, answer: Any) -> tuple[str | None, StructuredModel]:
    model = StructuredModel(RollingSummary=answer)
    made = await build_summary_graph(model).ainvoke(given)
    assert set(made) == {"summary"}
    return made["summary"], model


async def test_old_summary_and_new_messages_become_one() -> None:
    given: SummaryInput = {"summary": "옛 요약", "conversation": TALK, "max_characters": 500}
    summary, model = await folded(given, {"summary": " 만료는 3600초로 정했다. "})
    assert summary == "만료는 3600초로 정했다."
    assert model.asked("RollingSummary") == [
        {"summary": "옛 요약", "conversation": TALK, "max_characters": 400}
    ]


async def test_the_first_summary_has_none_before_it() -> None:
    _, model = await folded({"conversation": TALK}, {"summary": "x"})
    asked = model.asked("RollingSummary")[0]
    assert (asked["summary"], asked["max_characters"]) == (None, 1_600)


@pytest.mark.parametrize(
    "failure",
    [
        RuntimeError(),
        TimeoutError(),
        {"summary": ""},
        {"summary": " \n"},
        {"summary": "..."},
        {"summary": "x" * 501},
        {"summary": "<think>only thoughts</think>"},
        {},
    ],
)
async def test_a_bad_answer_is_none(failure: Any) -> None:
    given: SummaryInput = {"summary": "옛 요약", "conversation": TALK, "max_characters": 500}
    assert (await folded(given, failure))[0] is None


async def test_up_to_the_bound_is_kept() -> None:
    given: SummaryInput = {"conversation": TALK, "max_characters": 500}
    assert (await folded(given, {"summary": "가" * 500}))[0] == "가" * 500


@pytest.mark.parametrize(("asked", "told"), [(1, 80), (10**9, 16_000), (0, 1_600)])
async def test_the_bound_stays_within_reason(asked: int, told: int) -> None:
    _, model = await folded({"conversation": TALK, "max_characters": asked}, {"summary": "x"})
    assert model.asked("RollingSummary")[0]["max_characters"] == told


@pytest.mark.parametrize("conversation", [[], [{"role": "tool", "content": "SECRET"}]])
async def test_with_nothing_said_nothing_is_asked(conversation: list[Said]) -> None:
    summary, model = await folded({"summary": "옛", "conversation": conversation}, {"summary": "x"})
    assert summary is None
    assert model.asked("RollingSummary") == []


async def test_only_the_two_sides_are_heard_each_within_bounds() -> None:
    talk: list[Said] = [{"role": "system", "content": "SECRET"}, *TALK]
    talk.append({"role": "user", "content": "x" * 32_000})
    _, model = await folded({"conversation": talk}, {"summary": "x"})
    heard = model.asked("RollingSummary")[0]["conversation"]
    assert heard[:2] == TALK
    assert len(heard[2]["content"]) == 8_000
