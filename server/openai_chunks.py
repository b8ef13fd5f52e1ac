"""A run's events as the chunks of OpenAI's chat stream; tools and notices stay inside."""

from collections.abc import Mapping
from typing import Any

import orjson

from memory.records import Event
from server.schemas.openai import MODEL, CompletionUsageOut

END = b"data: [DONE]\n\n"


class Chunks:
    """Turns one run's events, in order, into bytes of the wire; nothing for most of them."""

    def __init__(self, run_id: str, created: int, *, usage: bool) -> None:
        self._head = {
            "id": run_id,
            "object": "chat.completion.chunk",
            "created": created,
            "model": MODEL,
        }
        self._with_usage = usage
        self._usage = CompletionUsageOut()
        self._begun = self._spoken = self._gap = self._failed = False

    def __call__(self, event: Event) -> bytes:
        match event.name:
            case "token":
                return self._says(str(event.data["text"]))
            case "tool_start":
                self._gap = self._spoken
            case "message":
                self._usage = usage_of(event.data["usage"])
                if not self._spoken:
                    return self._says(str(event.data["content"]))
            case "error":
                self._failed = True
                return _sent({"error": {**event.data, "type": "server_error", "param": None}})
            case "done":
                return self._end()
        return b""

    def _says(self, text: str) -> bytes:
        delta: dict[str, str] = {} if self._begun else {"role": "assistant"}
        delta["content"] = ("\n\n" if self._gap else "") + text
        self._begun = self._spoken = True
        self._gap = False
        return self._chunk(delta, None)

    def _end(self) -> bytes:
        if self._failed:
            return END
        last = self._chunk({} if self._begun else {"role": "assistant", "content": ""}, "stop")
        if self._with_usage:
            last += _sent({**self._head, "choices": [], "usage": self._usage.model_dump()})
        return last + END

    def _chunk(self, delta: Mapping[str, str], finish: str | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _sent({**self._head, "choices": [choice]})


def usage_of(usage: Mapping[str, int] | None) -> CompletionUsageOut:
    """What the model counted, in OpenAI's words."""
    read, written = (usage or {}).get("input_tokens", 0), (usage or {}).get("output_tokens", 0)
    return CompletionUsageOut(
        prompt_tokens=read, completion_tokens=written, total_tokens=read + written
    )


def _sent(data: Mapping[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(data, default=dict) + b"\n\n"
