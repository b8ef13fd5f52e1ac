"""The reader of a chat server's event stream: bytes in, events out, neighbours made one. Pure."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai
import orjson

Event = dict[str, Any]

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")


@dataclass(slots=True)
class Batch:
    """The events of one read, and what comes after them: more, the end, or an error."""

    events: list[Event] = field(default_factory=list)
    done: bool = False
    failure: Exception | None = None


class EventReader:
    """Finds the events in a stream's bytes, however they are cut."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._rest = b""

    def read(self, data: bytes) -> Batch:
        """The events that ``data`` completes, neighbours made one."""
        *blocks, self._rest = _BLANK_LINE.split(self._rest + data)
        return _parsed(blocks, self._url)

    def end(self) -> Batch:
        """What is left: a stream may end without its last blank line."""
        return _parsed([self._rest], self._url)


def _parsed(blocks: Sequence[bytes], url: str) -> Batch:
    batch = Batch()
    for block in blocks:
        data = _data(block)
        if data is None:
            continue
        if data.startswith(b"[DONE]"):
            batch.done = True
            return batch
        try:
            event = _decoded(data)
        except ValueError as error:
            batch.failure = error
            return batch
        if not isinstance(event, dict):
            batch.failure = TypeError("an event of the stream is no JSON object")
            return batch
        if event.get("error"):
            batch.failure = _told_error(event["error"], url)
            return batch
        batch.events.append(event)
    return batch


def _data(block: bytes) -> bytes | None:
    """The data of one event of the stream; None if it has none."""
    if block.startswith(b"data: ") and b"\n" not in block and b"\r" not in block:
        return block[6:]
    lines = [
        line[5:].removeprefix(b" ") for line in block.splitlines() if line.startswith(b"data:")
    ]
    return b"\n".join(lines) if lines else None


def _decoded(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # Half surrogate pairs, which the stricter reader refuses; other faults fail here too.
        return json.loads(data)


def _told_error(error: Any, url: str) -> openai.APIError:
    message = error.get("message") if isinstance(error, Mapping) else None
    words = (
        message if isinstance(message, str) and message else "An error occurred during streaming"
    )
    return openai.APIError(message=words, request=httpx2.Request("POST", url), body=error)


def merged(events: Iterable[Event]) -> Iterator[Event]:
    """The same events with neighbours made one where both only add text or arguments."""
    held: Event | None = None
    for event in events:
        if held is not None and _add(held, event):
            continue
        if held is not None:
            yield held
        held = event
    if held is not None:
        yield held


def _add(held: Event, event: Event) -> bool:
    """Add what an event says to the one before it; False, and nothing changes, if it can't be."""
    before, after = _delta(held), _delta(event)
    if before is None or after is None or before.keys() - {"role"} != after.keys() - {"role"}:
        return False
    if after.get("role") not in (None, before.get("role")):
        return False
    if isinstance(before.get("content"), str) and isinstance(after.get("content"), str):
        if len(before.keys() - {"role"}) > 1:
            return False
        before["content"] += after["content"]
        return True
    return before.keys() - {"role"} == {"tool_calls"} and _add_arguments(before, after)


def _add_arguments(before: Event, after: Event) -> bool:
    """More of the arguments of the same call; its beginning stands alone, as for the library."""
    try:
        (first,), (more,) = before["tool_calls"], after["tool_calls"]
        same = first["index"] == more["index"] and first["index"] is not None
        continued = not any(one.get("id") or one["function"].get("name") for one in (first, more))
        begun, piece = first["function"]["arguments"], more["function"]["arguments"]
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    if not (same and continued and isinstance(begun, str) and isinstance(piece, str)):
        return False
    first["function"]["arguments"] = begun + piece
    return True


def _delta(event: Event) -> Event | None:
    """What an event adds, without its empty fields; None if it says anything beside that."""
    choices = event.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or event.get("usage"):
        return None
    choice = choices[0]
    if not isinstance(choice, dict) or choice.get("finish_reason") or choice.get("logprobs"):
        return None
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return None
    for name in [name for name, value in delta.items() if value is None]:
        del delta[name]
    return delta
