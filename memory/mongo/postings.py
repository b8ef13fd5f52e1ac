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
from asyncio import gather
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Self

from pymongo import DESCENDING, ReturnDocument, UpdateOne

from memory.lexical import CATEGORY_WEIGHT, EntryTerms, lone_characters, pair_of
from memory.mongo.database import Document, MongoDatabase, Session
from memory.ranking import (
    FEW,
    MOST_PAIRS,
    MOST_TRIED,
    READ_AT_MOST,
    Posting,
    Ranking,
    Statistics,
)

BLOCK = 128
"""After how many postings of a term its next block begins.

Saves that come together may put a few more into one; those that were removed leave room.
"""

NUMBERS = 2048
"""How many numbers an owner gets at once: else all who save would count in one document."""

MOST_WEIGHT, MOST_LENGTH = (1 << 10) - 1, (1 << 21) - 1
"""Above which one more counts no more: the two stand in 31 bits."""

ONE_REPLY = 10_000
"""More than a search reads at once: MongoDB sends but 101 documents first, unless asked for all."""

MOST_PICKED = 16
"""For how many terms MongoDB picks their weights from entries: for more it sends all of theirs."""

MOST_SENT = 300
"""Of how many terms it sends all: an entry with files may have thousands."""

_BLOCKS_AT_ONCE = READ_AT_MOST // BLOCK + 1
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
    """How many postings each term was given since it is there."""
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


class _Category:
    """A category of an owner; ``numbers`` are all its entries', unless they are very many."""

    def __init__(self, database: MongoDatabase, owner: str, name: str) -> None:
        self._entries = database["entries"]
        self._where: Document = {"owner": owner, "category": name}
        self.numbers: frozenset[int] | None = None

    async def read(self) -> Self:
        found = await self._found({"$match": self._where}, {"$limit": ONE_REPLY})
        self.numbers = frozenset(found) if len(found) < ONE_REPLY else None
        return self

    async def among(self, entries: Collection[int]) -> list[int]:
        """Those of the entries that are of the category."""
        if self.numbers is not None:
            return [one for one in entries if one in self.numbers]
        return await self._found({"$match": self._where | {"number": {"$in": list(entries)}}})

    async def _found(self, *steps: Document) -> list[int]:
        # In one document: thousands of them would take longer to read than to find.
        every = {"$group": {"_id": None, "numbers": {"$push": "$number"}}}
        groups = await (await self._entries.aggregate([*steps, every])).to_list()
        return list(groups[0]["numbers"]) if groups else []


async def rank_entries(
    database: MongoDatabase, owner: str, wanted: Sequence[str], *, category: str | None = None
) -> Ranking:
    """Rank the owner's entries, of a category if one is named, that hold wanted terms."""
    frequencies, statistics, within = await gather(
        _frequencies(database, owner, wanted),
        _statistics(database, owner),
        _category(database, owner, category),
    )
    ranking = Ranking(frequencies, statistics)
    if within and within.numbers is not None and len(within.numbers) <= FEW:
        every = [*ranking.rare, *ranking.common]
        _add(ranking, await _postings_among(database, owner, every, within.numbers))
        return ranking
    if len(ranking.rare) == 1:
        # Alone it may stand in more entries than are read: then in those of the category.
        (term,) = ranking.rare
        ranking.add(term, await _newest_postings(database, owner, term, within))
    else:
        _add(ranking, await _all_postings(database, owner, ranking.rare))
        if within is not None:
            ranking.keep(await within.among(ranking.seen()))
    for _ in range(MOST_TRIED if within is not None else 0):
        if (other := ranking.next_common()) is not None:
            ranking.add(other, await _newest_postings(database, owner, other, within))
    if ranking.common:
        among = ranking.candidates()
        _add(ranking, await _postings_among(database, owner, ranking.common, among))
    return ranking


async def _category(database: MongoDatabase, owner: str, name: str | None) -> _Category | None:
    return None if name is None else await _Category(database, owner, name).read()


def _add(ranking: Ranking, postings: Mapping[str, Sequence[Posting]]) -> None:
    for term, found in postings.items():
        ranking.add(term, found)


async def _statistics(database: MongoDatabase, owner: str) -> Statistics:
    held = await database["archives"].find_one({"_id": owner})
    if held is None or held["entries"] <= 0:
        return Statistics(0, 0.0)
    return Statistics(held["entries"], held["length"] / held["entries"])


async def _frequencies(
    database: MongoDatabase, owner: str, wanted: Sequence[str]
) -> dict[str, int]:
    """In how many entries the wanted terms stand; for lone characters, the pairs with them."""
    ids = [{"o": owner, "t": term} for term in wanted]
    documents = await database["terms"].find({"_id": {"$in": ids}}).to_list()
    for character in lone_characters(wanted):
        pairs = database["terms"].find({"_id.o": owner, "c": character}).sort("n", DESCENDING)
        documents += await pairs.limit(MOST_PAIRS).to_list()
    return {document["_id"]["t"]: document["n"] for document in documents}


async def _all_postings(
    database: MongoDatabase, owner: str, terms: Sequence[str]
) -> Mapping[str, Sequence[Posting]]:
    found: dict[str, list[Posting]] = defaultdict(list)
    if not terms:
        return found
    where: Document = {"$or": [_of_term(owner, term) for term in terms]}
    blocks = database["posting_blocks"].find(where).batch_size(ONE_REPLY)
    for block in await blocks.to_list():
        found[block["_id"]["t"]] += _unpacked(block)
    return found


async def _newest_postings(
    database: MongoDatabase, owner: str, term: str, within: _Category | None
) -> Sequence[Posting]:
    """The newest of a term, of a category if one is named: as many as are read, a few more."""
    found: list[Posting] = []
    newest = database["posting_blocks"].find(_of_term(owner, term)).sort("_id", DESCENDING)
    blocks = newest.batch_size(_BLOCKS_AT_ONCE)
    while len(found) < READ_AT_MOST and (some := await blocks.to_list(_BLOCKS_AT_ONCE)):
        postings = [posting for block in some for posting in _unpacked(block)]
        if within is not None:
            kept = set(await within.among([posting[0] for posting in postings]))
            postings = [posting for posting in postings if posting[0] in kept]
        found += postings
    await blocks.close()
    return found


def _of_term(owner: str, term: str) -> Document:
    low, high = {"o": owner, "t": term, "b": 0}, {"o": owner, "t": term, "b": 2**62}
    return {"_id": {"$gte": low, "$lte": high}}


def _unpacked(block: Document) -> list[Posting]:
    base = MOST_WEIGHT + 1
    return [(int(number), value % base, value // base) for number, value in block["p"].items()]


async def _postings_among(
    database: MongoDatabase, owner: str, terms: Sequence[str], entries: Collection[int]
) -> Mapping[str, Sequence[Posting]]:
    """The terms' postings for these entries, from the entries themselves."""
    held, left = list[Document](), list(entries)
    if len(terms) > MOST_PICKED:
        few: Document = {"$lte": [{"$size": "$terms"}, MOST_SENT]}
        whole = {name: {"$cond": [few, f"${name}", None]} for name in ("terms", "weights")}
        read = await _weights(database, owner, entries, whole)
        held = [entry for entry in read if entry["terms"] is not None]
        left = [entry["number"] for entry in read if entry["terms"] is None]
    if left:
        picked: Document = {"terms": {"$literal": list(terms)}}
        picked["weights"] = list(map(_weight_of, terms))
        held += await _weights(database, owner, left, picked)
    found: dict[str, list[Posting]] = defaultdict(list)
    for entry in held:
        number, length = entry["number"], entry["length"]
        weights = dict(zip(entry["terms"], entry["weights"], strict=True))
        weights |= dict.fromkeys(entry["category_terms"], CATEGORY_WEIGHT)
        for term in terms:
            if weight := weights.get(term):
                found[term].append((number, weight, length))
    return found


async def _weights(
    database: MongoDatabase, owner: str, entries: Collection[int], columns: Document
) -> list[Document]:
    where = {"owner": owner, "number": {"$in": list(entries)}}
    columns = {"_id": 0, "number": 1, "length": 1, "category_terms": 1, **columns}
    return await database["entries"].find(where, columns).batch_size(ONE_REPLY).to_list()


def _weight_of(term: str) -> Document:
    """A term's weight in an entry, picked out there; 0 if the entry does not hold it."""
    place = {"$indexOfArray": ["$terms", {"$literal": term}]}
    weight = {"$arrayElemAt": ["$weights", "$$place"]}
    held = {"$cond": [{"$lt": ["$$place", 0]}, 0, weight]}
    return {"$let": {"vars": {"place": place}, "in": held}}
