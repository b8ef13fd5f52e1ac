"""A person's archive in MongoDB, with its own index of search terms."""

from asyncio import gather
from collections.abc import Collection, Sequence
from dataclasses import replace

from pymongo import ASCENDING, DESCENDING, UpdateOne
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
    new_entry,
    refuse_stale,
)
from memory.conflicts import duplicate
from memory.contents import Contents, Placed, placed, whole
from memory.cursors import decode_cursor, encode_cursor
from memory.errors import Conflict, NotFound, Stale
from memory.file_codec import file_from
from memory.file_terms import with_files
from memory.lexical import category_terms, matched_words, overlap, query_terms, sample_terms, terms
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.entry_files import loosen_files, terms_of_files
from memory.mongo.faults import mapped_errors
from memory.mongo.loose import keep_promise, loosen
from memory.mongo.postings import (
    INDEXED,
    Blocks,
    add_postings,
    blocks_for,
    blocks_of,
    change_postings,
    indexed_by,
    move_postings,
    next_number,
    remove_postings,
)
from memory.mongo.term_search import rank_entries
from memory.preparing import Prepared, fingerprint_of, prepare
from memory.records import Category, Entry, Found, Near, Page, Source
from memory.times import from_micros, now, to_micros

_NEWEST = [("created_at", DESCENDING), ("number", DESCENDING)]
_OLDEST = [("created_at", ASCENDING), ("number", ASCENDING)]
WITHOUT_CONTENT = {"content": 0, "terms": 0, "weights": 0, "category_terms": 0, "blocks": 0}

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
        self._vectors = database["vectors"]

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
            document = document_of(entry, made, blocks) | {"_id": entry.id, "number": number}
            document |= _content(place)
            try:
                await self._entries.insert_one(document, session=session)
            except DuplicateKeyError as error:
                await self._refuse_duplicate(entry, made, None)
                taken = "_id" in (error.details or {}).get("keyPattern", {})
                code = "entry_exists" if taken else "duplicate"
                raise Conflict("This entry has just come or gone.", code=code) from error
            if place.blob is not None:
                await keep_promise(self._database, owner, place.blob, session)
            await add_postings(self._database, owner, number, made.terms, blocks, session)
            return replace(entry, files=())

        with mapped_errors():
            # At once, and before all that others would wait for.
            _, number, blocks = await gather(
                self._refuse_duplicate(entry, made, None),
                next_number(self._database, owner),
                blocks_for(self._database, owner, made.terms.all(), None),
            )
        async with placed(self._contents, owner, entry.content) as place:
            return await self._database.atomic(work)

    async def _refuse_duplicate(self, entry: Entry, made: Prepared, session: Session) -> None:
        where = {"owner": entry.owner, "fingerprint": made.fingerprint}
        known = await self._entries.find_one(where, {"_id": 1}, session=session)
        if known is not None and known["_id"] != entry.id:
            raise duplicate(known["_id"])

    async def get(self, owner: str, entry_id: str) -> Entry:
        for last in (False, True):
            with mapped_errors():
                document = await self._owned(owner, entry_id, None)
            blob = document.get("content_blob")
            if blob is None:
                break
            content = await whole(self._contents, owner, blob, last=last)
            if content is not None:
                return replace(entry_from(document), content=content)
        return entry_from(document)

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
        before = await self.get(owner, entry_id)
        refuse_stale(before, if_version)
        after = changed_entry(before, label=label, category=category, content=content)
        made = await prepare(after)

        async def work(session: Session) -> Entry | None:
            document = await self._owned(owner, entry_id, session)
            if document["version"] != before.version:
                return None
            await self._refuse_duplicate(after, made, session)
            of_files = await terms_of_files(self._database, entry_id, session)
            found_by = replace(made, terms=with_files(made.terms, of_files))
            await self._replace(document, after, found_by, place, session)
            return after

        place = None
        if after.content == before.content:
            changed = await self._database.atomic(work)
        else:
            async with placed(self._contents, owner, after.content) as place:
                changed = await self._database.atomic(work)
        if changed is not None:
            return changed
        # Changed between: what is asked for still holds, unless for the version before only.
        return await self.update(
            owner, entry_id, label=label, category=category, content=content, if_version=if_version
        )

    async def _replace(
        self,
        before: Document,
        after: Entry,
        made: Prepared,
        place: Placed | None,
        session: Session,
    ) -> None:
        content = {} if place is None else _content(place)
        blocks = await blocks_for(
            self._database, after.owner, made.terms.all(), session, held=blocks_of(before)
        )
        reworded = place is not None or before["label"] != after.label
        unmarked = {"embedded": ""} if reworded else {}
        try:
            changed = await self._entries.update_one(
                {"_id": after.id, "version": before["version"]},
                {"$set": document_of(after, made, blocks) | content | unmarked},
                session=session,
            )
        except DuplicateKeyError as error:
            await self._refuse_duplicate(after, made, None)
            raise Stale("The entry has just changed.") from error
        if changed.matched_count == 0:
            raise Stale("The entry has just changed.")
        if place is not None:
            await self._swap_blobs(after.owner, before.get("content_blob"), place.blob, session)
        if reworded:
            outdated = {"_id": before["number"], "version": {"$lte": before["version"]}}
            await self._vectors.delete_one(outdated, session=session)
        labelled = {*terms(before["label"]), *terms(after.label)}
        touched = labelled if place is None else made.terms.all().keys()
        await change_postings(self._database, before, made.terms, blocks, touched, session)

    async def _swap_blobs(
        self, owner: str, old: str | None, new: str | None, session: Session
    ) -> None:
        if new is not None:
            await keep_promise(self._database, owner, new, session)
        if old is not None:
            await loosen(self._database, owner, old, session)

    async def delete(self, owner: str, entry_id: str) -> None:
        async def work(session: Session) -> None:
            document = await self._owned(owner, entry_id, session)
            # The entry last: until it is gone, a deletion cut short can be asked for again.
            await remove_postings(self._database, document, session)
            await loosen_files(self._database, owner, entry_id, session)
            await self._swap_blobs(owner, document.get("content_blob"), None, session)
            await self._vectors.delete_one({"_id": document["number"]}, session=session)
            await self._entries.delete_one({"_id": entry_id, "owner": owner}, session=session)
            # Again: where nothing is atomic, one may have been kept between.
            await self._vectors.delete_one({"_id": document["number"]}, session=session)

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
            entries = await self._by_number(owner, list(found_in))
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
        found = [_nearness(document, said, same) for document in documents]
        near = [one for one in found if one.exact or one.overlap >= LEAST_OVERLAP]
        return sorted(near, key=lambda one: (not one.exact, -one.overlap))[:limit]

    async def _by_number(self, owner: str, numbers: Sequence[int]) -> dict[int, Entry]:
        """Entries without their contents."""
        where = {"owner": owner, "number": {"$in": list(numbers)}}
        found = self._entries.find(where, WITHOUT_CONTENT)
        return {document["number"]: entry_from(document) async for document in found}

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


def _content(place: Placed) -> Document:
    return {"content": place.row, "content_blob": place.blob}


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


def _nearness(document: Document, said: Collection[str], same: str) -> Near:
    exact = document["fingerprint"] == same
    shared = 1.0 if exact else overlap(said, sample_terms(document["content"]))
    return Near(entry=entry_from(document), exact=exact, overlap=shared)
