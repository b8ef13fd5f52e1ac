"""Where the chat graph goes next, as a table."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage

from graphs.limits import Progress, Stop
from graphs.routing import after_model, after_tools

CALL: Any = {"id": "c", "name": "look", "args": {}, "type": "tool_call"}
QUESTION = HumanMessage("질문")
CALLS, ANSWER = AIMessage("", tool_calls=[CALL]), AIMessage("답")
BOTH, EMPTY = AIMessage("let me see", tool_calls=[CALL]), AIMessage(" \n")
RESULT = ToolMessage("found", tool_call_id="c")
TIME = Stop(kind="time_limit", detail="")
STEPS = Stop(kind="step_limit", detail="")


def progress(stop: Stop | None = None, dropped: int = 0) -> Progress:
    return Progress(number=1, soft=1, hard=2, stop=stop, dropped=dropped)


@pytest.mark.parametrize(
    ("last", "stop", "dropped", "where"),
    [
        (CALLS, None, 0, "tools"),
        (BOTH, None, 0, "tools"),
        (CALLS, STEPS, 34, "tools"),
        (ANSWER, None, 0, "__end__"),
        (ANSWER, TIME, 0, "__end__"),
        (ANSWER, STEPS, 0, "__end__"),
        (ANSWER, STEPS, 3, "conclude"),
        (EMPTY, None, 0, "conclude"),
        (QUESTION, TIME, 0, "conclude"),
        (RESULT, STEPS, 1, "conclude"),
    ],
)
def test_after_the_model(last: AnyMessage, stop: Stop | None, dropped: int, where: str) -> None:
    assert after_model(last, progress(stop, dropped)) == where


@pytest.mark.parametrize(("stop", "where"), [(None, "model"), (TIME, "conclude")])
def test_after_the_tools(stop: Stop | None, where: str) -> None:
    assert after_tools(progress(stop)) == where
