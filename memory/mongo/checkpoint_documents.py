"""How checkpoints look as documents, and what changes them; knows no connection. Pure.

Of each place (thread and namespace) there is one document with its newest head, the items of its
pool, and pending writes; a put is one conditional update of it, so that it happens whole or not at
all, on a replica set and on a standalone server alike. ``r`` is its revision: an update happens
only upon the revision that it was made for.

    checkpoints          _id {t, n}     r revision, l life, s next number, c p g d b the head,
                                        m items by number, w writes, a older heads exist,
                                        o pages of items as [page, first, last]
    checkpoint_history   _id {t, n, c}  l the life it is of, p g d b an older head, w writes
    checkpoint_pages     _id {t, n, o}  m items that are too many for the place's document

A place that is deleted and made anew has another life, and numbers its items anew: what a deletion
that was cut short has left is told by its life. Only numbers are used as names of fields: no id
can become one.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from bson import MaxKey, MinKey

from memory.checkpoint_codec import (
    EMPTY,
    Draft,
    Head,
    Pool,
    Write,
    digest,
    numbers_in,
    ranges_of,
    settle,
)
from memory.checkpoints import Found, Place, Query
from memory.mongo.database import Document

PAGE_BYTES = 128 * 1024
"""How many bytes of items a place's document, or a page, holds before the next is begun."""


class Page(NamedTuple):
    """A document of items, and the range that their numbers are in."""

    id: bytes
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Base:
    """What a put has to know of its place; ``sizes`` are those of the items in its document."""

    revision: bytes | None = None
    life: bytes | None = None
    head: Head | None = None
    pool: Pool = EMPTY
    sizes: Mapping[int, int] = field(default_factory=dict)
    pages: Sequence[Page] = ()
    older: bool = False


@dataclass(frozen=True, slots=True)
class Change:
    """An update of a place's document: pages to write before it, items of pages gone by it."""

    update: Document
    base: Base
    pages: Mapping[Page, Mapping[int, bytes]]
    dropped: frozenset[int]


def place_id(place: Place) -> Document:
    return {"t": place.thread, "n": place.namespace}


def within(thread: str, namespace: str | None = None) -> Document:
    """The ids of all documents of a thread, or of one of its places but that place's own."""
    key = {"t": thread} if namespace is None else {"t": thread, "n": namespace}
    following = "n" if namespace is None else "c"
    return {"$gte": {**key, following: MinKey()}, "$lte": {**key, following: MaxKey()}}


def pages_of(place: Place) -> Document:
    key = place_id(place)
    return {"$gte": {**key, "o": MinKey()}, "$lte": {**key, "o": MaxKey()}}


def history_id(place: Place, checkpoint_id: str) -> Document:
    return {**place_id(place), "c": checkpoint_id}


def page_id(place: Place, page: Page) -> Document:
    return {**place_id(place), "o": page.id}


def older_fields(base: Base, head: Head) -> Document:
    """A place's head as one of its history."""
    return {**head_fields(head), "l": base.life}


def head_fields(head: Head) -> Document:
    named = {"p": head.parent, "g": head.run, "d": head.metadata, "b": head.body}
    return {name: value for name, value in named.items() if value is not None}


def head_of(document: Document | None, checkpoint_id: str | None = None) -> Head | None:
    """The head in a document; ``checkpoint_id`` is that of a document that does not say."""
    if document is None or "b" not in document:
        return None
    return _head(document, document["c"] if checkpoint_id is None else checkpoint_id)


def items_of(document: Document) -> dict[int, bytes]:
    return {int(number): item for number, item in document.get("m", {}).items()}


def pages_in(document: Document) -> list[Page]:
    return [Page(*page) for page in document.get("o", ())]


def holding(pages: Iterable[Page], numbers: Iterable[int]) -> list[Page]:
    """The pages in which any of these numbers may be."""
    wanted = sorted(numbers)
    return [page for page in pages if any(page.first <= number <= page.last for number in wanted)]


def writes_of(document: Document | None, checkpoint_id: str) -> list[Write]:
    written = (document or {}).get("w", ())
    return [Write(*write["v"]) for write in written if write["c"] == checkpoint_id]


def writes_update(
    checkpoint_id: str, writes: Sequence[Write], *, newest_only: bool
) -> list[Document]:
    """Add writes; those that are there stay, but for the ones of a special channel.

    With ``newest_only`` nothing is added to a checkpoint that a newer one has replaced.
    """
    entries = {
        f"{write.idx} {write.task} {checkpoint_id}": {"c": checkpoint_id, "v": list(write)}
        for write in writes
    }
    replaced = [f"{write.idx} {write.task} {checkpoint_id}" for write in writes if write.idx < 0]
    added = [{"k": key, **entry} for key, entry in entries.items()]
    old: Document = {"$ifNull": ["$w", []]}
    stay = {"$setDifference": ["$$old.k", {"$literal": replaced}]}
    both = [
        _where("$$old", {"$not": [{"$in": ["$$this.k", {"$literal": replaced}]}]}),
        _where({"$literal": added}, {"$not": [{"$in": ["$$this.k", stay]}]}),
    ]
    written: Document = {"$let": {"vars": {"old": old}, "in": {"$concatArrays": both}}}
    if newest_only:
        newer = {"$gt": ["$c", {"$literal": checkpoint_id}]}
        written = {"$cond": [{"$and": [newer, {"$ne": ["$a", True]}]}, old, written]}
    return [{"$set": {"w": written}}]


def _where(entries: str | Document, condition: Document) -> Document:
    return {"$filter": {"input": entries, "cond": condition}}


def base_of(document: Document | None, paged: Mapping[int, bytes]) -> Base:
    """What a put has to know of a place; ``paged`` are items of its head that are in pages."""
    if document is None:
        return Base()
    items = items_of(document)
    known = {digest(item): number for number, item in (*paged.items(), *items.items())}
    return Base(
        revision=document.get("r"),
        life=document.get("l"),
        head=head_of(document),
        pool=Pool(document.get("s", 1), known),
        sizes={number: len(item) for number, item in items.items()},
        pages=pages_in(document),
        older=document.get("a", False),
    )


def put_change(
    base: Base,
    drafted: Draft,
    *,
    alone: bool,
    items: Mapping[int, bytes] | None,
    page_bytes: int,
) -> Change | None:
    """The update that stores a checkpoint; None if it needs the ``items`` of the document."""
    # A page may still hold a dropped item under its number: none is given again.
    placed = settle(drafted, base.pool, alone=alone, reuse=False)
    used = frozenset(placed.pool.known.values())
    dropped = frozenset(base.pool.known.values()) - used
    sizes = {number: size for number, size in base.sizes.items() if number not in dropped}
    sizes |= {number: len(item) for number, item in placed.new.items()}
    full = sum(sizes.values()) > page_bytes
    if full and items is None:
        return None
    new_pages = _pages({**(items or {}), **placed.new}, sizes, page_bytes) if full else {}
    moved = {number for page in new_pages.values() for number in page}
    after = replace(
        base,
        revision=secrets.token_bytes(8),
        life=base.life or secrets.token_bytes(8),
        head=placed.head,
        pool=placed.pool,
        sizes={number: size for number, size in sizes.items() if number not in moved},
        pages=[*_still(base.pages, used if alone else None), *new_pages],
        older=not alone,
    )
    stale = (dropped | moved) & base.sizes.keys()
    update = _head_update(after)
    if alone:
        # Those of newer checkpoints stay: tasks write before their checkpoint is stored.
        gone = [] if base.head is None else [base.head.id]
        older = [{"c": {"$lt": drafted.id}}, {"c": {"$in": gone, "$ne": drafted.id}}]
        update["$pull"] = {"w": {"$or": older}}
    for number in stale:
        update["$unset"][f"m.{number}"] = ""
    for number in placed.new.keys() - moved:
        update["$set"][f"m.{number}"] = placed.new[number]
    return Change(update, after, new_pages, dropped - base.sizes.keys())


def collected(base: Base, head: Head | None, heads: Iterable[Head], gone: Iterable[str]) -> Change:
    """The update that leaves the items of ``heads`` only, ``head`` as the place's own."""
    used = frozenset(number for one in heads for number in numbers_in(ranges_of(one)))
    dropped = frozenset(base.sizes) - used
    after = replace(
        base,
        revision=secrets.token_bytes(8),
        head=head,
        pages=_still(base.pages, used),
    )
    update = _head_update(after)
    update["$pull"] = {"w": {"c": {"$in": list(gone)}}}
    for number in dropped:
        update["$unset"][f"m.{number}"] = ""
    paged = {n for page in base.pages for n in range(page.first, page.last + 1)}
    return Change(update, after, {}, frozenset(paged - used))


def heads_pipeline(query: Query, history: str) -> list[Document]:
    """All heads that answer a query, newest first; of two of one id the place's own first."""
    fields = {"_id": 0, "t": "$_id.t", "n": "$_id.n", "p": 1, "g": 1, "d": 1, "b": 1}
    older = [
        *_matching(query, older=True),
        {"$project": {**fields, "c": "$_id.c", "own": {"$literal": 0}}},
    ]
    return [
        *_matching(query, older=False),
        {"$project": {**fields, "c": 1, "own": {"$literal": 1}}},
        {"$unionWith": {"coll": history, "pipeline": older}},
        {"$match": _ids(query)},
        {"$sort": {"c": -1, "t": -1, "n": -1, "own": -1}},
    ]


def found_of(document: Document) -> Found:
    return Found(Place(document["t"], document["n"]), _head(document, document["c"]))


def _head(document: Document, checkpoint_id: str) -> Head:
    return Head(checkpoint_id, document.get("p"), document.get("g"), document["d"], document["b"])


def _matching(query: Query, *, older: bool) -> list[Document]:
    match: Document = {"b": {"$exists": True}}
    if query.thread is not None and query.namespace is not None:
        place = Place(query.thread, query.namespace)
        match["_id"] = within(*place) if older else place_id(place)
    elif query.thread is not None:
        match["_id"] = within(query.thread)
    return [{"$match": match}]


def _ids(query: Query) -> Document:
    conditions: list[Document] = []
    if query.id is not None:
        conditions.append({"c": {"$eq": query.id}})
    if query.before is not None:
        conditions.append({"c": {"$lt": query.before}})
    return {"$and": conditions} if conditions else {}


def _head_update(after: Base) -> Document:
    fields = head_fields(after.head) if after.head is not None else {}
    if after.head is not None:
        fields["c"] = after.head.id
    unset = {name: "" for name in "cpgdb" if name not in fields}
    fields |= {"r": after.revision, "l": after.life, "s": after.pool.next}
    for name, value in (("o", [list(page) for page in after.pages]), ("a", after.older)):
        if value:
            fields[name] = value
        else:
            unset[name] = ""
    return {"$set": fields, "$unset": unset}


def _pages(
    items: Mapping[int, bytes], sizes: Mapping[int, int], page_bytes: int
) -> dict[Page, dict[int, bytes]]:
    """The oldest items as pages, until what is left fills half of the place's document."""
    pages: dict[Page, dict[int, bytes]] = {}
    left, filled = sum(sizes.values()), 0
    current: dict[int, bytes] = {}
    for number in sorted(sizes):
        current[number] = items[number]
        filled, left = filled + sizes[number], left - sizes[number]
        if filled >= page_bytes or left <= page_bytes // 2:
            pages[Page(secrets.token_bytes(8), min(current), max(current))] = current
            current, filled = {}, 0
        if left <= page_bytes // 2:
            break
    return pages


def _still(pages: Sequence[Page], used: frozenset[int] | None) -> list[Page]:
    return list(pages) if used is None else holding(pages, used)
