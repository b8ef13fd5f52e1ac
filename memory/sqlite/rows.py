"""How rooms, messages and runs stand in SQLite rows and back. Pure."""

import sqlite3
from typing import Any

import orjson

from memory.records import Message, OpenTurn, Room, Run, Summary, ToolCall, Usage
from memory.times import from_micros, to_micros

INSERT_MESSAGE = (
    "INSERT INTO messages (room, key, owner, turn, role, content, status, tool_calls,"
    " tool_call_id, tool_name, input_tokens, output_tokens, created_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


def room_from(row: sqlite3.Row) -> Room:
    return Room(
        id=row["id"],
        owner=row["owner"],
        title=row["title"],
        title_source=row["title_source"],
        created_at=from_micros(row["created_at"]),
        updated_at=from_micros(row["updated_at"]),
        message_count=row["message_count"],
        turns=row["turns"],
        last_key=row["last_key"],
        open_turn=_open_turn_from(row),
        summary=_summary_from(row),
        deletions=row["deletions"],
        pending_tokens=row["pending_tokens"],
    )


def _open_turn_from(row: sqlite3.Row) -> OpenTurn | None:
    if row["open_turn"] is None:
        return None
    return OpenTurn(turn=row["open_turn"], run_id=row["open_run"])


def _summary_from(row: sqlite3.Row) -> Summary | None:
    if row["summary"] is None:
        return None
    return Summary(text=row["summary"], covers_up_to=row["summary_covers"])


def message_from(row: sqlite3.Row) -> Message:
    return Message(
        key=row["key"],
        turn=row["turn"],
        role=row["role"],
        content=row["content"],
        created_at=from_micros(row["created_at"]),
        status=row["status"],
        tool_calls=_calls_from(row["tool_calls"]),
        tool_call_id=row["tool_call_id"],
        tool_name=row["tool_name"],
        usage=_usage_from(row),
    )


def _calls_from(text: str | None) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(**call) for call in orjson.loads(text)) if text else ()


def _usage_from(row: sqlite3.Row) -> Usage | None:
    if row["input_tokens"] is None:
        return None
    return Usage(input_tokens=row["input_tokens"], output_tokens=row["output_tokens"])


def message_row(owner: str, room_id: str, message: Message) -> tuple[Any, ...]:
    """The values for INSERT_MESSAGE."""
    calls = [{"id": c.id, "name": c.name, "args": c.args} for c in message.tool_calls]
    return (
        room_id,
        message.key,
        owner,
        message.turn,
        message.role,
        message.content,
        message.status,
        orjson.dumps(calls).decode() if calls else None,
        message.tool_call_id,
        message.tool_name,
        message.usage.input_tokens if message.usage else None,
        message.usage.output_tokens if message.usage else None,
        to_micros(message.created_at),
    )


def run_from(row: sqlite3.Row) -> Run:
    return Run(
        id=row["id"],
        owner=row["owner"],
        room_id=row["room"],
        turn=row["turn"],
        status=row["status"],
        started_at=from_micros(row["started_at"]),
        ended_at=None if row["ended_at"] is None else from_micros(row["ended_at"]),
        answer_key=row["answer_key"],
        idempotency_key=row["idempotency_key"],
        request_digest=row["request_digest"],
    )
