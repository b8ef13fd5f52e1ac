"""A model's reply made fit to keep: plain text, whole tool calls, keys of its own. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, InvalidToolCall, ToolMessage
from langchain_core.messages.tool import ToolCall

from graphs.limits import Limits, Progress, Result
from memory.keys import message_key

PREVIEW_CHARACTERS = 200
MAX_DEPTH = 20
INTEGERS = range(-(2**63), 2**63)
"""Those that every store holds."""


def tidy(reply: AIMessage, progress: Progress, limits: Limits) -> tuple[AIMessage, dict[str, str]]:
    """``reply`` under its key, with no more calls than may still run, and refusals by call id.

    Calls get ids of their own where theirs are missing, not unique or not text, since each call
    must find its one result; a call that can't be run keeps no arguments.
    """
    room = limits.tool_calls - progress.tool_calls
    wanted: list[ToolCall | InvalidToolCall] = [*reply.tool_calls, *reply.invalid_tool_calls]
    key = message_key(progress.number, progress.messages)
    calls: list[ToolCall] = []
    refusals: dict[str, str] = {}
    for index, call in enumerate(wanted[:room]):
        call_id = _own_id(call, {other["id"] for other in calls}, f"call_{key}_{index}")
        args, refusal = _arguments(call, limits)
        if refusal is not None:
            refusals[call_id] = refusal
        calls.append(ToolCall(name=_name(call), args=args, id=call_id, type="tool_call"))
    kept = AIMessage(
        id=key,
        content=clean(reply.text[: limits.answer_characters]),
        tool_calls=calls,
        usage_metadata=reply.usage_metadata,
    )
    return kept, refusals


def _own_id(call: ToolCall | InvalidToolCall, taken: set[str | None], spare: str) -> str:
    call_id = call["id"]
    if not call_id or call_id in taken or len(call_id) > 100 or call_id != clean(call_id):
        return spare
    return call_id


def _name(call: ToolCall | InvalidToolCall) -> str:
    return clean(call["name"] or "unnamed")[:64]


def _arguments(
    call: ToolCall | InvalidToolCall, limits: Limits
) -> tuple[dict[str, Any], str | None]:
    """A call's arguments as plain JSON, or none and the reason in words for the model."""
    if call.get("type") == "invalid_tool_call" or not isinstance(call["args"], dict):
        return {}, "The arguments were not one whole JSON object. Call again with valid JSON."
    size = _size(call["args"])
    if size > limits.argument_characters:
        return {}, (
            f"The arguments have {size:,} characters; at most {limits.argument_characters:,} are "
            "accepted. Shorten them."
        )
    try:
        return _plain(call["args"], MAX_DEPTH), None
    except ValueError as error:
        return {}, str(error)


def _size(args: Mapping[str, Any]) -> int:
    """About how many characters arguments hold, however deep they are nested."""
    total, pending = 0, [args]
    while pending:
        value: Any = pending.pop()
        if isinstance(value, Mapping):
            pending.extend(value.keys())
            pending.extend(value.values())
        elif isinstance(value, list | tuple):
            pending.extend(value)
        else:
            total += len(str(value))
        total += 2
    return total


def _plain(value: Any, depth: int) -> Any:
    """``value`` as JSON can hold it; ValueError in words for the model if that is not possible."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, int) and value not in INTEGERS:
        raise ValueError("The arguments hold an integer of more than 64 bits. Use a smaller one.")
    if value is None or isinstance(value, bool | int | float):
        return value
    if depth == 0:
        raise ValueError(f"The arguments are nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, Mapping):
        return {clean(str(key)): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, depth - 1) for item in value]
    return clean(str(value))


def clean(text: str) -> str:
    """``text`` as UTF-8 can hold it: half surrogate pairs become question marks."""
    return text.encode("utf-8", "replace").decode()


def results_of(
    calls: Sequence[ToolCall], results: Sequence[Result], progress: Progress
) -> list[ToolMessage]:
    """One tool message for each call, in their order, under their keys."""
    return [
        ToolMessage(
            id=message_key(progress.number, progress.messages + index),
            tool_call_id=str(call["id"]),
            name=call["name"],
            content=result.text,
            status="success" if result.ok else "error",
        )
        for index, (call, result) in enumerate(zip(calls, results, strict=True))
    ]


def cut(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


def preview(text: str) -> str:
    """The beginning of a tool's answer on one line."""
    return cut(" ".join(text[: PREVIEW_CHARACTERS * 2].split()), PREVIEW_CHARACTERS)


def has_text(message: BaseMessage) -> bool:
    return bool(message.text.strip())
