"""The agent never runs away: whatever model and tools do, a turn ends in bounds with a text."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import cast
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver

from graphs.chat import ChatGraph, build_chat_graph
from graphs.limits import Limits
from graphs.state import ChatContext, ChatEvent, Notice, Said, Token, ToolEnd, ToolStart
from tests.properties.hostile import (
    BEHAVIOURS,
    SLOW_BEHAVIOURS,
    Behaviour,
    Counter,
    HostileModel,
    answers,
)
from tests.properties.jumping_loop import run_jumping

LIMITS = Limits()
SLACK_SECONDS = 1.0
"""Time that the machine itself takes; waiting takes none on the jumping clock."""


@dataclass(frozen=True)
class Outcome:
    events: list[ChatEvent]
    messages: list[AnyMessage]
    model: HostileModel
    counter: Counter
    seconds: float

    @property
    def said(self) -> list[BaseMessage]:
        return [event.message for event in self.events if isinstance(event, Said)]


@cache
def _stage(limits: Limits) -> tuple[ChatGraph, HostileModel, Counter]:
    """What every example of the same limits is played on: to build it costs more than a turn."""
    model, counter = HostileModel(), Counter()
    graph = build_chat_graph(model, counter.tools(), limits=limits, checkpointer=InMemorySaver())
    return graph, model, counter


async def _turns(behaviours: Sequence[Behaviour], limits: Limits, questions: int) -> Outcome:
    graph, model, counter = _stage(limits)
    model.behaviours = behaviours
    counter.users.clear()
    loop = asyncio.get_running_loop()
    config: RunnableConfig = {
        "configurable": {"thread_id": str(uuid4())},
        "recursion_limit": 4 * limits.model_calls + 10,
    }
    for number in range(questions):
        del model.asked[:]
        counter.ran = 0
        start = loop.time()
        events: list[ChatEvent] = [
            cast("ChatEvent", event)
            async for event in graph.astream(
                {"messages": [HumanMessage(f"질문 {number}?")]},
                config,
                context=ChatContext(user="me"),
                stream_mode="custom",
                durability="exit",
            )
        ]
    seconds = loop.time() - start
    state = await graph.aget_state(config)
    assert isinstance(graph.checkpointer, InMemorySaver)
    await graph.checkpointer.adelete_thread(config["configurable"]["thread_id"])
    return Outcome(events, state.values["messages"], model, counter, seconds)


@pytest.fixture(autouse=True, scope="module")
def _unlogged() -> Iterator[None]:
    """The tools fail thousands of times; each failure would be told at length."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def _assert_paired(messages: Sequence[BaseMessage]) -> None:
    """Every call has its one result right behind it, and no result stands without its call."""
    waiting: list[str] = []
    for message in messages:
        if isinstance(message, ToolMessage):
            assert waiting, "a result without a call"
            assert message.tool_call_id == waiting.pop(0)
            continue
        assert not waiting, "a call without its result"
        if isinstance(message, AIMessage):
            waiting = [str(call["id"]) for call in message.tool_calls]
            assert len(set(waiting)) == len(waiting)
    assert not waiting, "a call without its result"


def _assert_tame(outcome: Outcome, limits: Limits) -> None:
    said = outcome.said
    answer = said[-1]
    assert isinstance(answer, AIMessage)
    assert answer.text.strip()
    assert not answer.tool_calls
    assert len(outcome.model.asked) <= limits.model_calls
    assert outcome.counter.ran <= limits.tool_calls
    assert outcome.seconds <= limits.seconds + SLACK_SECONDS
    assert outcome.counter.users <= {"me"}
    keys = [str(message.id) for message in said]
    assert keys == sorted(set(keys))
    _assert_paired(said)
    _assert_paired(outcome.messages)
    for message in said:
        assert len(str(message.text)) <= limits.answer_characters
        message.text.encode()
        assert "secret inner words" not in message.text


def _assert_asked_well(outcome: Outcome) -> None:
    """Each call began with the one system message, and the last limit-ended one had no tools."""
    for messages, _ in outcome.model.asked:
        assert [type(m) for m in messages].count(SystemMessage) == 1
        assert isinstance(messages[0], SystemMessage)
        _assert_paired(messages)


def _assert_told(outcome: Outcome) -> None:
    """One notice at the most; a start and an end of every call; tokens for every text."""
    events = outcome.events
    assert sum(isinstance(event, Notice) for event in events) <= 1
    starts = [event.id for event in events if isinstance(event, ToolStart)]
    ends = [event.id for event in events if isinstance(event, ToolEnd)]
    assert starts == ends
    tokens = "".join(event.text for event in events if isinstance(event, Token))
    assert outcome.said[-1].text.strip()[:1000] in tokens


@pytest.mark.timeout(1200)
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(BEHAVIOURS), min_size=1, max_size=6), st.integers(1, 2))
@example(list(BEHAVIOURS), 1)
def test_every_turn_ends_inside_its_budget_with_a_text(
    behaviours: list[Behaviour], questions: int
) -> None:
    outcome = run_jumping(_turns(behaviours, LIMITS, questions))
    _assert_tame(outcome, LIMITS)
    _assert_asked_well(outcome)
    _assert_told(outcome)


@pytest.mark.timeout(1200)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([b for b in BEHAVIOURS if b is not answers]),
    st.integers(2, 12),
    st.integers(1, 30),
    st.floats(0.5, 500),
)
def test_any_limits_hold(behaviour: Behaviour, calls: int, tools: int, seconds: float) -> None:
    limits = Limits(model_calls=calls, tool_calls=tools, seconds=seconds)
    outcome = run_jumping(_turns([behaviour], limits, 1))
    _assert_tame(outcome, limits)


def test_each_single_behaviour_is_tamed() -> None:
    for behaviour in (*BEHAVIOURS, *SLOW_BEHAVIOURS):
        outcome = run_jumping(_turns([behaviour], LIMITS, 2))
        _assert_tame(outcome, LIMITS)
        _assert_told(outcome)
