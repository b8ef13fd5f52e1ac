"""Brings the newest turns of rooms of an older schema into this one's form."""

from pymongo import DESCENDING

from memory.keys import message_key
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.documents import message_id, room_from, within
from memory.times import now, to_micros


async def settled(database: MongoDatabase) -> None:
    """Give every room its ``recent`` turns, and close what was left open; again does no harm."""
    await _gather_recent(database)
    await _close_open(database)


async def _gather_recent(database: MongoDatabase) -> None:
    """Schema 4 had one turn, in ``last``, those before none."""
    one = {"$cond": [{"$ifNull": ["$last", False]}, ["$last"], []]}
    rooms = database["rooms"]
    await rooms.update_many(
        {"recent": {"$exists": False}},
        [{"$set": {"recent": one, "full": False}}, {"$unset": "last"}],
    )
    if "last.run._id_1" in await rooms.index_information():
        await rooms.drop_index("last.run._id_1")


async def _close_open(database: MongoDatabase) -> None:
    """Close, as failed, turns whose run stood in ``runs`` and whose question in ``messages``."""
    opened: Document = {"open.turn": {"$exists": True}, "open.run": {"$exists": False}}
    while document := await database["rooms"].find_one(opened):
        await _close(database, document)
    ended = {"status": "failed", "ended_at": to_micros(now())}
    await database["runs"].update_many({"status": "running"}, {"$set": ended})
    if "status_1" in await database["runs"].index_information():
        await database["runs"].drop_index("status_1")


async def _close(database: MongoDatabase, document: Document) -> None:
    room = room_from(document)
    question = {"_id": message_id(room.id, message_key(document["open"]["turn"], 0))}

    async def work(session: Session) -> None:
        messages = database["messages"]
        # What its worker had begun to store, without a transaction, past what counts.
        await messages.delete_many(within(room.id, after=room.last_key), session=session)
        failed: Document = {"$set": {"status": "failed"}}
        asked = await messages.update_one(question, failed, session=session)
        change: Document = {"$set": {"open": None}}
        if not asked.matched_count:
            newest = await messages.find_one(
                within(room.id), sort=[("_id", DESCENDING)], session=session
            )
            change["$set"]["last_key"] = newest["_id"].rpartition("/")[2] if newest else None
            change["$inc"] = {"message_count": -1}
        still = {"_id": room.id, "open.run_id": document["open"]["run_id"]}
        await database["rooms"].update_one(still, change, session=session)

    await database.atomic(work)
