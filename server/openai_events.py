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
_SPEECH, _CALLING = frozenset(("role", "content")), frozenset(("role", "tool_calls"))


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
    datas = [data for data in map(_data, blocks) if data is not None]
    done = next((at for at, data in enumerate(datas) if data.startswith(b"[DONE]")), None)
    batch = Batch(done=done is not None)
    for event in _decoded(datas[:done]):
        if not isinstance(event, dict):
            batch.failure = (
                event
                if isinstance(event, Exception)
                else TypeError("an event of the stream is no JSON object")
            )
        elif event.get("error"):
            batch.failure = _told_error(event["error"], url)
        if batch.failure is not None:
            batch.done = False
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


def _decoded(datas: Sequence[bytes]) -> Iterable[Any]:
    """Each of these decoded, or the error that it made."""
    try:
        # All at once, if each is one value: what is two of them would be taken for a neighbour.
        together = orjson.loads(b"[%b]" % b",".join(datas))
    except orjson.JSONDecodeError:
        together = []
    return together if len(together) == len(datas) else map(_decoded_alone, datas)


def _decoded_alone(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        pass
    try:
        # Half surrogate pairs, which the stricter reader refuses; other faults fail here too.
        return json.loads(data)
    except ValueError as error:
        return error


def _told_error(error: Any, url: str) -> openai.APIError:
    message = error.get("message") if isinstance(error, Mapping) else None
    words = (
        message if isinstance(message, str) and message else "An error occurred during streaming"
    )
    return openai.APIError(message=words, request=httpx2.Request("POST", url), body=error)


def merged(events: Iterable[Event]) -> Iterator[Event]:
    """The same events with neighbours made one: text or arguments, then the end and the usage."""
    held: Event | None = None
    before: Event | None = None  # what the held one adds, if that is all it does
    text: list[str] = []
    ended = False
    for event in events:
        after = _delta(event)
        if held is not None and before is not None:
            if after is not None and not ended:
                if _says(before) and _says(after) and _of_one(before, after):
                    text = text or [before["content"]]
                    text.append(after["content"])
                    continue
                if _add_arguments(before, after):
                    continue
            elif _add_usage(held, event) or (not ended and _add_end(held, event)):
                ended = True
                continue
        if held is not None:
            yield _with(held, before, text)
        held, before, text, ended = event, after, [], False
    if held is not None:
        yield _with(held, before, text)


def _with(held: Event, before: Event | None, text: list[str]) -> Event:
    if before is not None and text:
        before["content"] = "".join(text)
    return held


def _says(delta: Event) -> bool:
    """Whether it adds text, and nothing beside it but who speaks."""
    return isinstance(delta.get("content"), str) and delta.keys() <= _SPEECH


def _of_one(before: Event, after: Event) -> bool:
    return after.get("role") in (None, before.get("role"))


def _add_end(held: Event, event: Event) -> bool:
    """That the answer has ended, if the event says no more than that."""
    choice = _choice(event)
    if choice is None or choice.get("logprobs") or event.get("usage"):
        return False
    reason, delta = choice.get("finish_reason"), choice.get("delta")
    if not isinstance(reason, str) or not reason or not isinstance(delta, dict):
        return False
    if any(delta.values()):
        return False
    choices = held["choices"]
    held |= event | {"choices": choices}
    choices[0]["finish_reason"] = reason
    return True


def _add_usage(held: Event, event: Event) -> bool:
    """What the answer took, if the event says no more than that."""
    if event.get("choices") != [] or not event.get("usage") or held.get("usage"):
        return False
    if event.get("service_tier") != held.get("service_tier"):
        return False
    held["usage"] = event["usage"]
    return True


def _add_arguments(before: Event, after: Event) -> bool:
    """More of the arguments of the same call; its beginning stands alone, as for the library."""
    if not (before.keys() <= _CALLING and after.keys() <= _CALLING and _of_one(before, after)):
        return False
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
    choice = None if event.get("usage") else _choice(event)
    if choice is None or choice.get("finish_reason") or choice.get("logprobs"):
        return None
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return None
    for name in [name for name, value in delta.items() if value is None]:
        del delta[name]
    return delta


def _choice(event: Event) -> Event | None:
    """The one choice that an event is of."""
    choices = event.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        return None
    return choices[0]
