"""Vector search by the search nodes of Atlas or a self-hosted MongoDB that has them."""

import logging
from collections.abc import Sequence

from pymongo.errors import OperationFailure, PyMongoError
from pymongo.operations import SearchIndexModel

from memory.mongo.database import Document, MongoDatabase
from memory.mongo.faults import mapped_errors

log = logging.getLogger("tomato.memory")

_ALREADY_THERE = 68


def index_of(dimensions: int) -> str:
    """The index for vectors of one length: a change of the model brings another."""
    return f"vectors_of_{dimensions}"


class SearchNodes:
    """Answers where the server offers it and its index is ready; else None: exact search does."""

    def __init__(self, database: MongoDatabase) -> None:
        self._vectors = database["vectors"]
        self._offered = True
        self._ready = False

    async def nearest(
        self, owner: str, model: str, wanted: Sequence[float], *, limit: int
    ) -> list[tuple[int, float]] | None:
        """Numbers of entries with their cosines, the nearest first."""
        try:
            if not self._offered or not (self._ready or await self._prepare(len(wanted))):
                return None
            found = await self._vectors.aggregate(stages(owner, model, wanted, limit=limit))
            return [(one["_id"], 2 * one["score"] - 1) async for one in found]
        except OperationFailure as failure:
            # A server without search nodes says so in many ways, none of them a reason to fail.
            log.info("exact search by meaning", extra={"code": failure.code})
            self._offered = False
        except PyMongoError:
            with mapped_errors():
                raise
        return None

    async def _prepare(self, dimensions: int) -> bool:
        """Whether the index is there and can be asked; it is made if it isn't."""
        known = await (await self._vectors.list_search_indexes(index_of(dimensions))).to_list()
        if not known:
            await self._make(dimensions)
        self._ready = any(one.get("queryable") for one in known)
        return self._ready

    async def _make(self, dimensions: int) -> None:
        try:
            await self._vectors.create_search_index(definition(dimensions))
        except OperationFailure as failure:
            if failure.code != _ALREADY_THERE:  # another process was first
                raise


def stages(owner: str, model: str, wanted: Sequence[float], *, limit: int) -> list[Document]:
    # Here, for it takes seconds to import.
    from langchain_mongodb.pipelines import vector_search_stage  # type: ignore[attr-defined]

    one_owner = {"owner": owner, "model": model}
    index = index_of(len(wanted))
    search = vector_search_stage(list(wanted), "vector", index, limit, one_owner)
    return [search, {"$project": {"score": {"$meta": "vectorSearchScore"}}}]


def definition(dimensions: int) -> SearchIndexModel:
    vector = {"type": "vector", "path": "vector", "numDimensions": dimensions}
    filters = [{"type": "filter", "path": path} for path in ("owner", "model")]
    fields = [vector | {"similarity": "cosine"}, *filters]
    return SearchIndexModel(
        definition={"fields": fields}, name=index_of(dimensions), type="vectorSearch"
    )
