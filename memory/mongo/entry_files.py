"""Files as documents beside their entries', and the index where but some terms change."""

from memory.lexical import EntryTerms
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.loose import loosen
from memory.mongo.postings import add_postings, remove_postings


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


async def index_changed(
    database: MongoDatabase, before: Document, made: EntryTerms, touched: set[str], session: Session
) -> None:
    """Index an entry of the same length anew by the ``touched`` terms, not by those that stay.

    ``before`` is its document as it was; its category counts as touched.
    """
    old = set(before["terms"])
    touched = touched | (old ^ made.weights.keys())
    weights = {term: made.weights[term] for term in touched & made.weights.keys()}
    part = before | {"terms": list(touched & old)}
    await remove_postings(database, part, session)
    some = EntryTerms(weights, made.category, made.length)
    await add_postings(database, before["owner"], before["number"], some, session)
