"""The history of rooms in MongoDB: one document per message, but for the newest turns.

Those stand in the document of their room, so that one write begins a turn and one ends it: a crash
leaves both whole or not at all, without a transaction, whose locks would outlive their process.
"""

from collections.abc import Sequence

from pymongo import ASCENDING, DESCENDING, ReplaceOne, ReturnDocument
from pymongo.write_concern import WriteConcern

from memory.conflicts import room_busy, run_exists, turn_closed
from memory.errors import Conflict, NotFound
from memory.keys import LAST_INDEX, message_key, turn_of
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.documents import message_from, message_id, room_from
from memory.mongo.faults import mapped_errors
from memory.mongo.newest import (
    NEWEST_RUNS,
    ROOM_ALONE,
    Newest,
    closing,
    messages_within,
    new_question,
    newest_of,
    newest_runs,
    older_messages,
    opened_room,
    opening,
    question_of,
    undoing,
)
from memory.mongo.rooms import closed_document, owned_document
from memory.records import Deleted, Message, Page, Room, Run, Status, Summary, Turn
from memory.times import now
from memory.turns import message_tokens, newest_turns, with_companions

EARLY = WriteConcern(w=1)


class MongoHistory:
    """The History protocol on one database of MongoDB."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._rooms, self._messages = database["rooms"], database["messages"]
        self._runs = database["runs"]
        # What is written out still stands in its room until a turn's end, which waits for all
        # that came before it on the same server.
        self._early_messages, self._early_runs = (
            collection.with_options(write_concern=EARLY)
            for collection in (self._messages, self._runs)
        )

    async def begin(self, run: Run, content: str) -> Turn:
        # Past the deadline nothing is sent: the room may have been closed by another.
        with self._database.in_order():
            await self._refuse_known_key(run)
            question = new_question(1, content, now())
            before = await self._open(run, question)
            if before is None:
                await self._refuse_known_key(run)
                await closed_document(self._database, run.owner, run.room_id)
                raise room_busy(run.id)  # it was, until a moment ago
            try:
                await self._refuse_known_key(run)
            except Conflict:
                await self._rooms.update_one(_open_in(run), undoing(before, question))
                raise
            await self._write_out(before, None)
        room = room_from(before)
        question = new_question(room.turns + 1, content, question.created_at)
        return Turn(
            room=opened_room(room, run, question),
            number=question.turn,
            run_id=run.id,
            question=question,
            after=room.last_key,
        )

    async def _refuse_known_key(self, run: Run) -> None:
        if run.idempotency_key is None:
            return
        # The room's own first: from there a run goes to the others.
        known = await self._newest_run_of(run)
        if known is None:
            key = {"owner": run.owner, "room": run.room_id, "idempotency_key": run.idempotency_key}
            known = await self._runs.find_one(key, {"_id": 1})
        if known is not None:
            raise run_exists(known["_id"])

    async def _newest_run_of(self, run: Run) -> Document | None:
        """The run in the room's document that has the same key, and is another."""
        where = {"_id": run.room_id, "owner": run.owner}
        for found in newest_runs(await self._rooms.find_one(where, NEWEST_RUNS)):
            if found["idempotency_key"] == run.idempotency_key and found["_id"] != run.id:
                return found
        return None

    async def _open(self, run: Run, question: Message) -> Document | None:
        """Take the room for a turn if none is open in it; its document as it was."""
        free: Document = {"_id": run.room_id, "owner": run.owner, "open": None}
        if run.idempotency_key is not None:
            free["recent.run.idempotency_key"] = {"$ne": run.idempotency_key}
        return await self._rooms.find_one_and_update(
            free, opening(run, question), return_document=ReturnDocument.BEFORE
        )

    async def _write_out(self, room: Document, session: Session) -> None:
        """Put the ended turns of a full room among the others, for the next will take their place.

        The room is open, so that nothing of it is deleted meanwhile.
        """
        turns = room["recent"] if room["full"] else []
        for collection, documents in (
            (self._early_messages, [message for turn in turns for message in turn["messages"]]),
            (self._early_runs, [turn["run"] for turn in turns]),
        ):
            if documents:
                written = [ReplaceOne({"_id": one["_id"]}, one, upsert=True) for one in documents]
                await collection.bulk_write(written, ordered=False, session=session)

    async def end(self, turn: Turn, messages: Sequence[Message], *, status: Status) -> Room:
        with mapped_errors():
            document = await self._rooms.find_one_and_update(
                {"_id": turn.room.id, "owner": turn.room.owner, "open.run_id": turn.run_id},
                closing(turn.room, turn.question, messages, status),
                ROOM_ALONE,
                return_document=ReturnDocument.AFTER,
            )
        if document is None:
            raise turn_closed()
        return room_from(document)

    async def abandon(self, run: Run) -> bool:
        async def work(session: Session) -> bool:
            document = await owned_document(self._database, run.owner, run.room_id, session)
            room, question = room_from(document), question_of(document)
            if question is None or room.running != run.id:
                return False
            await self._write_out(document, session)
            closed = await self._rooms.update_one(
                _open_in(run), closing(room, question, [], "failed"), session=session
            )
            return closed.modified_count == 1

        return await self._database.atomic(work)

    async def page(
        self, owner: str, room_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Message]:
        with mapped_errors():
            document = await owned_document(self._database, owner, room_id)
            newest = newest_of(document)
            shown = (one for one in newest.messages[::-1] if cursor is None or one.key < cursor)
            found = [*shown][: limit + 1]
            if len(found) <= limit:
                where = older_messages(room_id, newest, before=cursor) | {"owner": owner}
                older = self._messages.find(where).sort("_id", DESCENDING)
                found += [message_from(one) async for one in older.limit(limit + 1 - len(found))]
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
        with mapped_errors():
            newest = await self._newest(owner, room_id)
            where = older_messages(room_id, newest, after, up_to) | {"owner": owner}
            older = self._messages.find(where).sort("_id", ASCENDING).limit(limit)
            found = [message_from(document) async for document in older]
        return [*found, *messages_within(newest, after, up_to)][:limit]

    async def recent(
        self, owner: str, room_id: str, *, after: str | None, up_to: str | None, max_tokens: int
    ) -> Sequence[Message]:
        spent = 0
        with mapped_errors():
            newest = await self._newest(owner, room_id)
            found = list(messages_within(newest, after, up_to))[::-1]
            spent = sum(map(message_tokens, found))
            where = older_messages(room_id, newest, after, up_to) | {"owner": owner}
            older = self._messages.find(where).sort("_id", DESCENDING).batch_size(64)
            async for document in older:
                message = message_from(document)
                if spent > max_tokens and message.turn != found[-1].turn:
                    break
                spent += message_tokens(message)
                found.append(message)
        return newest_turns(found, max_tokens)

    async def _newest(self, owner: str, room_id: str) -> Newest:
        document = await self._rooms.find_one(
            {"_id": room_id, "owner": owner}, {"open": 1, "recent": 1}
        )
        return Newest([], None) if document is None else newest_of(document)

    async def delete(self, owner: str, room_id: str, keys: Sequence[str]) -> Deleted:
        async def work(session: Session) -> Deleted:
            document = await closed_document(self._database, owner, room_id, session)
            room, newest = room_from(document), newest_of(document)
            gone = with_companions(keys, await self._turns_of(room, newest, keys, session))
            if not set(keys) <= set(gone):
                raise NotFound.of("message")
            cleared = await self._clear(document, gone, session)
            ids = [message_id(room_id, key) for key in gone]
            await self._messages.delete_many({"_id": {"$in": ids}}, session=session)
            await self._count_pending(room_id, session)
            asked = dict.fromkeys(keys)
            return Deleted(
                deleted=tuple(asked),
                also_deleted=tuple(key for key in gone if key not in asked),
                summary="cleared" if "summary" in cleared else "unchanged",
                title_cleared="title" in cleared,
            )

        return await self._database.atomic(work)

    async def _turns_of(
        self, room: Room, newest: Newest, keys: Sequence[str], session: Session
    ) -> Sequence[Message]:
        """The whole turns that ``keys`` are of, in order; NotFound for what is no key."""
        try:
            turns = sorted({turn_of(key) for key in keys})
        except ValueError as error:
            raise NotFound.of("message") from error
        low, high = message_key(turns[0], 0), message_key(turns[-1], LAST_INDEX)
        where = older_messages(room.id, newest, up_to=high)
        where |= {"owner": room.owner, "turn": {"$in": turns}}
        where["_id"]["$gte"] = message_id(room.id, low)
        found = self._messages.find(where, session=session).sort("_id", ASCENDING)
        older = [message_from(document) async for document in found]
        return [*older, *(one for one in newest.messages if one.turn in turns)]

    async def _clear(self, before: Document, gone: Sequence[str], session: Session) -> Document:
        """Drop, before the messages, the summary and made title that may tell of them."""
        room, cleared = room_from(before), Document()
        if room.summary is not None and gone[0] <= room.summary.covers_up_to:
            cleared["summary"] = None
        if before["title_source"] == "auto" and (before["title_covers"] or "") >= gone[0]:
            cleared |= {"title": None, "title_source": "none", "title_covers": None}
        ids = {message_id(room.id, key) for key in gone}
        recent = [
            turn | {"messages": [one for one in turn["messages"] if one["_id"] not in ids]}
            for turn in before["recent"]
        ]
        change: Document = {
            "$set": cleared | {"recent": recent},
            "$inc": {"deletions": 1, "message_count": -len(gone)},
        }
        # As it was seen, and no turn since.
        seen = {name: before[name] for name in ("_id", "owner", "turns", "deletions", "title")}
        done = await self._rooms.update_one(seen | {"open": None}, change, session=session)
        if done.matched_count == 0:
            raise Conflict("Something has just changed in this room.", code="room_busy")
        return cleared

    async def _count_pending(self, room_id: str, session: Session) -> None:
        """Keep the tokens of what the summary does not cover."""
        document = await self._rooms.find_one({"_id": room_id}, session=session)
        if document is None:
            return
        room, newest = room_from(document), newest_of(document)
        after = room.summary.covers_up_to if room.summary else None
        summed = await self._messages.aggregate(
            [
                {"$match": older_messages(room_id, newest, after)},
                {"$group": {"_id": None, "tokens": {"$sum": "$tokens"}}},
            ],
            session=session,
        )
        tokens = sum([int(row["tokens"]) async for row in summed])
        tokens += sum(map(message_tokens, messages_within(newest, after, None)))
        await self._rooms.update_one(
            {"_id": room_id}, {"$set": {"pending_tokens": tokens}}, session=session
        )

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


def _open_in(run: Run) -> Document:
    return {"_id": run.room_id, "owner": run.owner, "open.run_id": run.id}
