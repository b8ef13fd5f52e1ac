"""The index of search terms in MongoDB: which entry of which owner holds a term, how much.

``posting_blocks`` has a document for each BLOCK postings of an owner's term; its field ``p`` maps
the number of an entry to the entry's length and the term's weight in it, as one integer. So a
search reads some dozen documents for thousands of postings, and a save sets one field in each
block. ``terms`` tells of a term in how many entries it stands (``n``) and how many postings it was
ever given (``a``), so in which block the next belongs. An entry's own document has its terms with
their weights and blocks: by these it is taken out of the index, and looked at where few entries are
looked at for many terms.
"""

import struct
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence

from pymongo import ReturnDocument, UpdateOne

from memory.lexical import EntryTerms, pair_of
from memory.mongo.database import Document, MongoDatabase, Session
from memory.ranking import Posting

BLOCK = 128
"""After how many postings of a term its next block begins.

Saves that come together may put a few more into one; those that were removed leave room.
"""

NUMBERS = 2048
"""How many entry numbers an owner reserves at a time.

Otherwise every save, of all owners, would increment one document.
"""

MOST_WEIGHT, MOST_LENGTH = (1 << 10) - 1, (1 << 21) - 1
"""Caps of a weight and a length: packed together they fit into 31 bits."""

ONE_REPLY = 10_000
"""A batch larger than any one search reads.

MongoDB's first batch has only 101 documents unless a size is given.
"""

INDEXED = dict.fromkeys(("owner", "number", "terms", "category_terms", "blocks", "length"), 1)
"""What of an entry's document the index looks at to change it."""

Blocks = Mapping[str, int]
"""In which block of each of its terms an entry's posting stands."""

Place = tuple[str, int]
"""A term and a block of it."""

Fields = Mapping[Place, Document]
"""Which fields of blocks are set, or go."""


async def next_number(database: MongoDatabase, owner: str) -> int:
    """A number for a new entry, of nobody else's and mostly the owner's next.

    Outside of any transaction: all who save would wait for one another here.
    """
    theirs = {"_id": {"numbers_of": owner}, "$expr": {"$lt": ["$next", "$end"]}}
    one_more: Document = {"$inc": {"next": 1}}
    given = await database["counters"].find_one_and_update(theirs, one_more)
    while given is None:
        blocks = await database["counters"].find_one_and_update(
            {"_id": "blocks"},
            {"$inc": {"last": 1}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        first = blocks["last"] * NUMBERS if blocks else 0
        fresh = {"next": first, "end": first + NUMBERS}
        await database["counters"].update_one(
            {"_id": {"numbers_of": owner}}, {"$set": fresh}, upsert=True
        )
        given = await database["counters"].find_one_and_update(theirs, one_more)
    return int(given["next"])


async def blocks_for(
    database: MongoDatabase,
    owner: str,
    terms: Collection[str],
    session: Session,
    *,
    held: Blocks | None = None,
) -> Blocks:
    """The blocks for an entry of these terms; those that it is ``held`` by stay where they are."""
    stay = held or {}
    added = await added_to(database, owner, [term for term in terms if term not in stay], session)
    return {term: stay[term] if term in stay else added[term] // BLOCK for term in terms}


async def added_to(
    database: MongoDatabase, owner: str, terms: Sequence[str], session: Session
) -> dict[str, int]:
    """How many postings each term has ever been given; 0 for a new term."""
    ids = [{"o": owner, "t": term} for term in terms]
    found = database["terms"].find({"_id": {"$in": ids}}, {"a": 1}, session=session)
    terms_found = await found.batch_size(ONE_REPLY).to_list()
    counts = {one["_id"]["t"]: one.get("a", 0) for one in terms_found}
    return {term: counts.get(term, 0) for term in terms}


def indexed_by(made: EntryTerms, blocks: Blocks) -> Document:
    """What an entry's document keeps of its terms.

    They are not made again from its content: another version of Tomato may have made them.
    """
    return {
        "terms": list(made.weights),
        "weights": list(made.weights.values()),
        "category_terms": list(made.category),
        "blocks": packed_blocks([blocks[term] for term in (*made.weights, *made.category)]),
        "length": made.length,
    }


def packed_blocks(blocks: Sequence[int]) -> bytes:
    """The blocks of an entry's terms, then its category's: half of what an array takes."""
    return struct.pack(f"<{len(blocks)}I", *blocks)


def blocks_of(entry: Document) -> dict[str, int]:
    """In which blocks an entry, as its document is, stands.

    In none, if an older version that still ran beside this one has saved it.
    """
    kept = entry.get("blocks", b"")
    blocks = struct.unpack(f"<{len(kept) // 4}I", kept)
    return dict(zip([*entry["terms"], *entry["category_terms"]], blocks, strict=False))


def packed(weight: int, length: int) -> int:
    """A posting without its number."""
    return min(length, MOST_LENGTH) * (MOST_WEIGHT + 1) + min(weight, MOST_WEIGHT)


def unpacked(block: Document) -> list[Posting]:
    """The postings of a block."""
    base = MOST_WEIGHT + 1
    return [(int(number), value % base, value // base) for number, value in block["p"].items()]


async def add_postings(
    database: MongoDatabase,
    owner: str,
    number: int,
    made: EntryTerms,
    blocks: Blocks,
    session: Session,
) -> None:
    """Index an entry under its number."""
    weights = made.all()
    await _set(database, owner, _postings(number, weights, made.length, blocks), session)
    await _count_terms(database, owner, dict.fromkeys(weights, 1), session)
    await _count_entries(database, owner, 1, made.length, session)


async def change_postings(
    database: MongoDatabase,
    before: Document,
    made: EntryTerms,
    blocks: Blocks,
    touched: Collection[str],
    session: Session,
) -> None:
    """Index an entry, as its document was, by what it holds now.

    Its terms but the ``touched`` ones weigh what they did, and are written again only if its length
    is another.
    """
    owner, number, old, new = before["owner"], before["number"], blocks_of(before), made.all()
    longer = made.length - before["length"]
    gone = {(term, block): {f"p.{number}": ""} for term, block in old.items() if term not in new}
    come = new.keys() - old.keys()
    written = {term: new[term] for term in new if longer or term in touched or term in come}
    await _unset(database, owner, gone, session)
    await _set(database, owner, _postings(number, written, made.length, blocks), session)
    changes = dict.fromkeys(come, 1) | dict.fromkeys(old.keys() - new.keys(), -1)
    await _count_terms(database, owner, changes, session)
    if longer:
        await _count_entries(database, owner, 0, longer, session)


async def remove_postings(database: MongoDatabase, entry: Document, session: Session) -> None:
    """Take an entry, as its document is, out of the index; terms that nothing holds go too."""
    owner, blocks = entry["owner"], blocks_of(entry)
    gone = {place: {f"p.{entry['number']}": ""} for place in blocks.items()}
    await _unset(database, owner, gone, session)
    await _count_terms(database, owner, dict.fromkeys(blocks, -1), session)
    await _count_entries(database, owner, -1, -entry["length"], session)
    empty = {"_id": owner, "entries": {"$lte": 0}}
    if (await database["archives"].delete_one(empty, session=session)).deleted_count:
        await database["counters"].delete_one({"_id": {"numbers_of": owner}}, session=session)


async def move_postings(
    database: MongoDatabase,
    entries: Sequence[Document],
    category: Mapping[str, int],
    session: Session,
) -> list[Document]:
    """Index an owner's entries under another category's terms; what changes in their documents."""
    owner = entries[0]["owner"]
    added = await added_to(database, owner, list(category), session)
    gone, come = defaultdict[Place, Document](dict), defaultdict[Place, Document](dict)
    changes, changed = Counter[str](), list[Document]()
    for entry in entries:
        field, blocks = f"p.{entry['number']}", blocks_of(entry)
        if "blocks" not in entry:
            changed.append({"category_terms": list(category)})
            continue
        old = entry["category_terms"]
        for term in old:
            if term not in category:
                gone[term, blocks[term]][field] = ""
                changes[term] -= 1
        for term, weight in category.items():
            if term not in old:
                blocks[term] = (added[term] + changes[term]) // BLOCK
                come[term, blocks[term]][field] = packed(weight, entry["length"])
                changes[term] += 1
        kept = packed_blocks([blocks[term] for term in (*entry["terms"], *category)])
        changed.append({"category_terms": list(category), "blocks": kept})
    await _unset(database, owner, gone, session)
    await _set(database, owner, come, session)
    await _count_terms(database, owner, changes, session)
    return changed


def _postings(number: int, weights: Mapping[str, int], length: int, blocks: Blocks) -> Fields:
    return {
        (term, blocks[term]): {f"p.{number}": packed(weight, length)}
        for term, weight in weights.items()
    }


async def _set(database: MongoDatabase, owner: str, fields: Fields, session: Session) -> None:
    updates = [
        UpdateOne({"_id": {"o": owner, "t": term, "b": block}}, {"$set": values}, upsert=True)
        for (term, block), values in fields.items()
    ]
    if updates:
        await database["posting_blocks"].bulk_write(updates, ordered=False, session=session)


async def _unset(database: MongoDatabase, owner: str, fields: Fields, session: Session) -> None:
    """Drop postings, and the blocks that are empty then."""
    found = [
        ({"o": owner, "t": term, "b": block}, names) for (term, block), names in fields.items()
    ]
    if not found:
        return
    updates = [UpdateOne({"_id": key}, {"$unset": names}) for key, names in found]
    await database["posting_blocks"].bulk_write(updates, ordered=False, session=session)
    empty: Document = {"_id": {"$in": [key for key, _ in found]}, "p": {}}
    await database["posting_blocks"].delete_many(empty, session=session)


async def _count_terms(
    database: MongoDatabase, owner: str, changes: Mapping[str, int], session: Session
) -> None:
    updates = [counted(owner, term, by) for term, by in changes.items()]
    if updates:
        await database["terms"].bulk_write(updates, ordered=False, session=session)
    if fewer := [{"o": owner, "t": term} for term, by in changes.items() if by < 0]:
        gone = {"_id": {"$in": fewer}, "n": {"$lte": 0}}
        await database["terms"].delete_many(gone, session=session)


def counted(owner: str, term: str, by: int) -> UpdateOne:
    """Count a term in so many more entries; a pair of characters is found by each of them."""
    change: Document = {"$inc": {"n": by, "a": max(by, 0)}}
    if pair := pair_of(term):
        change["$setOnInsert"] = {"c": list(pair)}
    return UpdateOne({"_id": {"o": owner, "t": term}}, change, upsert=True)


async def _count_entries(
    database: MongoDatabase, owner: str, entries: int, length: int, session: Session
) -> None:
    await database["archives"].update_one(
        {"_id": owner},
        {"$inc": {"entries": entries, "length": length}},
        upsert=True,
        session=session,
    )
