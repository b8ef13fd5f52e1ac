"""Where the chat graph goes next. Pure: a table of what was said and what has ended."""

from typing import Literal

from langchain_core.messages import AIMessage

from graphs.calls import has_text
from graphs.state import ChatState


def after_model(state: ChatState) -> Literal["tools", "conclude", "finish"]:
    """Calls are answered; a text is the answer, unless a budget dropped calls beside it."""
    last = state["messages"][-1]
    if not isinstance(last, AIMessage):
        return "conclude"
    if last.tool_calls:
        return "tools"
    whole = has_text(last) and not state["progress"].dropped
    return "finish" if whole else "conclude"


def after_tools(state: ChatState) -> Literal["compose", "conclude"]:
    """The model sees the results, with tools as long as nothing has ended their use."""
    return "conclude" if state["progress"].stop else "compose"
