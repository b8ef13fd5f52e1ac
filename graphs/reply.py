"""A model's reply put together from its stream, in one pass however long it is.

Tool arguments count only when they are whole: LangChain's own sum of chunks completes broken JSON
by guessing, and would run a call whose end was lost.
"""

import json
from dataclasses import dataclass, field

from langchain_core.messages import AIMessage, AIMessageChunk, InvalidToolCall
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.messages.tool import ToolCall, ToolCallChunk


@dataclass(slots=True)
class _Call:
    id: str | None = None
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    def add(self, chunk: ToolCallChunk) -> None:
        self.id = self.id or chunk["id"]
        self.name += chunk["name"] or ""
        self.pieces.append(chunk["args"] or "")


@dataclass(slots=True)
class Reply:
    """What has come so far; ``size`` counts the characters of text and arguments."""

    size: int = 0
    _text: list[str] = field(default_factory=list)
    _calls: dict[int | str, _Call] = field(default_factory=dict)
    _usage: UsageMetadata | None = None

    def add(self, chunk: AIMessageChunk) -> str:
        """Take one chunk; its text."""
        text = str(chunk.text)
        if text:
            self._text.append(text)
        for piece in chunk.tool_call_chunks:
            # A piece without an index is a call of its own.
            index = piece.get("index")
            place = f"whole {len(self._calls)}" if index is None else index
            self._calls.setdefault(place, _Call()).add(piece)
            self.size += len(piece["args"] or "")
        if chunk.usage_metadata:
            self._usage = add_usage(self._usage, chunk.usage_metadata)
        self.size += len(text)
        return text

    @property
    def text(self) -> str:
        return "".join(self._text)

    def message(self, *, whole: bool = True) -> AIMessage:
        """The reply as one message; a reply that is not whole has no tool calls."""
        calls = [_parsed(call) for call in self._calls.values()] if whole else []
        return AIMessage(
            content=self.text,
            tool_calls=[call for call in calls if call["type"] == "tool_call"],
            invalid_tool_calls=[call for call in calls if call["type"] == "invalid_tool_call"],
            usage_metadata=self._usage,
        )


def _parsed(call: _Call) -> ToolCall | InvalidToolCall:
    text = "".join(call.pieces)
    try:
        args = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        args = None
    if isinstance(args, dict):
        return ToolCall(name=call.name, args=args, id=call.id, type="tool_call")
    return InvalidToolCall(
        name=call.name, args=None, id=call.id, error="not a JSON object", type="invalid_tool_call"
    )
