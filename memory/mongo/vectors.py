"""Entries' vectors in MongoDB: compared one owner's block by block, or by search nodes."""

import asyncio
from collections.abc import Sequence
from typing import cast

import bson
from bson.binary import Binary

from memory.cosine import BLOCK, Nearest, packed
from memory.embeddings import Wording, wording
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.entries import entries_by_number
from memory.mongo.faults import mapped_errors
from memory.mongo.search_nodes import SearchNodes
from memory.records import Entry

_FLOATS = b"\x27\x00"
"""Before the floats of a BSON vector: 32 bits each, none of them padded."""


class MongoVectors:
    """The Vectors protocol; ``nodes`` answer where the server has them and they are ready."""

    def __init__(self, database: MongoDatabase, nodes: SearchNodes | None = None) -> None:
        self._database = database
        self._entries = database["entries"]
        self._vectors = database["vectors"]
        self._nodes = nodes

    async def missing(self, owner: str, model: str, *, limit: int) -> Sequence[Wording]:
        where = {"owner": owner, "embedded": {"$ne": model}}
        columns = {"number": 1, "version": 1, "label": 1, "content": 1}
        with mapped_errors():
            found = await self._entries.find(where, columns).limit(limit).to_list()
        return [
            wording(one["number"], one["version"], one["label"], one["content"]) for one in found
        ]

    async def keep(
        self, owner: str, model: str, made: Sequence[tuple[Wording, Sequence[float]]]
    ) -> None:
        for one, vector in made:
            await self._keep(owner, model, one, vector)

    async def _keep(self, owner: str, model: str, one: Wording, vector: Sequence[float]) -> None:
        kept = {"owner": owner, "model": model, "version": one.version, "vector": _bson(vector)}

        async def work(session: Session) -> None:
            # The vector first: an entry that is marked has it, even where nothing is atomic.
            await self._vectors.replace_one({"_id": one.number}, kept, True, session=session)
            marked = await self._entries.update_one(
                {"owner": owner, "number": one.number, "version": one.version},
                {"$set": {"embedded": model}},
                session=session,
            )
            if not marked.matched_count:
                # Another's vector for a later version may just have been replaced: made again.
                await self._entries.update_one(
                    {"owner": owner, "number": one.number, "embedded": model},
                    {"$set": {"embedded": ""}},
                    session=session,
                )
                outdated = {"_id": one.number, "version": one.version}
                await self._vectors.delete_one(outdated, session=session)

        await self._database.atomic(work)

    async def nearest(
        self,
        owner: str,
        model: str,
        wanted: Sequence[float],
        *,
        category: str | None = None,
        limit: int,
    ) -> Sequence[tuple[Entry, float]]:
        best = None
        if self._nodes is not None and category is None:
            best = await self._nodes.nearest(owner, model, wanted, limit=limit)
        with mapped_errors():
            if best is None:
                best = await self._exact(owner, model, wanted, category, limit)
            numbers = [number for number, _ in best]
            entries = await entries_by_number(self._database, owner, numbers)
        return [(entries[one], cosine) for one, cosine in best if one in entries]

    async def _exact(
        self, owner: str, model: str, wanted: Sequence[float], category: str | None, limit: int
    ) -> list[tuple[int, float]]:
        within = None if category is None else await self._within(owner, category)
        nearest = Nearest(wanted, limit)

        def look(batch: bytes) -> None:
            found = bson.decode_all(batch)
            nearest.add(
                (one["_id"], one["vector"][len(_FLOATS) :])
                for one in found
                if within is None or one["_id"] in within
            )

        where = {"owner": owner, "model": model}
        batches = self._vectors.find_raw_batches(where, {"vector": 1}, batch_size=BLOCK)
        async with batches:
            # Raw, for decoding so much on the event loop would hold up all others.
            async for batch in batches:
                await asyncio.to_thread(look, cast("bytes", batch))
        return nearest.best()

    async def _within(self, owner: str, category: str) -> set[int]:
        where: Document = {"owner": owner, "category": category}
        found = self._entries.find(where, {"_id": 0, "number": 1})
        return {document["number"] async for document in found}


def _bson(vector: Sequence[float]) -> Binary:
    """A vector as search nodes read it too."""
    return Binary(_FLOATS + packed(vector), subtype=9)
