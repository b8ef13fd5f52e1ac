"""The events of a run's stream: their names and the shape of their data. Pure."""

from collections.abc import Mapping
from typing import Any

from memory.records import Message, RunStatus, Usage

RUN, TOKEN, TOOL_START, TOOL_END = "run", "token", "tool_start", "tool_end"
NOTICE, MESSAGE, ERROR, DONE = "notice", "message", "error", "done"


def run_data(run_id: str, room_id: str, user_key: str) -> Mapping[str, Any]:
    """A question is stored under ``user_key``."""
    return {"run_id": run_id, "room_id": room_id, "user_key": user_key}


def message_data(message: Message) -> Mapping[str, Any]:
    """The stored answer, whole."""
    return {
        "key": message.key,
        "content": message.content,
        "usage": usage_data(message.usage),
        "status": message.status,
    }


def usage_data(usage: Usage | None) -> Mapping[str, int] | None:
    if usage is None:
        return None
    return {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens}


INTERNAL = ("internal", "Something went wrong on our side.")
"""The code and words of an error that nobody foresaw; only the log tells more."""


def error_data(code: str, message: str, request_id: str) -> Mapping[str, Any]:
    return {"code": code, "message": message, "request_id": request_id}


def done_data(run_id: str, status: RunStatus) -> Mapping[str, Any]:
    """Always the last event."""
    return {"run_id": run_id, "status": status}
