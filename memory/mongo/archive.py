"""A person's archive in MongoDB, with its own index of search terms."""

from asyncio import gather
from collections.abc import Sequence
from dataclasses import replace

from pymongo import ASCENDING, DESCENDING, UpdateOne

from memory.archive_rules import (
    DIGEST_CATEGORIES,
    DIGEST_LABELS,
    NEAR_CANDIDATES,
    NEAR_TERMS,
    changed_entry,
    check_category,
    check_query,
    digest_text,
    nearest,
    nearness,
    new_entry,
    refuse_stale,
)
from memory.contents import Contents, placed, whole
from memory.cursors import decode_cursor, encode_cursor
from memory.errors import NotFound
from memory.file_terms import with_files
from memory.lexical import category_terms, matched_words, query_terms, sample_terms
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.entries import (
    WITHOUT_CONTENT,
    entries_by_number,
    entry_from,
    insert_entry,
    owned_entry,
    refuse_duplicate,
    remove_entry,
    replace_entry,
)
from memory.mongo.entry_files import terms_of_files
from memory.mongo.faults import mapped_errors
from memory.mongo.postings import (
    INDEXED,
    blocks_for,
    move_postings,
    next_number,
)
from memory.mongo.term_search import rank_entries
from memory.preparing import fingerprint_of, prepare
from memory.records import Category, Entry, Found, Near, Page, Source
from memory.retrying import retried
from memory.times import now, to_micros

_NEWEST = [("created_at", DESCENDING), ("number", DESCENDING)]
_OLDEST = [("created_at", ASCENDING), ("number", ASCENDING)]

MOVED_AT_ONCE = 500
"""How many entries of a renamed category move in one transaction."""


class MongoArchive:
    """The Archive protocol on one database of MongoDB.

    Large contents stand in ``contents``, if given.
    """

    def __init__(self, database: MongoDatabase, contents: Contents | None = None) -> None:
        self._database = database
        self._contents = contents
        self._entries = database["entries"]

    async def save(
        self, owner: str, *, label: str, category: str, content: str, source: Source | None = None
    ) -> Entry:
        return await self.add(
            new_entry(owner, label=label, category=category, content=content, source=source)
        )

    async def add(self, entry: Entry) -> Entry:
        made = await prepare(entry)
        owner = entry.owner

        async def work(session: Session) -> Entry:
            await insert_entry(self._database, entry, number, made, blocks, place, session)
            return replace(entry, files=())

        with mapped_errors():
            # At once, and before all that others would wait for.
            _, number, blocks = await gather(
                refuse_duplicate(self._database, entry, made, None),
                next_number(self._database, owner),
                blocks_for(self._database, owner, made.terms.all(), None),
            )
        async with placed(self._contents, owner, entry.content) as place:
            return await self._database.atomic(work)

    async def get(self, owner: str, entry_id: str) -> Entry:
        for last in (False, True):
            with mapped_errors():
                document = await owned_entry(self._database, owner, entry_id, None)
            blob = document.get("content_blob")
            if blob is None:
                break
            content = await whole(self._contents, owner, blob, last=last)
            if content is not None:
                return replace(entry_from(document), content=content)
        return entry_from(document)

    @retried
    async def update(
        self,
        owner: str,
        entry_id: str,
        *,
        label: str | None = None,
        category: str | None = None,
        content: str | None = None,
        if_version: int | None = None,
    ) -> Entry | None:
        before = await self.get(owner, entry_id)
        refuse_stale(before, if_version)
        after = changed_entry(before, label=label, category=category, content=content)
        made = await prepare(after)

        async def work(session: Session) -> Entry | None:
            document = await owned_entry(self._database, owner, entry_id, session)
            if document["version"] != before.version:
                return None
            await refuse_duplicate(self._database, after, made, session)
            of_files = await terms_of_files(self._database, entry_id, session)
            found_by = replace(made, terms=with_files(made.terms, of_files))
            await replace_entry(self._database, document, after, found_by, place, session)
            return after

        place = None
        if after.content != before.content:
            async with placed(self._contents, owner, after.content) as place:
                return await self._database.atomic(work)
        return await self._database.atomic(work)

    async def delete(self, owner: str, entry_id: str) -> None:
        async def work(session: Session) -> None:
            document = await owned_entry(self._database, owner, entry_id, session)
            await remove_entry(self._database, document, session)

        await self._database.atomic(work)

    async def page(
        self,
        owner: str,
        *,
        category: str | None = None,
        limit: int,
        cursor: str | None = None,
        oldest_first: bool = False,
    ) -> Page[Entry]:
        where: Document = {"owner": owner}
        if category is not None:
            where["category"] = category
        if cursor is not None:
            moment, number = decode_cursor(cursor, int, int)
            beyond = "$gt" if oldest_first else "$lt"
            where["$or"] = [
                {"created_at": {beyond: moment}},
                {"created_at": moment, "number": {beyond: number}},
            ]
        with mapped_errors():
            matching = self._entries.find(where, WITHOUT_CONTENT)
            ordered = matching.sort(_OLDEST if oldest_first else _NEWEST)
            found = await ordered.limit(limit + 1).to_list()
        entries = [entry_from(document) for document in found[:limit]]
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
            entries = await entries_by_number(self._database, owner, list(found_in))
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
        said, same = sample_terms(content), await fingerprint_of(content)
        with mapped_errors():
            wanted = list(said)[:NEAR_TERMS]
            best = (await rank_entries(self._database, owner, wanted)).best()
            numbers = [one.entry for one in best[:NEAR_CANDIDATES]]
            where: Document = {"$or": [{"number": {"$in": numbers}}, {"fingerprint": same}]}
            documents = await self._entries.find(where | {"owner": owner}).to_list()
        found = [
            nearness(entry_from(one), one["content"], said, exact=one["fingerprint"] == same)
            for one in documents
        ]
        return nearest(found, limit)

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
        with mapped_errors():
            held = await self._entries.count_documents({"owner": owner, "category": name})
        if not held:
            raise NotFound.of("category")
        moved = 0
        while kept != name and (part := await self._move_some(owner, name, kept)):
            moved += part
        return moved or held

    async def _move_some(self, owner: str, name: str, new_name: str) -> int:
        """Move some entries to another category; how many: a whole one may outlast a transaction.

        What a crash leaves is two categories, each whole, and a rename that can be asked for again.
        """
        terms_of_new = category_terms(new_name)

        async def work(session: Session) -> int:
            where = {"owner": owner, "category": name}
            found = self._entries.find(where, INDEXED, session=session).limit(MOVED_AT_ONCE)
            documents = await found.to_list()
            if not documents:
                return 0
            changed = await move_postings(self._database, documents, terms_of_new, session)
            always = {"category": new_name, "updated_at": to_micros(now())}
            updates = [
                UpdateOne({"_id": one["_id"]}, {"$set": change | always, "$inc": {"version": 1}})
                for one, change in zip(documents, changed, strict=True)
            ]
            await self._entries.bulk_write(updates, ordered=False, session=session)
            return len(documents)

        return await self._database.atomic(work)

    async def digest(self, owner: str, *, max_tokens: int) -> str:
        categories = await self.categories(owner)
        newest = await self.page(owner, limit=DIGEST_LABELS)
        return digest_text(categories[:DIGEST_CATEGORIES], newest.items, max_tokens=max_tokens)
