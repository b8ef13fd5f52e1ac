"""A model's calls made fit to keep."""

from typing import Any

import orjson
import pytest
from langchain_core.messages import AIMessage
from langchain_core.messages.tool import ToolCall

from graphs.calls import tidy
from graphs.limits import Limits, Progress

LIMITS = Limits()


def tidied(args: dict[str, Any], call_id: str = "c1") -> tuple[ToolCall, dict[str, str]]:
    call = ToolCall(name="archive_search", args=args, id=call_id, type="tool_call")
    progress = Progress(number=1, soft=0, hard=0)
    kept, refusals = tidy(AIMessage(content="", tool_calls=[call]), progress, LIMITS)
    return kept.tool_calls[0], refusals


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_a_call_with_an_integer_that_no_store_holds_is_refused(number: int) -> None:
    call, refusals = tidied({"query": "토마토", "more": [{"limit": number}]})
    assert call["args"] == {}
    assert "64 bits" in refusals["c1"]


@pytest.mark.parametrize("number", [2**63 - 1, -(2**63), 0, True])
def test_other_integers_are_kept(number: int) -> None:
    call, refusals = tidied({"limit": number})
    assert call["args"] == {"limit": number}
    assert not refusals


@pytest.mark.parametrize("call_id", ["c\ud8001", "", "c" * 101])
def test_an_id_that_can_not_be_kept_is_replaced(call_id: str) -> None:
    call, refusals = tidied({"query": "토마토"}, call_id)
    assert call["id"] not in (None, call_id)
    assert orjson.dumps(call)
    assert not refusals
