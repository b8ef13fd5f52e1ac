"""Blobs that no document names, in MongoDB: promised before they are written, or left by theirs."""

from memory.errors import Unavailable
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.faults import mapped_errors
from memory.times import now, to_micros

_GIVEN_UP = "The upload took so long that it was given up. Send it again."


async def promise(database: MongoDatabase, owner: str, blob: str) -> None:
    """Note a loose blob before its first byte is written."""
    document: Document = {"_id": blob, "owner": owner, "since": to_micros(now())}
    with mapped_errors():
        await database["loose_blobs"].insert_one(document)


async def refuse_broken_promise(database: MongoDatabase, owner: str, blob: str) -> None:
    """Unavailable if a promised blob was given up."""
    with mapped_errors():
        if await database["loose_blobs"].find_one({"_id": blob, "owner": owner}) is None:
            raise Unavailable(_GIVEN_UP)


async def keep_promise(database: MongoDatabase, owner: str, blob: str, session: Session) -> None:
    """A document names the blob now; Unavailable if it was given up meanwhile."""
    where = {"_id": blob, "owner": owner}
    kept = await database["loose_blobs"].delete_one(where, session=session)
    if kept.deleted_count == 0:
        raise Unavailable(_GIVEN_UP)


async def loosen(database: MongoDatabase, owner: str, blob: str, session: Session) -> None:
    """Note a blob whose document goes: its bytes are to go too."""
    await database["loose_blobs"].update_one(
        {"_id": blob}, {"$set": {"owner": owner, "since": 0}}, upsert=True, session=session
    )
