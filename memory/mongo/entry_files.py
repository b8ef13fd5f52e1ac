"""Files as documents beside their entries'."""

from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.loose import loosen


async def terms_of_files(
    database: MongoDatabase, entry_id: str, session: Session, *, but: str | None = None
) -> list[bytes]:
    """What the files of an entry are found by, ``but`` the one of a name."""
    where = {"entry": entry_id, "name": {"$ne": but}}
    found = database["files"].find(where, {"terms": 1}, session=session)
    return [document["terms"] async for document in found]


async def loosen_files(
    database: MongoDatabase, owner: str, entry_id: str, session: Session
) -> None:
    """Take away the records of an entry's files."""
    where: Document = {"entry": entry_id, "owner": owner}
    async for document in database["files"].find(where, {"blob": 1}, session=session):
        await loosen(database, owner, document["blob"], session)
    await database["files"].delete_many(where, session=session)
