"""LangGraph's checkpoints in MongoDB, by its native async driver; the documents are described in
``checkpoint_documents``.

A turn costs one read and one conditional update of one document. No transaction is needed: the
update is atomic by itself, and whatever is written before it (older heads, pages) is unreachable
without it.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from pymongo import ReplaceOne, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import DuplicateKeyError

from memory.checkpoint_codec import Draft, Head, Write, numbers_in, ranges_of
from memory.checkpoints import (
    BATCH,
    Found,
    Keep,
    Place,
    Query,
    Saver,
    Stored,
    attempts,
    refuse_copy,
)
from memory.mongo.checkpoint_documents import (
    PAGE_BYTES,
    Base,
    Change,
    base_of,
    collected,
    found_of,
    head_of,
    heads_pipeline,
    history_id,
    holding,
    items_of,
    older_fields,
    page_id,
    pages_in,
    pages_of,
    place_id,
    put_change,
    within,
    writes_of,
    writes_update,
)
from memory.mongo.database import Document
from memory.mongo.faults import mapped_errors
from memory.recent import Recent

READS = 3
REMEMBERED = 512


class MongoSaver(Saver):
    """A saver on one database of MongoDB."""

    def __init__(
        self,
        database: AsyncDatabase[Document],
        *,
        keep: Keep = "all",
        types: Iterable[type] = (),
        page_bytes: int = PAGE_BYTES,
    ) -> None:
        super().__init__(keep=keep, types=types)
        self._page_bytes = page_bytes
        self._places: AsyncCollection[Document] = database["checkpoints"]
        self._history: AsyncCollection[Document] = database["checkpoint_history"]
        self._pages: AsyncCollection[Document] = database["checkpoint_pages"]
        # Only a hint: an update that was made from an old one changes nothing and is made anew.
        self._bases = Recent[Place, Base](REMEMBERED)

    async def prepare(self) -> None:
        """Create the indexes that are not there yet."""
        with mapped_errors():
            for collection in (self._places, self._history):
                await collection.create_index("g", sparse=True, name="by_run")

    async def clear(self) -> None:
        """Drop the checkpoints of all threads."""
        with mapped_errors():
            for collection in (self._places, self._history, self._pages):
                await collection.drop()

    async def _read(self, place: Place, checkpoint_id: str | None) -> Stored | None:
        with mapped_errors():
            for _ in range(READS):
                document = await self._places.find_one({"_id": place_id(place)})
                head, writes = await self._pick(place, document, checkpoint_id)
                if head is None:
                    return None
                items = await self._items(place, document or {}, [head])
                if items.keys() >= set(numbers_in(ranges_of(head))):
                    self._remember(place, document, head, items)
                    return Stored(place, head, items, writes)
            return None  # it is being deleted

    async def _pick(
        self, place: Place, document: Document | None, checkpoint_id: str | None
    ) -> tuple[Head | None, list[Write]]:
        """A head of a place with its writes: the place's own, or one of the history."""
        if document is None:
            return None, []
        own = head_of(document)
        if checkpoint_id is not None and (own is None or own.id != checkpoint_id):
            own = None
        if self._keep == "latest" and not document.get("a"):
            return own, [] if own is None else writes_of(document, own.id)
        of_its_life = {"b": {"$exists": True}, "l": document.get("l")}
        if checkpoint_id is None:
            older = await self._history.find_one(
                {"_id": within(*place), **of_its_life}, sort=[("_id", -1)]
            )
            if older is not None and (own is None or older["_id"]["c"] > own.id):
                own = head_of(older, older["_id"]["c"])
            if own is None:
                return None, []
            checkpoint_id = own.id
        kept = await self._history.find_one({"_id": history_id(place, checkpoint_id)})
        older_one = head_of(kept, checkpoint_id) if (kept or {}).get("l") == document["l"] else None
        head = own or older_one
        return head, _merged(writes_of(kept, checkpoint_id), writes_of(document, checkpoint_id))

    async def _items(
        self, place: Place, document: Document, heads: Iterable[Head]
    ) -> dict[int, bytes]:
        """The items of a place's document, and those of its pages that the heads need."""
        items = items_of(document)
        missing = {n for head in heads for n in numbers_in(ranges_of(head))} - items.keys()
        pages = [page_id(place, page) for page in holding(pages_in(document), missing)]
        if pages:
            async for page in self._pages.find({"_id": {"$in": pages}}):
                items |= {n: item for n, item in items_of(page).items() if n in missing}
        return items

    def _remember(
        self, place: Place, document: Document | None, head: Head, items: Mapping[int, bytes]
    ) -> None:
        """Spare the next put of this place a read."""
        known = self._bases.get(place)
        if document is None or document.get("c") != head.id:
            return
        if known is None or known.revision != document.get("r"):
            own = document.get("m", {})
            paged = {number: item for number, item in items.items() if str(number) not in own}
            self._bases.put(place, base_of(document, paged))

    async def _heads(self, query: Query) -> AsyncIterator[Sequence[Found]]:
        with mapped_errors():
            cursor = await self._places.aggregate(
                heads_pipeline(query, self._history.name), batchSize=BATCH
            )
            async with cursor:
                batch: list[Found] = []
                last: Found | None = None
                async for document in cursor:
                    found = found_of(document)
                    if last is None or (found.place, found.head.id) != (last.place, last.head.id):
                        batch.append(found)
                    last = found
                    if len(batch) == BATCH:
                        yield batch
                        batch = []
                if batch:
                    yield batch

    async def _complete(self, found: Sequence[Found]) -> Sequence[Stored]:
        with mapped_errors():
            stored: dict[Found, Stored] = {}
            for place in dict.fromkeys(one.place for one in found):
                heads = [one.head for one in found if one.place == place]
                stored |= await self._complete_place(place, heads)
        return [stored[one] for one in found if one in stored]

    async def _complete_place(self, place: Place, heads: Sequence[Head]) -> dict[Found, Stored]:
        document = await self._places.find_one({"_id": place_id(place)}) or {}
        items = await self._items(place, document, heads)
        ids = [history_id(place, head.id) for head in heads]
        kept = {
            older["_id"]["c"]: older
            async for older in self._history.find({"_id": {"$in": ids}}, {"w": True, "l": True})
        }
        alive = {key for key, older in kept.items() if older.get("l") == document.get("l")}
        alive.add(document.get("c", ""))
        return {
            Found(place, head): Stored(
                place,
                head,
                items,
                _merged(writes_of(kept.get(head.id), head.id), writes_of(document, head.id)),
            )
            for head in heads
            if head.id in alive and items.keys() >= set(numbers_in(ranges_of(head)))
        }

    async def _put(self, place: Place, drafted: Draft, *, alone: bool) -> None:
        base, items = self._bases.get(place), None
        with mapped_errors():
            async for _ in attempts():
                if base is None:
                    base, items = await self._load(place)
                change = put_change(
                    base, drafted, alone=alone, items=items, page_bytes=self._page_bytes
                )
                if change is not None:
                    dead = await self._dead(place) if base.revision is None else {}
                    await self._make_room(place, base, drafted.id, alone=alone)
                    if await self._apply(place, base, change):
                        for collection, ids in dead.items():
                            await collection.delete_many({"_id": {"$in": ids}})
                        self._bases.put(place, change.base)
                        return
                self._bases.drop(place)
                base = None

    async def _load(self, place: Place) -> tuple[Base, Mapping[int, bytes]]:
        document = await self._places.find_one({"_id": place_id(place)})
        if document is None:
            return Base(), {}
        own, head = items_of(document), head_of(document)
        items = await self._items(place, document, [] if head is None else [head])
        paged = {number: item for number, item in items.items() if number not in own}
        return base_of(document, paged), own

    async def _dead(self, place: Place) -> dict[AsyncCollection[Document], list[Any]]:
        """What is left of a place that has no document: of a deletion that was cut short.

        If the place is made before our put makes it, what is found here may be alive: it is only
        deleted once our put has made the place.
        """
        history = self._history.find({"_id": within(*place), "b": {"$exists": True}}, {"_id": 1})
        pages = self._pages.find({"_id": pages_of(place)}, {"_id": 1})
        found = {
            self._history: [document["_id"] async for document in history],
            self._pages: [document["_id"] async for document in pages],
        }
        return {collection: ids for collection, ids in found.items() if ids}

    async def _make_room(
        self, place: Place, base: Base, checkpoint_id: str, *, alone: bool
    ) -> None:
        """Move what was the newest to the history, or empty the history."""
        if alone:
            if base.older:
                await self._history.delete_many({"_id": within(*place)})
        elif base.head is not None and base.head.id != checkpoint_id:
            await self._history.update_one(
                {"_id": history_id(place, base.head.id)},
                {"$set": older_fields(base, base.head)},
                upsert=True,
            )

    async def _apply(self, place: Place, base: Base, change: Change) -> bool:
        """Make a change if the place is still at the revision that the change is for."""
        written = [
            ReplaceOne({"_id": page_id(place, page)}, {"m": _named(items)}, upsert=True)
            for page, items in change.pages.items()
        ]
        if written:
            await self._pages.bulk_write(written, ordered=False)
        if not await self._update(place, base, change.update):
            if written:
                ids = [page_id(place, page) for page in change.pages]
                await self._pages.delete_many({"_id": {"$in": ids}})
            return False
        await self._drop_from_pages(place, base, change)
        return True

    async def _update(self, place: Place, base: Base, update: Document) -> bool:
        at = {"$exists": False} if base.revision is None else base.revision
        try:
            result = await self._places.update_one(
                {"_id": place_id(place), "r": at}, update, upsert=base.revision is None
            )
        except DuplicateKeyError:  # another was first to make the place
            return False
        return bool(result.matched_count or result.did_upsert)

    async def _drop_from_pages(self, place: Place, base: Base, change: Change) -> None:
        stay = set(change.base.pages)
        gone = [page_id(place, page) for page in base.pages if page not in stay]
        if gone:
            await self._pages.delete_many({"_id": {"$in": gone}})
        updates = []
        for page in stay & set(base.pages):
            names = {f"m.{n}": "" for n in change.dropped if page.first <= n <= page.last}
            if names:
                updates.append(UpdateOne({"_id": page_id(place, page)}, {"$unset": names}))
        if updates:
            await self._pages.bulk_write(updates, ordered=False)

    async def _put_writes(self, place: Place, checkpoint_id: str, writes: Sequence[Write]) -> None:
        collection, key = self._places, place_id(place)
        if self._keep == "all":
            collection, key = self._history, history_id(place, checkpoint_id)
        update = writes_update(checkpoint_id, writes, newest_only=self._keep == "latest")
        with mapped_errors():
            try:
                await collection.update_one({"_id": key}, update, upsert=True)
            except DuplicateKeyError:  # another was first to make the document
                await collection.update_one({"_id": key}, update, upsert=True)

    async def _delete(self, thread: str) -> None:
        with mapped_errors():
            for collection in (self._places, self._history, self._pages):
                await collection.delete_many({"_id": within(thread)})

    async def _delete_runs(self, runs: Sequence[str]) -> None:
        wanted = {"g": {"$in": list(runs)}}
        gone: dict[Place, list[str]] = {}
        with mapped_errors():
            async for document in self._places.find(wanted, {"c": True}):
                gone.setdefault(_place(document), []).append(document["c"])
            async for document in self._history.find(wanted, {"_id": True}):
                gone.setdefault(_place(document), []).append(document["_id"]["c"])
            for place, ids in gone.items():
                await self._forget(place, frozenset(ids))

    async def _forget(self, place: Place, gone: frozenset[str]) -> None:
        """Delete checkpoints of a place with what only they used."""
        ids = [history_id(place, checkpoint_id) for checkpoint_id in gone]
        await self._history.delete_many({"_id": {"$in": ids}})
        async for _ in attempts():
            base, _ = await self._load(place)
            own = base.head if base.head is not None and base.head.id not in gone else None
            heads = [*await self._older(place, base), *([own] if own is not None else [])]
            if await self._collect(place, base, own, heads, gone):
                return

    async def _prune(self, thread: str) -> None:
        with mapped_errors():
            places = [
                _place(document)
                async for document in self._places.find({"_id": within(thread)}, {"_id": True})
            ]
            for place in places:
                await self._keep_newest(place)

    async def _keep_newest(self, place: Place) -> None:
        async for _ in attempts():
            base, _ = await self._load(place)
            heads = [
                *await self._older(place, base),
                *([base.head] if base.head is not None else []),
            ]
            if not heads:
                return
            newest = max(heads, key=lambda head: head.id)
            if self._needs_ancestors(newest):
                return
            gone = frozenset(head.id for head in heads) - {newest.id}
            if await self._collect(place, base, newest, [newest], gone):
                others = {**within(*place), "$ne": history_id(place, newest.id)}
                await self._history.delete_many({"_id": others})
                return

    async def _collect(
        self,
        place: Place,
        base: Base,
        head: Head | None,
        heads: Sequence[Head],
        gone: Iterable[str],
    ) -> bool:
        self._bases.drop(place)
        if base.revision is None:
            return True
        if heads:
            return await self._apply(place, base, collected(base, head, heads, gone))
        found = {"_id": place_id(place), "r": base.revision}
        if not (await self._places.delete_one(found)).deleted_count:
            return False
        await self._pages.delete_many({"_id": pages_of(place)})
        return True

    async def _older(self, place: Place, base: Base) -> list[Head]:
        cursor = self._history.find({"_id": within(*place), "b": {"$exists": True}, "l": base.life})
        heads = [head_of(document, document["_id"]["c"]) async for document in cursor]
        return [head for head in heads if head is not None]

    async def _copy(self, source: str, target: str) -> None:
        with mapped_errors():
            if await self._places.find_one({"_id": within(target)}, {"_id": True}):
                refuse_copy()
            # The places last: without them the rest is unreachable.
            for collection in (self._pages, self._history, self._places):
                batch: list[Document] = []
                async for document in collection.find({"_id": within(source)}):
                    batch.append({**document, "_id": {**document["_id"], "t": target}})
                    if len(batch) == BATCH:
                        await collection.insert_many(batch)
                        batch = []
                if batch:
                    await collection.insert_many(batch)


def _place(document: Mapping[str, Any]) -> Place:
    return Place(document["_id"]["t"], document["_id"]["n"])


def _named(items: Mapping[int, bytes]) -> dict[str, bytes]:
    return {str(number): item for number, item in items.items()}


def _merged(first: Iterable[Write], then: Iterable[Write]) -> list[Write]:
    """Writes of two documents, each once."""
    return list({(write.task, write.idx): write for write in (*first, *then)}.values())
