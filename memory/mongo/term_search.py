"""Searches the index of terms in MongoDB: ranks an owner's entries by the postings it reads."""

from asyncio import gather
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Self

from pymongo import DESCENDING

from memory.lexical import CATEGORY_WEIGHT, lone_characters
from memory.mongo.database import Document, MongoDatabase
from memory.mongo.postings import BLOCK, ONE_REPLY, unpacked
from memory.ranking import (
    FEW,
    MOST_PAIRS,
    MOST_TRIED,
    READ_AT_MOST,
    Posting,
    Ranking,
    Statistics,
)

MOST_PICKED = 16
"""For how many terms MongoDB picks their weights from entries: for more it sends all of theirs."""

MOST_SENT = 300
"""Up to how many terms an entry may have for all of them to be sent.

One with files may have thousands.
"""

_BLOCKS_AT_ONCE = READ_AT_MOST // BLOCK + 1


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
            return [number for number in entries if number in self.numbers]
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
        found[block["_id"]["t"]] += unpacked(block)
    return found


async def _newest_postings(
    database: MongoDatabase, owner: str, term: str, within: _Category | None
) -> Sequence[Posting]:
    """The newest of a term, of a category if one is named: as many as are read, a few more."""
    found: list[Posting] = []
    newest = database["posting_blocks"].find(_of_term(owner, term)).sort("_id", DESCENDING)
    blocks = newest.batch_size(_BLOCKS_AT_ONCE)
    while len(found) < READ_AT_MOST and (some := await blocks.to_list(_BLOCKS_AT_ONCE)):
        postings = [posting for block in some for posting in unpacked(block)]
        if within is not None:
            kept = set(await within.among([posting[0] for posting in postings]))
            postings = [posting for posting in postings if posting[0] in kept]
        found += postings
    await blocks.close()
    return found


def _of_term(owner: str, term: str) -> Document:
    low, high = {"o": owner, "t": term, "b": 0}, {"o": owner, "t": term, "b": 2**62}
    return {"_id": {"$gte": low, "$lte": high}}


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
