"""The history of rooms in MongoDB: one document per message.

What counts of a room's messages ends at its ``last_key``: on a server without transactions that
one field, set last, makes a turn's messages appear all at once. A turn begins in three ordered
writes and no transaction; only the last of them waits for the majority and the journal, and takes
along those before it. It ends in one unit of work: a worker that was taken for dead, and whose room
went on, must not be seen for a moment.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from pymongo import ASCENDING, DESCENDING, ReturnDocument
from pymongo.errors import BulkWriteError, DuplicateKeyError
from pymongo.write_concern import WriteConcern

from memory.errors import Conflict, NotFound
from memory.keys import LAST_INDEX, message_key, turn_of
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.documents import (
    message_document,
    message_from,
    message_id,
    room_from,
    run_document,
)
from memory.mongo.faults import mapped_errors
from memory.mongo.rooms import closed_room, owned_room, within
from memory.records import (
    Deleted,
    Message,
    OpenTurn,
    Page,
    Room,
    Run,
    Status,
    Summary,
    Turn,
)
from memory.times import now, to_micros
from memory.turns import message_tokens, newest_turns, with_companions

DUPLICATE = 11000
TRIES = 3
EARLY = WriteConcern(w=1)


class MongoHistory:
    """The History protocol on one database of MongoDB."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._rooms, self._messages = database["rooms"], database["messages"]
        self._runs = database["runs"]
        # What an acknowledged write follows on the same server is kept when that one is.
        self._early_rooms, self._early_runs = (
            collection.with_options(write_concern=EARLY) for collection in (self._rooms, self._runs)
        )

    async def begin(self, run: Run, content: str) -> Turn:
        async with self._database.in_order():
            if run.idempotency_key is not None:
                await self._refuse_known_key(run)
                await closed_room(self._database, run.owner, run.room_id)
            await self._add_run(run)
            asked_at = now()
            before = await self._open(run, _question(1, content, asked_at))
            if before is None:
                await self._runs.delete_one({"_id": run.id})
                # It has gone, or is busy, or was until a moment ago.
                await closed_room(self._database, run.owner, run.room_id)
                raise _busy(run.id)
            question = _question(before.turns + 1, content, asked_at)
            room = _opened(before, run, question)
            # Past the deadline nothing is sent: the room may have been closed by another.
            await self._insert(room, [question], None)
        return Turn(
            room=room,
            number=question.turn,
            run_id=run.id,
            question=question,
            after=before.last_key,
        )

    async def _add_run(self, run: Run) -> None:
        for _ in range(TRIES):
            try:
                await self._early_runs.insert_one(run_document(run))
            except DuplicateKeyError:
                # Another with the same key came first, unless it was refused meanwhile.
                await self._refuse_known_key(run)
            else:
                return
        raise _busy(run.id)

    async def _refuse_known_key(self, run: Run) -> None:
        where = {"owner": run.owner, "room": run.room_id, "idempotency_key": run.idempotency_key}
        known = await self._runs.find_one(where, {"_id": 1})
        if known is not None:
            raise _run_exists(known["_id"])

    async def _open(self, run: Run, question: Message) -> Room | None:
        """Take the room for a turn if none is open in it; the room as it was.

        Of the question, its time and size count; its number is the room's next.
        """
        number = {"$toString": {"$add": [10**8 + 1, "$turns"]}}
        document = await self._early_rooms.find_one_and_update(
            {"_id": run.room_id, "owner": run.owner, "open": None},
            [
                {
                    "$set": {
                        "turns": {"$add": ["$turns", 1]},
                        "open": {"turn": {"$add": ["$turns", 1]}, "run_id": run.id},
                        "last_key": {"$concat": ["t", {"$substrBytes": [number, 1, 8]}, "-0000"]},
                        "updated_at": to_micros(question.created_at),
                        "message_count": {"$add": ["$message_count", 1]},
                        "pending_tokens": {"$add": ["$pending_tokens", message_tokens(question)]},
                    }
                }
            ],
            return_document=ReturnDocument.BEFORE,
        )
        return None if document is None else room_from(document)

    async def end(self, turn: Turn, messages: Sequence[Message], *, status: Status) -> Room:
        last = messages[-1] if messages else turn.question
        answer_key = last.key if last.role == "assistant" else None

        async def work(session: Session) -> Room:
            await self._insert(turn.room, messages, session)
            await self._runs.update_one(
                {"_id": turn.run_id, "status": "running"},
                {"$set": _end_of_run(status, answer_key) | {"turn": turn.number}},
                session=session,
            )
            if status == "failed":
                await self._mark_failed(turn.room.id, turn.question.key, session)
            document = await self._rooms.find_one_and_update(
                _open_in(turn.room.owner, turn.room.id, turn.run_id),
                {
                    "$set": {"open": None, "last_key": last.key, "updated_at": to_micros(now())},
                    "$inc": {
                        "message_count": len(messages),
                        "pending_tokens": sum(map(message_tokens, messages)),
                    },
                },
                return_document=ReturnDocument.AFTER,
                session=session,
            )
            if document is None:
                ids = [message_id(turn.room.id, message.key) for message in messages]
                await self._messages.delete_many({"_id": {"$in": ids}}, session=session)
                raise _closed()
            return room_from(document)

        return await self._database.atomic(work)

    async def _insert(self, room: Room, messages: Sequence[Message], session: Session) -> None:
        if messages:
            documents = [message_document(room, one, message_tokens(one)) for one in messages]
            try:
                await self._messages.insert_many(documents, session=session)
            except BulkWriteError as error:
                if any(one["code"] == DUPLICATE for one in error.details["writeErrors"]):
                    raise _closed() from error
                raise

    async def _mark_failed(self, room_id: str, key: str, session: Session) -> bool:
        """Whether there is such a question."""
        marked = await self._messages.update_one(
            {"_id": message_id(room_id, key)}, {"$set": {"status": "failed"}}, session=session
        )
        return marked.matched_count == 1

    async def abandon(self, run: Run) -> bool:
        async def work(session: Session) -> bool:
            room = await owned_room(self._database, run.owner, run.room_id, session)
            ended = {"$set": _end_of_run("failed", None)}
            if room.open_turn is None or room.open_turn.run_id != run.id:
                where = {"_id": run.id, "status": "running"}
                await self._runs.update_one(where, ended, session=session)
                return False
            # What its worker had begun to store, without a transaction, past what counts.
            await self._messages.delete_many(within(room.id, after=room.last_key), session=session)
            key = message_key(room.open_turn.turn, 0)
            asked = await self._mark_failed(room.id, key, session)
            await self._runs.update_one({"_id": run.id}, ended, session=session)
            closing: Document = {"$set": {"open": None}}
            if not asked:
                closing = await self._without_question(room, session)
            closed = await self._rooms.update_one(
                _open_in(room.owner, room.id, run.id), closing, session=session
            )
            return closed.modified_count == 1

        return await self._database.atomic(work)

    async def _without_question(self, room: Room, session: Session) -> Document:
        """How a room closes whose worker died before it had stored the question."""
        newest = await self._messages.find_one(
            within(room.id), sort=[("_id", DESCENDING)], session=session
        )
        last_key = None if newest is None else message_from(newest).key
        pending = await self._pending(room.id, session)
        return {
            "$set": {"open": None, "last_key": last_key, "pending_tokens": pending},
            "$inc": {"message_count": -1},
        }

    async def page(
        self, owner: str, room_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Message]:
        with mapped_errors():
            room = await owned_room(self._database, owner, room_id)
            if room.last_key is None:
                return Page([])
            where = within(room_id, up_to=room.last_key)
            if cursor is not None and cursor <= room.last_key:
                where = {
                    "_id": {"$gt": message_id(room_id, ""), "$lt": message_id(room_id, cursor)}
                }
            newest = self._messages.find(where | {"owner": owner}).sort("_id", DESCENDING)
            found = [message_from(document) async for document in newest.limit(limit + 1)]
        return Page(found[:limit], found[limit - 1].key if len(found) > limit else None)

    async def between(
        self,
        owner: str,
        room_id: str,
        *,
        after: str | None = None,
        up_to: str | None = None,
        limit: int,
    ) -> Sequence[Message]:
        where = within(room_id, after, up_to) | {"owner": owner}
        with mapped_errors():
            oldest = self._messages.find(where).sort("_id", ASCENDING).limit(limit)
            return [message_from(document) async for document in oldest]

    async def recent(
        self, owner: str, room_id: str, *, after: str | None, up_to: str | None, max_tokens: int
    ) -> Sequence[Message]:
        where = within(room_id, after, up_to) | {"owner": owner}
        newest: list[Message] = []
        spent = 0
        with mapped_errors():
            found = self._messages.find(where).sort("_id", DESCENDING).batch_size(64)
            async for document in found:
                message = message_from(document)
                if spent > max_tokens and message.turn != newest[-1].turn:
                    break
                spent += message_tokens(message)
                newest.append(message)
        return newest_turns(newest, max_tokens)

    async def delete(self, owner: str, room_id: str, keys: Sequence[str]) -> Deleted:
        async def work(session: Session) -> Deleted:
            room = await closed_room(self._database, owner, room_id, session)
            gone = with_companions(keys, await self._turns_of(room, keys, session))
            if not set(keys) <= set(gone):
                raise NotFound.of("message")
            cleared = await self._clear(room, gone, session)
            ids = [message_id(room_id, key) for key in gone]
            await self._messages.delete_many({"_id": {"$in": ids}}, session=session)
            pending = await self._pending(room_id, session)
            await self._rooms.update_one(
                {"_id": room_id}, {"$set": {"pending_tokens": pending}}, session=session
            )
            asked = dict.fromkeys(keys)
            return Deleted(
                deleted=tuple(asked),
                also_deleted=tuple(key for key in gone if key not in asked),
                summary="cleared" if "summary" in cleared else "unchanged",
                title_cleared="title" in cleared,
            )

        return await self._database.atomic(work)

    async def _turns_of(
        self, room: Room, keys: Sequence[str], session: Session
    ) -> Sequence[Message]:
        """The whole turns that ``keys`` are of, in order; NotFound for what is no key."""
        try:
            turns = sorted({turn_of(key) for key in keys})
        except ValueError as error:
            raise NotFound.of("message") from error
        low, high = message_key(turns[0], 0), message_key(turns[-1], LAST_INDEX)
        where: Document = {
            "_id": {"$gte": message_id(room.id, low), "$lte": message_id(room.id, high)},
            "owner": room.owner,
            "turn": {"$in": turns},
        }
        found = self._messages.find(where, session=session).sort("_id", ASCENDING)
        return [message_from(document) async for document in found]

    async def _clear(self, room: Room, gone: Sequence[str], session: Session) -> Document:
        """Drop, before the messages, the summary and made title that may tell of them."""
        cleared: Document = {}
        if room.summary is not None and gone[0] <= room.summary.covers_up_to:
            cleared["summary"] = None
        titled = await self._rooms.find_one(
            {"_id": room.id, "title_source": "auto", "title_covers": {"$gte": gone[0]}},
            {"_id": 1},
            session=session,
        )
        if titled is not None:
            cleared |= {"title": None, "title_source": "none", "title_covers": None}
        change: Document = {"$inc": {"deletions": 1, "message_count": -len(gone)}}
        if cleared:
            change["$set"] = cleared
        changed = await self._rooms.update_one(
            {"_id": room.id, "owner": room.owner, "open": None}, change, session=session
        )
        if changed.matched_count == 0:
            raise Conflict("A turn has just begun in this room.", code="room_busy")
        return cleared

    async def _pending(self, room_id: str, session: Session) -> int:
        """The tokens of what the summary does not cover."""
        room = await self._rooms.find_one({"_id": room_id}, {"summary": 1}, session=session)
        summary = room["summary"] if room else None
        where = within(room_id, after=summary["covers_up_to"] if summary else None)
        summed = await self._messages.aggregate(
            [{"$match": where}, {"$group": {"_id": None, "tokens": {"$sum": "$tokens"}}}],
            session=session,
        )
        async for row in summed:
            return int(row["tokens"])
        return 0

    async def fold(self, seen: Room, summary: Summary, *, tokens: int) -> bool:
        over = None
        if seen.summary is not None:
            over = {"text": seen.summary.text, "covers_up_to": seen.summary.covers_up_to}
        new = {"text": summary.text, "covers_up_to": summary.covers_up_to}
        left = {"$max": [0, {"$subtract": ["$pending_tokens", tokens]}]}
        with mapped_errors():
            changed = await self._rooms.update_one(
                {
                    "_id": seen.id,
                    "owner": seen.owner,
                    "deletions": seen.deletions,
                    "summary": over,
                },
                [{"$set": {"summary": {"$literal": new}, "pending_tokens": left}}],
            )
        return changed.modified_count == 1


def _question(number: int, content: str, asked_at: datetime) -> Message:
    return Message(
        key=message_key(number, 0), turn=number, role="user", content=content, created_at=asked_at
    )


def _opened(before: Room, run: Run, question: Message) -> Room:
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


def _end_of_run(status: Status, answer_key: str | None) -> Document:
    return {"status": status, "answer_key": answer_key, "ended_at": to_micros(now())}


def _open_in(owner: str, room_id: str, run_id: str) -> Document:
    return {"_id": room_id, "owner": owner, "open.run_id": run_id}


def _busy(run_id: str) -> Conflict:
    return Conflict("A turn is running in this room.", code="room_busy", details={"run_id": run_id})


def _closed() -> Conflict:
    return Conflict("This turn was closed by another.", code="turn_closed")


def _run_exists(run_id: str) -> Conflict:
    return Conflict(
        "A run with this Idempotency-Key exists.", code="run_exists", details={"run_id": run_id}
    )
