"""Brings the archive's indexes of an older version into the form of this one."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pymongo import UpdateOne, timeout
from pymongo.errors import BulkWriteError

from memory.lexical import pair_of
from memory.mongo.postings import SPAN, block_id, packed
from memory.preparing import fingerprint_of

if TYPE_CHECKING:
    from memory.mongo.database import Document, MongoDatabase, Session

log = logging.getLogger(__name__)

CHANGED_AT_ONCE = 500
DUPLICATE_KEY = 11_000


async def renewed(database: "MongoDatabase", version: int) -> None:
    """Bring the index of a schema before this one into this one's form; again does no harm."""
    if version < 2:
        await _into_blocks(database)
    elif version < 3:
        await _into_wider_blocks(database)
    if version < 6:
        await _take_fingerprints(database)
        await _take_characters(database)


async def _take_fingerprints(database: "MongoDatabase") -> None:
    """Know entries again by what this version takes for the same.

    Of two that are the same now the later keeps the fingerprint that it had; so do large ones, of
    which the content stands elsewhere.
    """
    small = database["entries"].find({"content_blob": None}, {"content": 1, "fingerprint": 1})
    changes: list[UpdateOne] = []
    with timeout(None):
        async for entry in small:
            known = {"_id": entry["_id"], "fingerprint": entry["fingerprint"]}
            taken = {"fingerprint": await fingerprint_of(entry["content"])}
            changes.append(UpdateOne(known, {"$set": taken}))
            if len(changes) == CHANGED_AT_ONCE:
                await _where_free(database, changes)
                changes = []
        await _where_free(database, changes)


async def _take_characters(database: "MongoDatabase") -> None:
    """Have pairs of characters found by each of them."""
    changes: list[UpdateOne] = []
    with timeout(None):
        async for term in database["terms"].find({"c": {"$exists": False}}, {"_id": 1}):
            if pair := pair_of(term["_id"]["t"]):
                changes.append(UpdateOne({"_id": term["_id"]}, {"$set": {"c": list(pair)}}))
            if len(changes) == CHANGED_AT_ONCE:
                await database["terms"].bulk_write(changes, ordered=False)
                changes = []
        if changes:
            await database["terms"].bulk_write(changes, ordered=False)


async def _where_free(database: "MongoDatabase", changes: Sequence[UpdateOne]) -> None:
    """Make those of the changes that no other entry stands in the way of."""
    if not changes:
        return
    try:
        await database["entries"].bulk_write(changes, ordered=False)
    except BulkWriteError as error:
        if any(one["code"] != DUPLICATE_KEY for one in error.details["writeErrors"]):
            raise


async def _into_wider_blocks(database: "MongoDatabase") -> None:
    """Take what stood in blocks of half the span into those of today."""
    block = {"$toInt": {"$floor": {"$divide": ["$_id.b", 2]}}}
    key = {"o": "$_id.o", "t": "$_id.t", "b": block}
    steps: list[Document] = [
        {"$group": {"_id": key, "p": {"$mergeObjects": "$p"}}},
        {
            "$merge": {
                "into": "term_blocks",
                "whenMatched": [{"$set": {"p": {"$mergeObjects": ["$$new.p", "$p"]}}}],
            }
        },
    ]
    with timeout(None):
        await database["blocks"].aggregate(steps, allowDiskUse=True)
    await database.database.drop_collection("blocks")


async def _into_blocks(database: "MongoDatabase") -> None:
    """Take each entry's postings, a document each until schema 2, into blocks.

    Entries that are done have their weights: what was cut short, or is done by another process at
    the same time, comes to the same.
    """
    last = await database["counters"].find_one({"_id": "entries"})
    first_free = (last["last"] if last else 0) // SPAN + 1
    await database["counters"].update_one(
        {"_id": "blocks"}, {"$max": {"last": first_free}}, upsert=True
    )
    left: Document = {"weights": {"$exists": False}}
    moved = 0
    while document := await database["entries"].find_one(left, {"content": 0}):
        await _move(database, document)
        moved += 1
    await database.database.drop_collection("postings")
    log.warning("the search index was brought into its new form", extra={"entries": moved})


async def _move(database: "MongoDatabase", entry: "Document") -> None:
    owner, number, length = entry["owner"], entry["number"], entry["length"]
    terms = [*entry["terms"], *entry["category_terms"]]
    keys = [{"o": owner, "t": term, "e": number} for term in terms]
    found = database["postings"].find({"_id": {"$in": keys}})
    weights = {one["_id"]["t"]: one["w"] async for one in found}
    updates = [
        UpdateOne(
            {"_id": block_id(owner, term, number)},
            {"$set": {f"p.{number}": packed(weights.get(term, 1), length)}},
            upsert=True,
        )
        for term in terms
    ]

    async def work(session: "Session") -> None:
        if updates:
            await database["term_blocks"].bulk_write(updates, ordered=False, session=session)
        await database["entries"].update_one(
            {"_id": entry["_id"], "weights": {"$exists": False}},
            {"$set": {"weights": [weights.get(term, 1) for term in entry["terms"]]}},
            session=session,
        )

    await database.atomic(work)
