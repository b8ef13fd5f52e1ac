"""Where the chat graph goes next. Pure: a table of what was said and what has ended."""

from typing import Literal

from langchain_core.messages import AIMessage, AnyMessage

from graphs.calls import has_text
from graphs.limits import Progress


def after_model(last: AnyMessage, progress: Progress) -> Literal["tools", "conclude", "__end__"]:
    """Calls are answered; a text is the answer, unless a budget dropped calls beside it."""
    if not isinstance(last, AIMessage):
        return "conclude"
    if last.tool_calls:
        return "tools"
    return "__end__" if has_text(last) and not progress.dropped else "conclude"


def after_tools(progress: Progress) -> Literal["model", "conclude"]:
    """The model sees the results, with tools as long as nothing has ended their use."""
    return "conclude" if progress.stop else "model"
