"""How vectors are compared, lists fused, and search nodes asked."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, cast

import numpy as np
import pytest
from pymongo.errors import OperationFailure

from memory.cosine import Nearest, packed
from memory.embeddings import BY_MEANING, fuse, near_enough
from memory.mongo.database import MongoDatabase
from memory.mongo.search_nodes import SearchNodes, definition, index_of
from memory.records import Entry, Found

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)


def entry(name: str) -> Entry:
    return Entry(
        id=name,
        owner="me",
        category="c",
        label=name,
        content="",
        size=1,
        created_at=MOMENT,
        updated_at=MOMENT,
    )


def test_blocks_give_what_one_look_at_all_would() -> None:
    chance = np.random.default_rng(1)
    vectors = chance.normal(size=(500, 16))
    wanted = chance.normal(size=16)
    nearest = Nearest(wanted.tolist(), limit=20)
    for start in range(0, 500, 64):
        part = vectors[start : start + 64]
        nearest.add([(start + at, packed(one.tolist())) for at, one in enumerate(part)])
    cosines = vectors @ wanted / np.linalg.norm(vectors, axis=1) / np.linalg.norm(wanted)
    expected = np.argsort(-cosines)[:20]
    assert [number for number, _ in nearest.best()] == expected.tolist()
    assert [cosine for _, cosine in nearest.best()] == pytest.approx(cosines[expected], abs=1e-5)


@pytest.mark.parametrize("odd", [[], [1.0], [1.0] * 3, [float("nan")] * 2])
def test_vectors_of_another_length_or_of_none_disturb_nothing(odd: list[float]) -> None:
    nearest = Nearest([1.0, 0.0], limit=5)
    nearest.add([(1, packed(odd)), (2, packed([1.0, 1.0]))])
    assert nearest.best()[0][0] == 2
    assert not Nearest([], limit=5).best()


def test_what_is_far_is_not_near_though_it_is_the_nearest() -> None:
    assert near_enough([(entry("a"), 0.1)]) == []
    found = [(entry("a"), 0.9), (entry("b"), 0.8), (entry("c"), 0.5)]
    assert [one.id for one in near_enough(found)] == ["a", "b"]


def test_an_entry_of_both_lists_wins() -> None:
    by_words = [Found(entry=entry(name), score=9.0, matched=(name,)) for name in "ab"]
    fused = fuse(by_words, [entry("b"), entry("c")])
    assert [one.entry.id for one in fused] == ["b", "a", "c"]
    assert [one.matched for one in fused] == [("b", BY_MEANING), ("a",), (BY_MEANING,)]
    assert fused == sorted(fused, key=lambda one: -one.score)


class Answer:
    """A driver's cursor over given documents."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self._documents = documents

    async def to_list(self) -> list[dict[str, Any]]:
        return self._documents

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        for document in self._documents:
            yield document


class Collection:
    """Answers as a server with search nodes does, by the driver's documentation."""

    def __init__(self) -> None:
        self.indexes: list[dict[str, Any]] = []
        self.asked: list[list[dict[str, Any]]] = []
        self.made: list[Any] = []
        self.refuses = False
        self.made_by_another = False

    async def list_search_indexes(self, name: str) -> Answer:
        if self.refuses:
            raise OperationFailure("no search here", 31082)
        return Answer(self.indexes)

    async def create_search_index(self, model: Any) -> None:
        if self.made_by_another:
            raise OperationFailure("Duplicate Index", 68)
        self.made.append(model)

    async def aggregate(self, stages: list[dict[str, Any]]) -> Answer:
        self.asked.append(stages)
        return Answer([{"_id": 7, "score": 1.0}, {"_id": 3, "score": 0.75}])


def nodes(collection: Collection) -> SearchNodes:
    return SearchNodes(cast("MongoDatabase", {"vectors": collection}))


async def test_search_nodes_answer_once_their_index_is_ready() -> None:
    collection = Collection()
    asking = nodes(collection)
    assert await asking.nearest("me", "m", [1.0, 0.0], limit=5) is None
    assert [one.document for one in collection.made] == [definition(2).document]
    collection.indexes = [{"name": index_of(2), "queryable": False}]
    assert await asking.nearest("me", "m", [1.0, 0.0], limit=5) is None
    collection.indexes = [{"name": index_of(2), "queryable": True}]
    assert await asking.nearest("me", "m", [1.0, 0.0], limit=5) == [(7, 1.0), (3, 0.5)]
    search = collection.asked[0][0]["$vectorSearch"]
    assert search["filter"] == {"owner": "me", "model": "m"}
    assert (search["index"], search["path"], search["limit"]) == (index_of(2), "vector", 5)
    assert len(collection.made) == 1


async def test_a_server_without_search_nodes_is_asked_once() -> None:
    collection = Collection()
    collection.refuses = True
    asking = nodes(collection)
    assert await asking.nearest("me", "m", [1.0], limit=5) is None
    collection.refuses = False
    assert await asking.nearest("me", "m", [1.0], limit=5) is None
    assert not collection.made


async def test_an_index_that_another_process_made_first_serves_too() -> None:
    collection = Collection()
    collection.made_by_another = True
    asking = nodes(collection)
    assert await asking.nearest("me", "m", [1.0, 0.0], limit=5) is None
    collection.indexes = [{"name": index_of(2), "queryable": True}]
    assert await asking.nearest("me", "m", [1.0, 0.0], limit=5) == [(7, 1.0), (3, 0.5)]
