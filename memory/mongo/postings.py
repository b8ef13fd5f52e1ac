"""The index of search terms in MongoDB: which entry of which owner holds a term, how much.

``term_blocks`` has a document per owner, term and run of SPAN entry numbers; its field ``p`` maps
the number of an entry to the entry's length and the term's weight in it, as one integer. So a
search reads some dozen documents for thousands of postings, and a save sets one field in each
block. An entry's own document has its terms with their weights too: by these it is taken out of
the index, and looked at where few entries are looked at for many terms.
"""

from asyncio import gather
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

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

SPAN = 2048
"""How many numbers a block is for: more make searches faster and saves slower.

Owners get their numbers by whole blocks.
"""

MOST_WEIGHT, MOST_LENGTH = (1 << 10) - 1, (1 << 21) - 1
"""Above which one more counts no more: the two stand in 31 bits."""

ONE_REPLY = 10_000
"""More than a search reads at once: MongoDB sends but 101 documents first, unless asked for all."""

_BLOCKS_AT_ONCE = 8
_NUMBER = {"_id": 0, "number": 1}  # all of it stands in an index


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
        first = blocks["last"] * SPAN if blocks else 0
        fresh = {"next": first, "end": first + SPAN}
        await database["counters"].update_one(
            {"_id": {"numbers_of": owner}}, {"$set": fresh}, upsert=True
        )
        given = await database["counters"].find_one_and_update(theirs, one_more)
    return int(given["next"])


def indexed_by(made: EntryTerms) -> Document:
    """What an entry's document keeps of its terms.

    They are not made again from its content: another version of Tomato may have made them.
    """
    return {
        "terms": list(made.weights),
        "weights": list(made.weights.values()),
        "category_terms": list(made.category),
        "length": made.length,
    }


def block_id(owner: str, term: str, number: int) -> Document:
    """Where the posting of an entry stands."""
    return {"o": owner, "t": term, "b": number // SPAN}


def packed(weight: int, length: int) -> int:
    """A posting without its number."""
    return min(length, MOST_LENGTH) * (MOST_WEIGHT + 1) + min(weight, MOST_WEIGHT)


async def add_postings(
    database: MongoDatabase, owner: str, number: int, made: EntryTerms, session: Session
) -> None:
    """Index an entry under its number."""
    updates = [
        UpdateOne(
            {"_id": block_id(owner, term, number)},
            {"$set": {f"p.{number}": packed(weight, made.length)}},
            upsert=True,
        )
        for term, weight in made.all().items()
    ]
    if updates:
        await database["term_blocks"].bulk_write(updates, ordered=False, session=session)
    await _count_terms(database, owner, dict.fromkeys(made.all(), 1), session)
    await _count_entries(database, owner, 1, made.length, session)


async def remove_postings(database: MongoDatabase, entry: Document, session: Session) -> None:
    """Take an entry, as its document is, out of the index; terms that nothing holds go too."""
    owner, number = entry["owner"], entry["number"]
    terms = [*entry["terms"], *entry["category_terms"]]
    await _unset(database, owner, terms, [number], session)
    await _count_terms(database, owner, dict.fromkeys(terms, -1), session)
    await _count_entries(database, owner, -1, -entry["length"], session)
    empty = {"_id": owner, "entries": {"$lte": 0}}
    if (await database["archives"].delete_one(empty, session=session)).deleted_count:
        await database["counters"].delete_one({"_id": {"numbers_of": owner}}, session=session)


async def move_postings(
    database: MongoDatabase,
    owner: str,
    entries: Sequence[Document],
    old: Mapping[str, int],
    new: Mapping[str, int],
    session: Session,
) -> None:
    """Index entries, each with ``number`` and ``length``, under another category's terms."""
    gone, come = old.keys() - new.keys(), new.keys() - old.keys()
    await _unset(database, owner, gone, [one["number"] for one in entries], session)
    fields: dict[int, Document] = defaultdict(dict)
    for one in entries:
        fields[one["number"] // SPAN][f"p.{one['number']}"] = one["length"]
    updates = [
        UpdateOne(
            {"_id": {"o": owner, "t": term, "b": block}},
            {"$set": {name: packed(new[term], length) for name, length in lengths.items()}},
            upsert=True,
        )
        for term in come
        for block, lengths in fields.items()
    ]
    if updates:
        await database["term_blocks"].bulk_write(updates, ordered=False, session=session)
    held = len(entries)
    changes = dict.fromkeys(come, held) | dict.fromkeys(gone, -held)
    await _count_terms(database, owner, changes, session)


async def _unset(
    database: MongoDatabase,
    owner: str,
    terms: Iterable[str],
    numbers: Iterable[int],
    session: Session,
) -> None:
    """Drop postings, and the blocks that are empty then."""
    fields: dict[int, Document] = defaultdict(dict)
    for number in numbers:
        fields[number // SPAN][f"p.{number}"] = ""
    found = [
        ({"o": owner, "t": term, "b": block}, names)
        for term in terms
        for block, names in fields.items()
    ]
    if not found:
        return
    updates = [UpdateOne({"_id": key}, {"$unset": names}) for key, names in found]
    await database["term_blocks"].bulk_write(updates, ordered=False, session=session)
    empty: Document = {"_id": {"$in": [key for key, _ in found]}, "p": {}}
    await database["term_blocks"].delete_many(empty, session=session)


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
    change: Document = {"$inc": {"n": by}}
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


async def rank_entries(
    database: MongoDatabase, owner: str, wanted: Sequence[str], *, category: str | None = None
) -> Ranking:
    """Rank the owner's entries, of a category if one is named, that hold wanted terms."""
    ranking = Ranking(
        *await gather(_frequencies(database, owner, wanted), _statistics(database, owner))
    )
    few = None if category is None else await _few(database, owner, category)
    if few is not None:
        every = [*ranking.rare, *ranking.common]
        _add(ranking, await _postings_among(database, owner, every, few))
        return ranking
    if len(ranking.rare) == 1:
        # Alone it may stand in more entries than are read: then in those of the category.
        (term,) = ranking.rare
        ranking.add(term, await _newest_postings(database, owner, term, category))
    else:
        _add(ranking, await _all_postings(database, owner, ranking.rare))
        if category is not None:
            ranking.keep(await _within(database, owner, category, ranking.seen()))
    for _ in range(MOST_TRIED if category is not None else 0):
        if (other := ranking.next_common()) is not None:
            ranking.add(other, await _newest_postings(database, owner, other, category))
    if ranking.common:
        among = ranking.candidates()
        _add(ranking, await _postings_among(database, owner, ranking.common, among))
    return ranking


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


async def _few(database: MongoDatabase, owner: str, category: str) -> list[int] | None:
    """The entries of a category if they are so few that looking up each is the shorter way."""
    where = {"owner": owner, "category": category}
    numbers = database["entries"].find(where, _NUMBER).limit(FEW + 1).batch_size(ONE_REPLY)
    found = await numbers.to_list()
    return [document["number"] for document in found] if len(found) <= FEW else None


async def _within(
    database: MongoDatabase, owner: str, category: str, entries: Sequence[int]
) -> list[int]:
    return await _numbers(database, owner, category, {"$in": list(entries)})


async def _numbers(
    database: MongoDatabase, owner: str, category: str, number: Document
) -> list[int]:
    where = {"owner": owner, "category": category, "number": number}
    found = database["entries"].find(where, _NUMBER).batch_size(ONE_REPLY)
    return [one["number"] async for one in found]


async def _all_postings(
    database: MongoDatabase, owner: str, terms: Sequence[str]
) -> Mapping[str, Sequence[Posting]]:
    found: dict[str, list[Posting]] = defaultdict(list)
    if not terms:
        return found
    where: Document = {"$or": [_of_term(owner, term) for term in terms]}
    async for block in database["term_blocks"].find(where).batch_size(ONE_REPLY):
        found[block["_id"]["t"]] += _unpacked(block)
    return found


async def _newest_postings(
    database: MongoDatabase, owner: str, term: str, category: str | None
) -> Sequence[Posting]:
    """The newest of a term, of a category if one is named: as many as are read, a few more."""
    found: list[Posting] = []
    newest = database["term_blocks"].find(_of_term(owner, term)).sort("_id", DESCENDING)
    blocks = newest.batch_size(_BLOCKS_AT_ONCE)
    while len(found) < READ_AT_MOST and (some := await blocks.to_list(_BLOCKS_AT_ONCE)):
        postings = [posting for block in some for posting in _unpacked(block)]
        if postings and category is not None:
            first, last = min(postings)[0], max(postings)[0]
            between = {"$gte": first, "$lte": last}
            kept = set(await _numbers(database, owner, category, between))
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
    database: MongoDatabase, owner: str, terms: Sequence[str], entries: Sequence[int]
) -> Mapping[str, Sequence[Posting]]:
    """The terms' postings for these entries, from the entries themselves."""
    where = {"owner": owner, "number": {"$in": list(entries)}}
    columns: Document = {"_id": 0, "number": 1, "length": 1, "category_terms": 1}
    columns["weights"] = [_weight_of(term) for term in terms]
    found: dict[str, list[Posting]] = defaultdict(list)
    async for entry in database["entries"].find(where, columns).batch_size(ONE_REPLY):
        number, length = entry["number"], entry["length"]
        of_category = set(entry["category_terms"])
        for term, weight in zip(terms, entry["weights"], strict=True):
            held = weight or (CATEGORY_WEIGHT if term in of_category else 0)
            if held:
                found[term].append((number, held, length))
    return found


def _weight_of(term: str) -> Document:
    """A term's weight in an entry, picked out there: one with files may have ten thousand terms."""
    place = {"$indexOfArray": ["$terms", {"$literal": term}]}
    weight = {"$arrayElemAt": ["$weights", "$$place"]}
    held = {"$cond": [{"$lt": ["$$place", 0]}, 0, weight]}
    return {"$let": {"vars": {"place": place}, "in": held}}
