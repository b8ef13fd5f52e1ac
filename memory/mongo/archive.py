"""A person's archive in MongoDB, with its own index of search terms."""

from collections.abc import Sequence
from dataclasses import replace

from pymongo import DESCENDING
from pymongo.errors import DuplicateKeyError

from memory.archive_rules import (
    DIGEST_CATEGORIES,
    DIGEST_LABELS,
    LEAST_OVERLAP,
    NEAR_CANDIDATES,
    NEAR_TERMS,
    changed_entry,
    check_category,
    check_query,
    digest_text,
    fingerprint,
    new_entry,
    refuse_stale,
)
from memory.cursors import decode_cursor, encode_cursor
from memory.errors import Conflict, NotFound, Stale
from memory.lexical import matched_words, overlap, query_terms, sample_terms
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.faults import mapped_errors
from memory.mongo.postings import add_postings, next_number, rank_entries, remove_postings
from memory.records import Category, Entry, Found, Near, Page, Source
from memory.times import from_micros, now, to_micros

_NEWEST = [("created_at", DESCENDING), ("number", DESCENDING)]
_WITHOUT_CONTENT = {"content": 0}


class MongoArchive:
    """The Archive protocol on one database of MongoDB."""

    def __init__(self, database: MongoDatabase) -> None:
        self._database = database
        self._entries = database["entries"]

    async def save(
        self, owner: str, *, label: str, category: str, content: str, source: Source | None = None
    ) -> Entry:
        entry = new_entry(owner, label=label, category=category, content=content, source=source)

        async def work(session: Session) -> Entry:
            await self._refuse_duplicate(entry, session)
            number = await next_number(self._database, session)
            document = _document(entry) | {"_id": entry.id, "number": number}
            try:
                await self._entries.insert_one(document, session=session)
            except DuplicateKeyError as error:
                await self._refuse_duplicate(entry, None)
                raise Conflict("This entry has just changed.", code="duplicate") from error
            await add_postings(self._database, entry, number, session)
            return entry

        return await self._database.atomic(work)

    async def _refuse_duplicate(self, entry: Entry, session: Session) -> None:
        where = {"owner": entry.owner, "fingerprint": fingerprint(entry.content)}
        known = await self._entries.find_one(where, {"_id": 1}, session=session)
        if known is not None and known["_id"] != entry.id:
            raise Conflict(
                "This content is in the archive already.",
                code="duplicate",
                details={"id": known["_id"]},
            )

    async def get(self, owner: str, entry_id: str) -> Entry:
        with mapped_errors():
            return _entry_from(await self._owned(owner, entry_id, None))

    async def _owned(self, owner: str, entry_id: str, session: Session) -> Document:
        document = await self._entries.find_one({"_id": entry_id, "owner": owner}, session=session)
        if document is None:
            raise NotFound.of("entry")
        return document

    async def update(
        self,
        owner: str,
        entry_id: str,
        *,
        label: str | None = None,
        category: str | None = None,
        content: str | None = None,
        if_version: int | None = None,
    ) -> Entry:
        async def work(session: Session) -> Entry:
            document = await self._owned(owner, entry_id, session)
            before = _entry_from(document)
            refuse_stale(before, if_version)
            after = changed_entry(before, label=label, category=category, content=content)
            await self._refuse_duplicate(after, session)
            await self._replace(before, after, document["number"], session)
            return after

        return await self._database.atomic(work)

    async def _replace(self, before: Entry, after: Entry, number: int, session: Session) -> None:
        try:
            changed = await self._entries.update_one(
                {"_id": before.id, "version": before.version},
                {"$set": _document(after)},
                session=session,
            )
        except DuplicateKeyError as error:
            await self._refuse_duplicate(after, None)
            raise Stale("The entry has just changed.") from error
        if changed.matched_count == 0:
            raise Stale("The entry has just changed.")
        await remove_postings(self._database, before, number, session)
        await add_postings(self._database, after, number, session)

    async def delete(self, owner: str, entry_id: str) -> None:
        async def work(session: Session) -> None:
            document = await self._owned(owner, entry_id, session)
            entry, number = _entry_from(document), document["number"]
            # The entry last: until it is gone, a deletion cut short can be asked for again.
            await remove_postings(self._database, entry, number, session)
            await self._entries.delete_one({"_id": entry_id, "owner": owner}, session=session)

        await self._database.atomic(work)

    async def page(
        self, owner: str, *, category: str | None = None, limit: int, cursor: str | None = None
    ) -> Page[Entry]:
        where: Document = {"owner": owner}
        if category is not None:
            where["category"] = category
        if cursor is not None:
            moment, number = decode_cursor(cursor, int, int)
            where["$or"] = [
                {"created_at": {"$lt": moment}},
                {"created_at": moment, "number": {"$lt": number}},
            ]
        with mapped_errors():
            newest = self._entries.find(where, _WITHOUT_CONTENT).sort(_NEWEST).limit(limit + 1)
            found = await newest.to_list()
        entries = [_entry_from(document) for document in found[:limit]]
        if len(found) <= limit:
            return Page(entries)
        last = found[limit - 1]
        return Page(entries, encode_cursor(last["created_at"], last["number"]))

    async def search(
        self,
        owner: str,
        query: str,
        *,
        category: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[Found]:
        check_query(query)
        skip = int(decode_cursor(cursor, int)[0]) if cursor is not None else 0
        wanted = query_terms(query)
        with mapped_errors():
            ranking = await rank_entries(self._database, owner, wanted, category=category)
            best = ranking.best()
            shown = best[skip : skip + limit]
            found_in = ranking.found_in(one.entry for one in shown)
            entries = await self._by_number(owner, list(found_in), content=False)
        found = [
            Found(
                entry=entries[one.entry],
                score=round(one.score, 4),
                matched=matched_words(query, found_in[one.entry]),
            )
            for one in shown
            if one.entry in entries
        ]
        return Page(found, encode_cursor(skip + limit) if len(best) > skip + limit else None)

    async def near(self, owner: str, content: str, *, limit: int = 5) -> Sequence[Near]:
        said, same = sample_terms(content), fingerprint(content)
        with mapped_errors():
            wanted = list(said)[:NEAR_TERMS]
            best = (await rank_entries(self._database, owner, wanted)).best()
            entries = await self._by_number(owner, [one.entry for one in best[:NEAR_CANDIDATES]])
            exact = await self._entries.find_one({"owner": owner, "fingerprint": same})
        candidates = {entry.id: entry for entry in entries.values()}
        if exact is not None:
            candidates[exact["_id"]] = _entry_from(exact)
        found = [
            Near(
                entry=entry,
                exact=exact is not None and entry.id == exact["_id"],
                overlap=overlap(said, sample_terms(entry.content)),
            )
            for entry in candidates.values()
        ]
        near = [one for one in found if one.exact or one.overlap >= LEAST_OVERLAP]
        return sorted(near, key=lambda one: (not one.exact, -one.overlap))[:limit]

    async def _by_number(
        self, owner: str, numbers: Sequence[int], *, content: bool = True
    ) -> dict[int, Entry]:
        where = {"owner": owner, "number": {"$in": list(numbers)}}
        found = self._entries.find(where, None if content else _WITHOUT_CONTENT)
        return {document["number"]: _entry_from(document) async for document in found}

    async def categories(self, owner: str) -> Sequence[Category]:
        with mapped_errors():
            grouped = await self._entries.aggregate(
                [
                    {"$match": {"owner": owner}},
                    {"$group": {"_id": "$category", "held": {"$sum": 1}}},
                    {"$sort": {"held": -1, "_id": 1}},
                ]
            )
            return [Category(name=row["_id"], count=row["held"]) async for row in grouped]

    async def rename_category(self, owner: str, name: str, new_name: str) -> int:
        kept = check_category(new_name)

        async def work(session: Session) -> int:
            found = self._entries.find({"owner": owner, "category": name}, session=session)
            documents = await found.to_list()
            if not documents:
                raise NotFound.of("category")
            for document in documents if kept != name else ():
                before = _entry_from(document)
                after = replace(before, category=kept, version=before.version + 1, updated_at=now())
                await self._replace(before, after, document["number"], session)
            return len(documents)

        return await self._database.atomic(work)

    async def digest(self, owner: str, *, max_tokens: int) -> str:
        categories = await self.categories(owner)
        newest = await self.page(owner, limit=DIGEST_LABELS)
        return digest_text(categories[:DIGEST_CATEGORIES], newest.items, max_tokens=max_tokens)


def _document(entry: Entry) -> Document:
    source = entry.source
    return {
        "owner": entry.owner,
        "category": entry.category,
        "label": entry.label,
        "content": entry.content,
        "fingerprint": fingerprint(entry.content),
        "size": entry.size,
        "source": {"room_id": source.room_id, "key": source.key} if source else None,
        "created_at": to_micros(entry.created_at),
        "updated_at": to_micros(entry.updated_at),
        "version": entry.version,
    }


def _entry_from(document: Document) -> Entry:
    source = document["source"]
    return Entry(
        id=document["_id"],
        owner=document["owner"],
        category=document["category"],
        label=document["label"],
        content=document.get("content", ""),
        size=document["size"],
        source=Source(**source) if source else None,
        created_at=from_micros(document["created_at"]),
        updated_at=from_micros(document["updated_at"]),
        version=document["version"],
    )
