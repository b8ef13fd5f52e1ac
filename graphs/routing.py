"""Where the chat graph goes next. Pure: a table of what was said and what has ended."""

from typing import Literal

from langchain_core.messages import AIMessage

from graphs.calls import has_text
from graphs.state import ChatState


def after_model(state: ChatState) -> Literal["tools", "conclude", "finish"]:
    """Calls are answered; a text is the answer, unless a budget cut off calls beside it."""
    last, stop = state["messages"][-1], state["progress"].stop
    if not isinstance(last, AIMessage):
        return "conclude"
    if last.tool_calls:
        return "tools"
    cut_short = stop is not None and stop.kind != "time_limit"
    return "finish" if has_text(last) and not cut_short else "conclude"


def after_tools(state: ChatState) -> Literal["compose", "conclude"]:
    """The model sees the results, with tools as long as nothing has ended their use."""
    return "conclude" if state["progress"].stop else "compose"
