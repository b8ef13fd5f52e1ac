"""The index of search terms in MongoDB: which entry of which owner holds a term, how much."""

import re
from asyncio import gather
from collections.abc import Mapping, Sequence

from pymongo import ReturnDocument, UpdateOne

from memory.lexical import EntryTerms, lone_characters
from memory.mongo.database import Document, MongoDatabase, Session
from memory.ranking import (
    FEW,
    MOST_PAIRS,
    READ_AT_MOST,
    Posting,
    Ranking,
    Statistics,
)


async def next_number(database: MongoDatabase) -> int:
    """A number for a new entry; postings name entries by it, since it is short.

    Outside of any transaction: all who save would wait for one another here.
    """
    counter = await database["counters"].find_one_and_update(
        {"_id": "entries"},
        {"$inc": {"last": 1}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    return int((counter or {"last": 0})["last"])


def indexed_by(made: EntryTerms) -> Document:
    """What an entry's document keeps of its terms: by these it is taken out of the index.

    They are not made again from its content: another version of Tomato may have made them.
    """
    return {
        "terms": list(made.weights),
        "category_terms": list(made.category),
        "length": made.length,
    }


async def add_postings(
    database: MongoDatabase, owner: str, number: int, made: EntryTerms, session: Session
) -> None:
    """Index an entry under its number."""
    documents = posting_documents(owner, number, made)
    if documents:
        await database["postings"].insert_many(documents, ordered=False, session=session)
    await _count_terms(database, owner, dict.fromkeys(made.all(), 1), session)
    await _count_entries(database, owner, 1, made.length, session)


def posting_documents(owner: str, number: int, made: EntryTerms) -> list[Document]:
    """What the index holds of one entry: a document for each of its terms."""
    return [
        {"_id": {"o": owner, "t": term, "e": number}, "w": weight, "l": made.length}
        for term, weight in made.all().items()
    ]


async def remove_postings(database: MongoDatabase, entry: Document, session: Session) -> None:
    """Take an entry, as its document is, out of the index; terms that nothing holds go too."""
    owner, number = entry["owner"], entry["number"]
    terms = [*entry["terms"], *entry["category_terms"]]
    keys = [{"o": owner, "t": term, "e": number} for term in terms]
    await database["postings"].delete_many({"_id": {"$in": keys}}, session=session)
    await _count_terms(database, owner, dict.fromkeys(terms, -1), session)
    await _count_entries(database, owner, -1, -entry["length"], session)


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
    keys = [{"o": owner, "t": term, "e": one["number"]} for term in gone for one in entries]
    await database["postings"].delete_many({"_id": {"$in": keys}}, session=session)
    documents: list[Document] = [
        {"_id": {"o": owner, "t": term, "e": one["number"]}, "w": new[term], "l": one["length"]}
        for term in come
        for one in entries
    ]
    if documents:
        await database["postings"].insert_many(documents, ordered=False, session=session)
    held = len(entries)
    changes = dict.fromkeys(come, held) | dict.fromkeys(gone, -held)
    await _count_terms(database, owner, changes, session)


async def _count_terms(
    database: MongoDatabase, owner: str, changes: Mapping[str, int], session: Session
) -> None:
    updates = [
        UpdateOne({"_id": {"o": owner, "t": term}}, {"$inc": {"n": by}}, upsert=True)
        for term, by in changes.items()
    ]
    if updates:
        await database["terms"].bulk_write(updates, ordered=False, session=session)
    if fewer := [{"o": owner, "t": term} for term, by in changes.items() if by < 0]:
        gone = {"_id": {"$in": fewer}, "n": {"$lte": 0}}
        await database["terms"].delete_many(gone, session=session)


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
    _add(ranking, await _postings(database, owner, ranking.rare, few))
    if category is not None and few is None:
        ranking.keep(await _within(database, owner, category, ranking.seen()))
    if ranking.common:
        among = ranking.candidates() if few is None else few
        _add(ranking, await _postings(database, owner, ranking.common, among))
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
        low, high = {"o": owner, "t": ""}, {"o": owner, "t": "\U0010ffff"}
        where = {"_id": {"$gte": low, "$lte": high}, "_id.t": {"$regex": re.escape(character)}}
        documents += await database["terms"].find(where).sort("n", -1).limit(MOST_PAIRS).to_list()
    return {document["_id"]["t"]: document["n"] for document in documents}


async def _few(database: MongoDatabase, owner: str, category: str) -> list[int] | None:
    """The entries of a category if they are so few that looking up each is the shorter way."""
    where = {"owner": owner, "category": category}
    found = await database["entries"].find(where, {"number": 1}).limit(FEW + 1).to_list()
    return [document["number"] for document in found] if len(found) <= FEW else None


async def _within(
    database: MongoDatabase, owner: str, category: str, entries: Sequence[int]
) -> list[int]:
    where = {"owner": owner, "category": category, "number": {"$in": list(entries)}}
    return [one["number"] async for one in database["entries"].find(where, {"number": 1})]


async def _postings(
    database: MongoDatabase, owner: str, terms: Sequence[str], only: Sequence[int] | None
) -> dict[str, Sequence[Posting]]:
    """The terms' postings, of these entries only or of each term the newest."""
    if only is not None:
        keys = [{"o": owner, "t": term, "e": entry} for term in terms for entry in only]
        steps: list[Document] = [{"$match": {"_id": {"$in": keys}}}]
    elif len(terms) == 1:  # it alone may have more than are read
        steps = [{"$match": _of_term(owner, terms[0])}, {"$sort": {"_id": -1}}]
        steps.append({"$limit": READ_AT_MOST})
    else:
        steps = [{"$match": {"$or": [_of_term(owner, term) for term in terms]}}]
    # Thousands of postings come as three lists a term: as a document each they take twice the time.
    columns: Document = {"_id": "$_id.t", "entries": {"$push": "$_id.e"}}
    columns |= {"weights": {"$push": "$w"}, "lengths": {"$push": "$l"}}
    if not terms:
        return {}
    found = await (await database["postings"].aggregate([*steps, {"$group": columns}])).to_list()
    return {
        one["_id"]: list(zip(one["entries"], one["weights"], one["lengths"], strict=True))
        for one in found
    }


def _of_term(owner: str, term: str) -> Document:
    low, high = {"o": owner, "t": term, "e": 0}, {"o": owner, "t": term, "e": 2**62}
    return {"_id": {"$gte": low, "$lte": high}}
