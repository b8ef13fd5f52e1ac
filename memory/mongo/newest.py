"""The newest turn of a room, which stands in the room's own document. Pure.

``open`` holds the run and the question of the turn that is being answered, ``last`` the run and the
messages of the newest one that has ended: so a turn is begun, and ended, by one write. The turn
before it is in ``last`` until it ends, and was written out into ``messages`` and ``runs`` when it
began, while nobody else could change the room.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from memory.keys import message_key
from memory.mongo.documents import (
    Document,
    message_document,
    message_from,
    run_document,
)
from memory.records import Message, Room, Run, Status
from memory.times import from_micros, now, to_micros
from memory.turns import message_tokens

ROOM_ALONE: Document = {"last": 0, "open.run": 0, "open.asked": 0}
"""What is left out of a room's document where only the room is wanted."""


NEWEST_RUNS: Document = {"open.run": 1, "last.run": 1}
"""What of a room's document ``newest_runs`` needs."""


def newest_runs(room: Document | None) -> Sequence[Document]:
    """The runs in a room's document: of the open turn and of the last."""
    places = [(room or {}).get(name) or {} for name in ("open", "last")]
    return [place["run"] for place in places if "run" in place]


def opening(run: Run, question: Message) -> list[Document]:
    """The update that takes a room for a turn; its number is the room's next."""
    number = {"$add": ["$turns", 1]}
    digits = {"$substrBytes": [{"$toString": {"$add": [10**8 + 1, "$turns"]}}, 1, 8]}
    moment, tokens = to_micros(question.created_at), message_tokens(question)
    opened: Document = {
        "turn": number,
        "run_id": run.id,
        "run": {"$mergeObjects": [{"$literal": run_document(run)}, {"turn": number}]},
        "asked": {"content": {"$literal": question.content}, "created_at": moment},
    }
    return [
        {
            "$set": {
                "turns": number,
                "open": opened,
                "last_key": {"$concat": ["t", digits, "-0000"]},
                "updated_at": moment,
                "message_count": {"$add": ["$message_count", 1]},
                "pending_tokens": {"$add": ["$pending_tokens", tokens]},
            }
        }
    ]


def undoing(before: Document, question: Message) -> Document:
    """The update that gives a room back that was taken in vain."""
    kept = {name: before[name] for name in ("turns", "last_key", "updated_at")}
    gone = {"message_count": -1, "pending_tokens": -message_tokens(question)}
    return {"$set": kept | {"open": None}, "$inc": gone}


def closing(
    room: Room, question: Message, messages: Sequence[Message], status: Status
) -> list[Document]:
    """The update that ends a room's open turn; a question that failed is marked."""
    asked = replace(question, status="failed") if status == "failed" else question
    last, moment = (messages or [asked])[-1], to_micros(now())
    documents = [message_document(room, one, message_tokens(one)) for one in (asked, *messages)]
    ended = {
        "status": status,
        "answer_key": last.key if last.role == "assistant" else None,
        "ended_at": moment,
    }
    tokens = sum(map(message_tokens, messages))
    return [
        {
            "$set": {
                "last": {
                    "turn": question.turn,
                    "run": {"$mergeObjects": ["$open.run", {"$literal": ended}]},
                    "messages": {"$literal": documents},
                },
                "last_key": last.key,
                "updated_at": moment,
                "message_count": {"$add": ["$message_count", len(messages)]},
                "pending_tokens": {"$add": ["$pending_tokens", tokens]},
            }
        },
        {"$set": {"open": None}},
    ]


def question_of(document: Document) -> Message | None:
    """The question of the turn that is open in a room."""
    opened = document["open"]
    if opened is None or "asked" not in opened:
        return None
    return Message(
        key=message_key(opened["turn"], 0),
        turn=opened["turn"],
        role="user",
        content=opened["asked"]["content"],
        created_at=from_micros(opened["asked"]["created_at"]),
    )


class Newest(NamedTuple):
    """What a room's document has of its messages, oldest first; those before are below ``below``.

    All of its messages stand in their collection if ``below`` is None.
    """

    messages: Sequence[Message]
    below: str | None


def newest_of(document: Document) -> Newest:
    """The newest messages of a room, from its whole document."""
    last, question = document.get("last"), question_of(document)
    messages = [message_from(one) for one in last["messages"]] if last else []
    if question is not None:
        messages.append(question)
    if last:
        return Newest(messages, message_key(last["turn"], 0))
    return Newest(messages, question.key if question else None)
