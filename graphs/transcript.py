"""Messages as the model has them and as the history keeps them, and what fits a window. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_core.messages.ai import UsageMetadata

from memory.keys import turn_of
from memory.records import Message, Status, ToolCall, Usage
from memory.tokens import PER_MESSAGE, estimate_tokens
from memory.turns import message_tokens, newest_groups

_UNTIMED = datetime(1970, 1, 1, tzinfo=UTC)


def to_record(message: BaseMessage, created_at: datetime, status: Status = "complete") -> Message:
    """A message of the graph as the history keeps it."""
    key = str(message.id)
    record = Message(
        key=key,
        turn=turn_of(key),
        role="user",
        content=str(message.text),
        created_at=created_at,
        status=status,
    )
    if isinstance(message, AIMessage):
        calls = tuple(
            ToolCall(id=str(call["id"]), name=call["name"], args=call["args"])
            for call in message.tool_calls
        )
        return replace(record, role="assistant", tool_calls=calls, usage=usage_from(message))
    if isinstance(message, ToolMessage):
        return replace(
            record,
            role="tool",
            status="failed" if message.status == "error" else status,
            tool_call_id=message.tool_call_id,
            tool_name=message.name,
        )
    return record


def from_record(message: Message) -> AnyMessage:
    """A kept message as the model gets it."""
    if message.role == "user":
        return HumanMessage(id=message.key, content=message.content)
    if message.role == "tool":
        return ToolMessage(
            id=message.key,
            content=message.content,
            tool_call_id=message.tool_call_id or "",
            name=message.tool_name,
            status="error" if message.status == "failed" else "success",
        )
    return AIMessage(
        id=message.key,
        content=message.content,
        tool_calls=[
            {"id": call.id, "name": call.name, "args": dict(call.args), "type": "tool_call"}
            for call in message.tool_calls
        ],
    )


def usage_from(message: AIMessage) -> Usage | None:
    counted: UsageMetadata | None = message.usage_metadata
    if counted is None:
        return None
    return Usage(input_tokens=counted["input_tokens"], output_tokens=counted["output_tokens"])


def fit(messages: Sequence[AnyMessage], max_tokens: int) -> list[AnyMessage]:
    """The newest whole turns that fit into ``max_tokens``; always the newest."""
    return newest_groups(
        reversed(messages), max_tokens, lambda message: turn_of(str(message.id)), _tokens
    )


def _tokens(message: AnyMessage) -> int:
    """As ``memory.turns.message_tokens`` counts, without making a record of the message."""
    if isinstance(message, AIMessage) and message.tool_calls:
        return message_tokens(to_record(message, _UNTIMED))
    return PER_MESSAGE + estimate_tokens(str(message.text))
