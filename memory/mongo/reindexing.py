"""Brings the archive's indexes of an older version into the form of this one."""

import logging
from array import array
from collections import defaultdict
from collections.abc import Sequence

from pymongo import ASCENDING, UpdateOne, timeout
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import BulkWriteError

from memory.lexical import CATEGORY_WEIGHT, pair_of
from memory.mongo.database import Document, MongoDatabase
from memory.mongo.postings import BLOCK, INDEXED, NUMBERS, packed, packed_blocks
from memory.preparing import fingerprint_of

log = logging.getLogger(__name__)

CHANGED_AT_ONCE = 500
WRITTEN_AT_ONCE = 5_000
DUPLICATE_KEY = 11_000

MOST_HELD = 3_000_000
"""How many postings of blocks that are not full are kept in memory, 16 bytes each."""


async def renewed(database: MongoDatabase, version: int) -> None:
    """Bring the index of a schema before this one into this one's form; again does no harm."""
    if version < 2:
        await _take_weights(database)
    if version < 6:
        await _take_fingerprints(database)
        await _take_characters(database)
    if version < 7:
        await _into_blocks(database)


async def _take_fingerprints(database: MongoDatabase) -> None:
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


async def _take_characters(database: MongoDatabase) -> None:
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


async def _where_free(database: MongoDatabase, changes: Sequence[UpdateOne]) -> None:
    """Make those of the changes that no other entry stands in the way of."""
    if not changes:
        return
    try:
        await database["entries"].bulk_write(changes, ordered=False)
    except BulkWriteError as error:
        if any(one["code"] != DUPLICATE_KEY for one in error.details["writeErrors"]):
            raise


async def _take_weights(database: MongoDatabase) -> None:
    """Have each entry keep its terms' weights, which until schema 2 stood in ``postings`` alone."""
    left: Document = {"weights": {"$exists": False}}
    while entry := await database["entries"].find_one(left, {"content": 0}):
        owner, number = entry["owner"], entry["number"]
        keys = [{"o": owner, "t": term, "e": number} for term in entry["terms"]]
        found = database["postings"].find({"_id": {"$in": keys}})
        weights = {one["_id"]["t"]: one["w"] async for one in found}
        taken = {"weights": [weights.get(term, 1) for term in entry["terms"]]}
        await database["entries"].update_one({"_id": entry["_id"]} | left, {"$set": taken})
    last = await database["counters"].find_one({"_id": "entries"})
    first_free = (last["last"] if last else 0) // NUMBERS + 1
    await database["counters"].update_one(
        {"_id": "blocks"}, {"$max": {"last": first_free}}, upsert=True
    )


async def _into_blocks(database: MongoDatabase) -> None:
    """Make the blocks anew from the entries, and have each entry know in which its terms stand.

    From their first each time: what was cut short is done again.
    """
    fresh = database["posting_blocks_made"]
    columns = dict.fromkeys((*INDEXED, "weights"), 1)
    in_order = [("owner", ASCENDING), ("number", ASCENDING)]
    filling = _Filling(database, fresh)
    moved = 0
    with timeout(None):
        await fresh.drop()
        entries = database["entries"].find({}, columns).sort(in_order)
        while some := await entries.to_list(CHANGED_AT_ONCE):
            changes = [
                UpdateOne({"_id": entry["_id"]}, {"$set": {"blocks": filling.add(entry)}})
                for entry in some
            ]
            await filling.write()
            await database["entries"].bulk_write(changes, ordered=False)
            moved += len(changes)
        filling.end_owner()
        await filling.write()
        if moved:
            await fresh.rename("posting_blocks", dropTarget=True)
        for name in ("postings", "blocks", "term_blocks"):
            await database.database.drop_collection(name)
    log.warning("the search index was brought into its new form", extra={"entries": moved})


class _Filling:
    """Blocks as they fill, one owner's entry after another's in the order of their numbers."""

    def __init__(self, database: MongoDatabase, collection: AsyncCollection[Document]) -> None:
        self._terms = database["terms"]
        self._collection = collection
        self._owner = ""
        self._added: dict[str, int] = {}
        self._open: dict[str, array[int]] = defaultdict(lambda: array("q"))
        self._held = 0
        self._full: list[tuple[Document, array[int]]] = []
        self._counts: list[tuple[Document, int]] = []

    def add(self, entry: Document) -> bytes:
        """In which blocks the entry is, as its document keeps it."""
        if entry["owner"] != self._owner:
            self.end_owner()
            self._owner = entry["owner"]
        terms = entry["terms"] + entry["category_terms"]
        weights = entry["weights"] + [CATEGORY_WEIGHT] * len(entry["category_terms"])
        number, length = entry["number"], entry["length"]
        blocks = []
        for term, weight in zip(terms, weights, strict=True):
            added = self._added.get(term, 0)
            self._added[term] = added + 1
            blocks.append(added // BLOCK)
            self._open[term].extend((number, packed(weight, length)))
            if (added + 1) % BLOCK == 0:
                self._end(term)
        self._held += len(terms)
        return packed_blocks(blocks)

    def end_owner(self) -> None:
        """No more of this owner's come."""
        owner = self._owner
        self._counts += [({"o": owner, "t": term}, n) for term, n in self._added.items()]
        self._end_all()
        self._added = {}

    def _end_all(self) -> None:
        for term in list(self._open):
            self._end(term)

    def _end(self, term: str) -> None:
        """Take a block as it is: the term's next posting comes into another."""
        held = self._open.pop(term)
        block = (self._added[term] - 1) // BLOCK
        self._added[term] = (block + 1) * BLOCK
        self._held -= len(held) // 2
        self._full.append(({"o": self._owner, "t": term, "b": block}, held))

    async def write(self) -> None:
        """Write what is full, and all if it is very much."""
        if self._held > MOST_HELD:
            self._end_all()
        for at in range(0, len(self._full), WRITTEN_AT_ONCE):
            some = self._full[at : at + WRITTEN_AT_ONCE]
            await self._collection.insert_many(
                [
                    {"_id": key, "p": dict(zip(map(str, held[::2]), held[1::2], strict=True))}
                    for key, held in some
                ],
                ordered=False,
            )
        for at in range(0, len(self._counts), WRITTEN_AT_ONCE):
            counts = self._counts[at : at + WRITTEN_AT_ONCE]
            await self._terms.bulk_write(
                [UpdateOne({"_id": key}, {"$set": {"a": added}}) for key, added in counts],
                ordered=False,
            )
        self._full, self._counts = [], []
