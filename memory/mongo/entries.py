"""How archive entries stand in MongoDB documents and back, and one is kept; knows no search.

Where the server has no transactions, ``session`` is None and the steps of each function run one by
one: they are ordered so that what a crash leaves can be asked for again.
"""

from collections.abc import Sequence

from pymongo.errors import DuplicateKeyError

from memory.conflicts import duplicate
from memory.contents import Placed
from memory.errors import Conflict, NotFound, Stale
from memory.file_codec import file_from
from memory.lexical import terms
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.entry_files import loosen_files
from memory.mongo.loose import keep_promise, loosen
from memory.mongo.postings import (
    Blocks,
    add_postings,
    blocks_for,
    blocks_of,
    change_postings,
    indexed_by,
    remove_postings,
)
from memory.preparing import Prepared
from memory.records import Entry, Source
from memory.times import from_micros, to_micros

WITHOUT_CONTENT = {"content": 0, "terms": 0, "weights": 0, "category_terms": 0, "blocks": 0}
"""What is left out of an entry's document where neither its text nor its terms are wanted."""


def document_of(entry: Entry, made: Prepared, blocks: Blocks) -> Document:
    """What is kept of an entry but its id, its number and its content."""
    source = entry.source
    return {
        "owner": entry.owner,
        "category": entry.category,
        "label": entry.label,
        "fingerprint": made.fingerprint,
        "size": entry.size,
        "source": {"room_id": source.room_id, "key": source.key} if source else None,
        "created_at": to_micros(entry.created_at),
        "updated_at": to_micros(entry.updated_at),
        "version": entry.version,
        **indexed_by(made.terms, blocks),
    }


def entry_from(document: Document) -> Entry:
    """Of a large content the document has but the beginning: the entry then has none."""
    source = document["source"]
    return Entry(
        id=document["_id"],
        owner=document["owner"],
        category=document["category"],
        label=document["label"],
        content="" if document.get("content_blob") else document.get("content", ""),
        size=document["size"],
        source=Source(**source) if source else None,
        created_at=from_micros(document["created_at"]),
        updated_at=from_micros(document["updated_at"]),
        version=document["version"],
        files=tuple(map(file_from, document.get("files", ()))),
    )


async def owned_entry(
    database: MongoDatabase, owner: str, entry_id: str, session: Session
) -> Document:
    """The document of the owner's entry; NotFound otherwise."""
    where = {"_id": entry_id, "owner": owner}
    document = await database["entries"].find_one(where, session=session)
    if document is None:
        raise NotFound.of("entry")
    return document


async def entries_by_number(
    database: MongoDatabase, owner: str, numbers: Sequence[int]
) -> dict[int, Entry]:
    """The owner's entries of these numbers, as far as they are there, without their contents."""
    where = {"owner": owner, "number": {"$in": list(numbers)}}
    found = database["entries"].find(where, WITHOUT_CONTENT)
    return {document["number"]: entry_from(document) async for document in found}


async def refuse_duplicate(
    database: MongoDatabase, entry: Entry, made: Prepared, session: Session
) -> None:
    """Conflict ``duplicate`` if another entry of the owner's says the same."""
    where = {"owner": entry.owner, "fingerprint": made.fingerprint}
    known = await database["entries"].find_one(where, {"_id": 1}, session=session)
    if known is not None and known["_id"] != entry.id:
        raise duplicate(known["_id"])


async def insert_entry(
    database: MongoDatabase,
    entry: Entry,
    number: int,
    made: Prepared,
    blocks: Blocks,
    place: Placed,
    session: Session,
) -> None:
    """Keep and index a new entry under a number that no other has.

    Conflict ``duplicate`` if its content is there, ``entry_exists`` if its id is.
    """
    document = document_of(entry, made, blocks) | {"_id": entry.id, "number": number}
    try:
        await database["entries"].insert_one(document | _content(place), session=session)
    except DuplicateKeyError as error:
        await refuse_duplicate(database, entry, made, None)
        taken = "_id" in (error.details or {}).get("keyPattern", {})
        code = "entry_exists" if taken else "duplicate"
        raise Conflict("This entry has just come or gone.", code=code) from error
    if place.blob is not None:
        await keep_promise(database, entry.owner, place.blob, session)
    await add_postings(database, entry.owner, number, made.terms, blocks, session)


async def replace_entry(
    database: MongoDatabase,
    before: Document,
    after: Entry,
    made: Prepared,
    place: Placed | None,
    session: Session,
) -> None:
    """Write and index the next version of an entry; a vector of other words goes.

    ``place`` is None for a content that stays where it is. Conflict ``duplicate`` as for a new
    one, Stale if the entry is no longer as it was ``before``.
    """
    content = {} if place is None else _content(place)
    blocks = await blocks_for(
        database, after.owner, made.terms.all(), session, held=blocks_of(before)
    )
    reworded = place is not None or before["label"] != after.label
    unmarked = {"embedded": ""} if reworded else {}
    try:
        changed = await database["entries"].update_one(
            {"_id": after.id, "version": before["version"]},
            {"$set": document_of(after, made, blocks) | content | unmarked},
            session=session,
        )
    except DuplicateKeyError as error:
        await refuse_duplicate(database, after, made, None)
        raise Stale("The entry has just changed.") from error
    if changed.matched_count == 0:
        raise Stale("The entry has just changed.")
    if place is not None:
        await _swap_blobs(database, after.owner, before.get("content_blob"), place.blob, session)
    if reworded:
        outdated = {"_id": before["number"], "version": {"$lte": before["version"]}}
        await database["vectors"].delete_one(outdated, session=session)
    labelled = {*terms(before["label"]), *terms(after.label)}
    touched = labelled if place is None else made.terms.all().keys()
    await change_postings(database, before, made.terms, blocks, touched, session)


async def remove_entry(database: MongoDatabase, document: Document, session: Session) -> None:
    """Take an entry away, with all that is kept of it."""
    owner, entry_id, number = document["owner"], document["_id"], document["number"]
    # The entry last: until it is gone, a deletion cut short can be asked for again.
    await remove_postings(database, document, session)
    await loosen_files(database, owner, entry_id, session)
    await _swap_blobs(database, owner, document.get("content_blob"), None, session)
    await database["vectors"].delete_one({"_id": number}, session=session)
    await database["entries"].delete_one({"_id": entry_id, "owner": owner}, session=session)
    # Again: where nothing is atomic, one may have been kept between.
    await database["vectors"].delete_one({"_id": number}, session=session)


def _content(place: Placed) -> Document:
    return {"content": place.row, "content_blob": place.blob}


async def _swap_blobs(
    database: MongoDatabase, owner: str, old: str | None, new: str | None, session: Session
) -> None:
    if new is not None:
        await keep_promise(database, owner, new, session)
    if old is not None:
        await loosen(database, owner, old, session)
