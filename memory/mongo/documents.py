"""How rooms, messages and runs stand in MongoDB documents and back. Pure."""

from memory.mongo.database import Document
from memory.records import Message, OpenTurn, Room, Run, Summary, ToolCall, Usage
from memory.times import from_micros, to_micros

_AFTER_ALL = "~"  # above every message key


def room_from(document: Document) -> Room:
    opened, summary = document["open"], document["summary"]
    return Room(
        id=document["_id"],
        owner=document["owner"],
        title=document["title"],
        title_source=document["title_source"],
        created_at=from_micros(document["created_at"]),
        updated_at=from_micros(document["updated_at"]),
        message_count=document["message_count"],
        turns=document["turns"],
        last_key=document["last_key"],
        open_turn=OpenTurn(turn=opened["turn"], run_id=opened["run_id"]) if opened else None,
        summary=Summary(**summary) if summary else None,
        deletions=document["deletions"],
        pending_tokens=document["pending_tokens"],
    )


def message_id(room_id: str, key: str | None) -> str:
    """Messages are clustered by room and key; None stands past the last."""
    return f"{room_id}/{_AFTER_ALL if key is None else key}"


def within(room_id: str, after: str | None = None, up_to: str | None = None) -> Document:
    """The messages of a room with ``after < key <= up_to``."""
    low = message_id(room_id, after or "")
    return {"_id": {"$gt": low, "$lte": message_id(room_id, up_to)}}


def message_from(document: Document) -> Message:
    usage = document["usage"]
    return Message(
        key=document["_id"].rpartition("/")[2],
        turn=document["turn"],
        role=document["role"],
        content=document["content"],
        created_at=from_micros(document["created_at"]),
        status=document["status"],
        tool_calls=tuple(
            ToolCall(id=call["id"], name=call["name"], args=call["args"])
            for call in document["tool_calls"]
        ),
        tool_call_id=document["tool_call_id"],
        tool_name=document["tool_name"],
        usage=Usage(**usage) if usage else None,
    )


def message_document(room: Room, message: Message, tokens: int) -> Document:
    """``tokens`` is what the message adds to the room's pending ones."""
    usage = message.usage
    return {
        "_id": message_id(room.id, message.key),
        "owner": room.owner,
        "turn": message.turn,
        "role": message.role,
        "content": message.content,
        "created_at": to_micros(message.created_at),
        "status": message.status,
        "tool_calls": [
            {"id": call.id, "name": call.name, "args": dict(call.args)}
            for call in message.tool_calls
        ],
        "tool_call_id": message.tool_call_id,
        "tool_name": message.tool_name,
        "usage": None
        if usage is None
        else {"input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens},
        "tokens": tokens,
    }


def run_from(document: Document) -> Run:
    ended = document["ended_at"]
    return Run(
        id=document["_id"],
        owner=document["owner"],
        room_id=document["room"],
        turn=document["turn"],
        status=document["status"],
        started_at=from_micros(document["started_at"]),
        ended_at=None if ended is None else from_micros(ended),
        answer_key=document["answer_key"],
        idempotency_key=document["idempotency_key"],
        request_digest=document["request_digest"],
    )


def run_document(run: Run) -> Document:
    return {
        "_id": run.id,
        "owner": run.owner,
        "room": run.room_id,
        "turn": run.turn,
        "status": run.status,
        "started_at": to_micros(run.started_at),
        "ended_at": None,
        "answer_key": None,
        "idempotency_key": run.idempotency_key,
        "request_digest": run.request_digest,
    }
