"""Rooms in MongoDB."""

from collections.abc import Sequence
from datetime import datetime

from pymongo import DESCENDING, ReturnDocument
from pymongo.errors import DuplicateKeyError

from memory.conflicts import room_busy
from memory.cursors import decode_cursor, encode_cursor
from memory.errors import NotFound
from memory.keys import new_id
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.documents import room_from, within
from memory.mongo.faults import mapped_errors
from memory.mongo.newest import ROOM_ALONE
from memory.protocols import FEW
from memory.records import Page, Room
from memory.times import now, to_micros


class MongoRooms:
    """The Rooms protocol on one database of MongoDB."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database

    async def create(
        self,
        owner: str,
        title: str | None = None,
        *,
        listed: bool = True,
        room_id: str | None = None,
    ) -> Room:
        moment = to_micros(now())
        document: Document = {
            "_id": room_id or new_id("room"),
            "owner": owner,
            "title": title,
            "title_source": "none" if title is None else "user" if listed else "auto",
            "title_covers": None,
            "listed": listed,
            "created_at": moment,
            "updated_at": moment,
            "message_count": 0,
            "turns": 0,
            "last_key": None,
            "open": None,
            "recent": [],
            "full": False,
            "summary": None,
            "deletions": 0,
            "pending_tokens": 0,
        }
        with mapped_errors():
            try:
                await self._database["rooms"].insert_one(document)
            except DuplicateKeyError:
                return await owned_room(self._database, owner, document["_id"])
        return room_from(document)

    async def get(self, owner: str, room_id: str) -> Room:
        with mapped_errors():
            return await owned_room(self._database, owner, room_id)

    async def page(self, owner: str, *, limit: int, cursor: str | None = None) -> Page[Room]:
        where: Document = {"owner": owner, "listed": True}
        if cursor is not None:
            moment, room_id = decode_cursor(cursor, int, str)
            where["$or"] = [
                {"updated_at": {"$lt": moment}},
                {"updated_at": moment, "_id": {"$lt": room_id}},
            ]
        newest = [("updated_at", DESCENDING), ("_id", DESCENDING)]
        with mapped_errors():
            found = self._database["rooms"].find(where, ROOM_ALONE).sort(newest).limit(limit + 1)
            rooms = [room_from(document) async for document in found]
        if len(rooms) <= limit:
            return Page(rooms)
        last = rooms[limit - 1]
        return Page(rooms[:limit], encode_cursor(to_micros(last.updated_at), last.id))

    async def ids(self, owner: str) -> Sequence[str]:
        with mapped_errors():
            found = self._database["rooms"].find({"owner": owner}, {"_id": 1})
            return [document["_id"] async for document in found]

    async def unlisted(self, owner: str, *, before: datetime) -> Sequence[Room]:
        where = {"owner": owner, "listed": False, "updated_at": {"$lt": to_micros(before)}}
        with mapped_errors():
            found = self._database["rooms"].find(where, ROOM_ALONE).limit(FEW)
            return [room_from(document) async for document in found]

    async def rename(self, owner: str, room_id: str, title: str) -> Room:
        with mapped_errors():
            document = await self._database["rooms"].find_one_and_update(
                {"_id": room_id, "owner": owner},
                {"$set": {"title": title, "title_source": "user"}},
                ROOM_ALONE,
                return_document=ReturnDocument.AFTER,
            )
        if document is None:
            raise NotFound.of("room")
        return room_from(document)

    async def claim_title(self, seen: Room, seconds: float) -> bool:
        unclaimed = {"$lte": [{"$ifNull": ["$titled_until", "$$NOW"]}, "$$NOW"]}
        until = {"$add": ["$$NOW", int(seconds * 1000)]}
        with mapped_errors():
            claimed = await self._database["rooms"].update_one(
                {"_id": seen.id, "owner": seen.owner, "title_source": "none", "$expr": unclaimed},
                [{"$set": {"titled_until": until}}],
            )
        return claimed.modified_count == 1

    async def title(self, seen: Room, title: str, *, covers: str, asked: bool = False) -> bool:
        where: Document = {"_id": seen.id, "owner": seen.owner, "deletions": seen.deletions}
        if not asked:
            where["title_source"] = "none"
        made = {"title": title, "title_source": "auto", "title_covers": covers}
        with mapped_errors():
            changed = await self._database["rooms"].update_one(where, {"$set": made})
        return changed.matched_count == 1

    async def delete(self, owner: str, room_id: str) -> None:
        async def work(session: Session) -> None:
            await closed_document(self._database, owner, room_id, session)
            # The room last: until it is gone, a deletion cut short can be asked for again.
            await self._database["messages"].delete_many(within(room_id), session=session)
            await self._database["runs"].delete_many({"room": room_id}, session=session)
            await self._database["rooms"].delete_one(
                {"_id": room_id, "owner": owner}, session=session
            )

        await self._database.atomic(work)


async def owned_room(database: MongoDatabase, owner: str, room_id: str) -> Room:
    """The owner's room; NotFound otherwise."""
    where = {"_id": room_id, "owner": owner}
    document = await database["rooms"].find_one(where, ROOM_ALONE)
    if document is None:
        raise NotFound.of("room")
    return room_from(document)


async def owned_document(
    database: MongoDatabase, owner: str, room_id: str, session: Session = None
) -> Document:
    """All of the owner's room, its newest turn with it; NotFound otherwise."""
    document = await database["rooms"].find_one({"_id": room_id, "owner": owner}, session=session)
    if document is None:
        raise NotFound.of("room")
    return document


async def closed_document(
    database: MongoDatabase, owner: str, room_id: str, session: Session = None
) -> Document:
    """The same while no turn is open in it; Conflict ``room_busy`` otherwise."""
    document = await owned_document(database, owner, room_id, session)
    if document["open"] is not None:
        raise room_busy(document["open"]["run_id"])
    return document
