"""The newest turns of a room, which stand in the room's own document. Pure.

``open`` holds the run and the question of the turn that is being answered, ``recent`` the runs and
the messages of the newest ones that have ended: so a turn is begun, and ended, by one write. Once
there are enough of them the room is ``full``: once the next turn is open, so that nobody else can
change the room, they are written out into ``messages`` and ``runs``, and its end takes their place.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from memory.keys import message_key
from memory.mongo.database import Document
from memory.mongo.documents import message_document, message_from, message_id, run_document, within
from memory.records import Message, OpenTurn, Room, Run, Status
from memory.times import from_micros, now, to_micros
from memory.turns import message_tokens

TURNS = 4
BYTES = 65_536
"""How many turns, and how large a room's document, are enough to be written out."""

_FULL: Document = {
    "$or": [
        {"$gte": [{"$size": "$recent"}, TURNS]},
        {"$gte": [{"$bsonSize": "$$ROOT"}, BYTES]},
    ]
}

ROOM_ALONE: Document = {"recent": 0, "open.run": 0, "open.asked": 0}
"""What is left out of a room's document where only the room is wanted."""

NEWEST_RUNS: Document = {"open.run": 1, "recent.run": 1}
"""What of a room's document ``newest_runs`` needs."""


def newest_runs(room: Document | None) -> Sequence[Document]:
    """The runs in a room's document: of the open turn and of those before it."""
    if room is None:
        return []
    places = [room.get("open") or {}, *room["recent"]]
    return [place["run"] for place in places if "run" in place]


def new_question(number: int, content: str, asked_at: datetime) -> Message:
    """What a person asks in the turn of that number."""
    return Message(
        key=message_key(number, 0), turn=number, role="user", content=content, created_at=asked_at
    )


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


def opened_room(before: Room, run: Run, question: Message) -> Room:
    """The room once the question's turn is open in it."""
    return replace(
        before,
        turns=question.turn,
        open_turn=OpenTurn(turn=question.turn, run_id=run.id),
        last_key=question.key,
        updated_at=question.created_at,
        message_count=before.message_count + 1,
        pending_tokens=before.pending_tokens + message_tokens(question),
    )


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
    newest: Document = {
        "turn": question.turn,
        "run": {"$mergeObjects": ["$open.run", {"$literal": ended}]},
        "messages": {"$literal": documents},
    }
    tokens = sum(map(message_tokens, messages))
    return [
        {
            "$set": {
                "recent": {"$concatArrays": [{"$cond": ["$full", [], "$recent"]}, [newest]]},
                "last_key": last.key,
                "updated_at": moment,
                "message_count": {"$add": ["$message_count", len(messages)]},
                "pending_tokens": {"$add": ["$pending_tokens", tokens]},
            }
        },
        {"$set": {"open": None, "full": _FULL}},
    ]


def question_of(document: Document) -> Message | None:
    """The question of the turn that is open in a room."""
    opened = document["open"]
    if opened is None or "asked" not in opened:
        return None
    asked = opened["asked"]
    return new_question(opened["turn"], asked["content"], from_micros(asked["created_at"]))


class Newest(NamedTuple):
    """What a room's document has of its messages, oldest first; those before are below ``below``.

    All of its messages stand in their collection if ``below`` is None.
    """

    messages: Sequence[Message]
    below: str | None


def newest_of(document: Document) -> Newest:
    """The newest messages of a room, from its whole document."""
    recent, question = document["recent"], question_of(document)
    messages = [message_from(one) for turn in recent for one in turn["messages"]]
    if question is not None:
        messages.append(question)
    if recent:
        return Newest(messages, message_key(recent[0]["turn"], 0))
    return Newest(messages, question.key if question else None)


def messages_within(newest: Newest, after: str | None, up_to: str | None) -> Iterable[Message]:
    """Those of the newest messages with ``after < key <= up_to``; None sets no bound."""
    return (
        one
        for one in newest.messages
        if (after is None or one.key > after) and (up_to is None or one.key <= up_to)
    )


def older_messages(
    room_id: str,
    newest: Newest,
    after: str | None = None,
    up_to: str | None = None,
    *,
    before: str | None = None,
) -> Document:
    """The filter for messages of a room that stand in their collection alone.

    Those with ``after < key <= up_to`` and ``key < before``; None sets no bound.
    """
    where = within(room_id, after, up_to)
    ends = [key for key in (newest.below, before) if key is not None]
    if ends:
        where["_id"]["$lt"] = message_id(room_id, min(ends))
    return where
