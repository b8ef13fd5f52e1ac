"""What a running turn has said so far, ready to be stored at any moment. Pure but for the clock."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from graphs.state import ChatEvent, Notice, Said, Token, ToolEnd, ToolStart
from graphs.transcript import to_record
from memory.events import NOTICE, TOKEN, TOOL_END, TOOL_START
from memory.keys import message_key
from memory.records import Message, Role, Status, Usage
from memory.times import now

_UNANSWERED = "Stopped before it answered."


class Talk:
    """The messages of one turn after its question, in order, and the text still being said."""

    def __init__(self, turn: int) -> None:
        self._turn = turn
        self._messages: list[Message] = []
        self._partial: list[str] = []
        self._usage: Usage | None = None

    def take(self, event: ChatEvent) -> None:
        """Remember what an event of the chat graph adds."""
        if isinstance(event, Token):
            self._partial.append(event.text)
        elif isinstance(event, Said):
            self._partial.clear()
            self._take_message(event)

    def _take_message(self, said: Said) -> None:
        record = to_record(said.message, now())
        if record.usage is not None:
            self._usage = (self._usage or Usage()) + record.usage
        # The turn's tokens are counted on its answer, once.
        self._messages.append(replace(record, usage=None))

    @property
    def answered(self) -> bool:
        """Whether the last message is a whole answer."""
        last = self._messages[-1] if self._messages else None
        return last is not None and _is_answer(last) and not self._partial

    def messages(self, status: Status) -> Sequence[Message]:
        """Whole messages only: an unfinished text and calls without results end with ``status``."""
        kept = [*self._messages, *self._missing_results()]
        text = "".join(self._partial)
        if text.strip():
            kept.append(self._message(len(kept), "assistant", text))
        if not kept or kept[-1].role != "assistant":
            return kept
        return [*kept[:-1], replace(kept[-1], status=status, usage=self._usage)]

    def _missing_results(self) -> list[Message]:
        answered = {message.tool_call_id for message in self._messages}
        calls = [call for message in self._messages for call in message.tool_calls]
        start = len(self._messages)
        return [
            replace(
                self._message(start + index, "tool", _UNANSWERED),
                tool_call_id=call.id,
                tool_name=call.name,
                status="failed",
            )
            for index, call in enumerate(call for call in calls if call.id not in answered)
        ]

    def _message(self, index: int, role: Role, content: str) -> Message:
        key = message_key(self._turn, index + 1)
        return Message(key=key, turn=self._turn, role=role, content=content, created_at=now())


def answer_of(messages: Sequence[Message]) -> Message | None:
    """The answer that a turn's messages end with, whole or not."""
    last = messages[-1] if messages else None
    return last if last is not None and _is_answer(last) else None


def _is_answer(message: Message) -> bool:
    return message.role == "assistant" and not message.tool_calls


def shown(event: ChatEvent) -> tuple[str, Mapping[str, Any]] | None:
    """An event of the chat graph as the clients of a run see it; None for what they don't."""
    match event:
        case Token(text):
            return TOKEN, {"text": text}
        case ToolStart(id=call, name=name, args=args):
            return TOOL_START, {"id": call, "name": name, "args": args}
        case ToolEnd(id=call, name=name, ok=ok, preview=preview):
            return TOOL_END, {"id": call, "name": name, "ok": ok, "preview": preview}
        case Notice(kind=kind, detail=detail):
            return NOTICE, {"kind": kind, "detail": detail}
        case Said():
            return None
