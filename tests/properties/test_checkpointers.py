"""Whatever is put, forked, written, copied, pruned or deleted: each saver is LangGraph's own one.

The model is LangGraph's saver in memory, with what it lacks (copying, pruning, deleting runs and
keeping only the latest) added in a few lines over its plain dictionaries.
"""

import asyncio
import copy
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.memory import InMemorySaver
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from memory.checkpoints import Keep, Saver
from memory.mongo.checkpoints import MongoSaver
from memory.redis.checkpoints import RedisSaver
from memory.sqlite.checkpoints import SQLiteSaver
from memory.sqlite.database import Database
from tests.services.mongo import MongoServer
from tests.services.redis import RedisServer

THREADS = ("a", "방 {1}:*", "$where.b/%00")
NAMESPACES = ("", "child:1", "부모|n.$m")
RUNS = ("run-1", "run-2")

WORDS = st.sampled_from(["hello ", "안녕하세요 "])
TEXTS = st.builds(str.__mul__, WORDS, st.sampled_from([0, 1, 20, 700])) | st.text(max_size=20)
IDS = st.sampled_from([f"m{number}" for number in range(6)])
MESSAGES = st.one_of(
    st.builds(HumanMessage, content=TEXTS, id=IDS),
    st.builds(AIMessage, content=TEXTS, id=IDS),
    st.builds(SystemMessage, content=TEXTS, id=IDS, name=st.none() | st.just("이름")),
    st.builds(ToolMessage, content=TEXTS, id=IDS, tool_call_id=st.just("call"), artifact=TEXTS),
)
RECORDS = st.lists(st.builds(lambda id, text: {"id": id, "text": text}, IDS, TEXTS), max_size=4)
VALUES = (
    TEXTS
    | st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.binary(max_size=9)
    | RECORDS
    | st.lists(TEXTS, max_size=2)
    | st.dictionaries(st.text(max_size=3), TEXTS, max_size=2)
    | MESSAGES
)
CHANNELS = st.sampled_from(["note", "기억", "a.$b"])
SPECIAL = st.sampled_from(["__interrupt__", "__error__", "__resume__"])
METADATA = st.fixed_dictionaries(
    {"source": st.sampled_from(["input", "loop"]), "step": st.integers(-1, 3)},
    optional={"run_id": st.sampled_from(RUNS), "점수": st.integers(0, 2)},
)
FILTERS = st.none() | st.fixed_dictionaries(
    {}, optional={"source": st.just("loop"), "step": st.integers(-1, 3), "점수": st.integers(0, 2)}
)

EXAMPLES = 10

Opening = Callable[[], AbstractAsyncContextManager[Saver]]
Spot = tuple[str, str]


class Model(InMemorySaver):
    """LangGraph's saver in memory, with the rest of the contract."""

    def drop(self, thread: str, namespace: str, ids: list[str]) -> None:
        for checkpoint_id in ids:
            self.storage[thread][namespace].pop(checkpoint_id)
            self.writes.pop((thread, namespace, checkpoint_id), None)

    def keep_only(self, thread: str, namespace: str, kept: str) -> None:
        self.drop(thread, namespace, [x for x in self.storage[thread][namespace] if x != kept])

    def prune_latest(self, thread: str) -> None:
        for namespace, kept in self.storage.get(thread, {}).items():
            if kept:
                self.keep_only(thread, namespace, max(kept))

    def drop_runs(self, runs: list[str]) -> None:
        gone = [t for t in self.list(None) if t.metadata.get("run_id") in runs]
        for one in gone:
            named = one.config["configurable"]
            self.drop(named["thread_id"], named["checkpoint_ns"], [named["checkpoint_id"]])

    def copy(self, source: str, target: str) -> None:
        self.storage[target] = copy.deepcopy(self.storage[source])
        for written, values in list(self.writes.items()):
            if written[0] == source:
                self.writes[target, written[1], written[2]] = dict(values)
        for stored, value in list(self.blobs.items()):
            if stored[0] == source:
                self.blobs[target, stored[1], stored[2], stored[3]] = value


class Machine(RuleBasedStateMachine):
    """Does the same to a saver and to the model, and looks at both."""

    opening: ClassVar[Opening]
    keep: ClassVar[Keep]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.version = 0
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()

    @initialize()
    def open(self) -> None:
        self.saver = self.runner.run(self.stack.enter_async_context(type(self).opening()))

    def teardown(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()

    @rule(
        data=st.data(),
        thread=st.sampled_from(THREADS),
        namespace=st.sampled_from(NAMESPACES),
        metadata=METADATA,
        number=st.integers(0, 40),
        early=st.booleans(),
    )
    def put(
        self,
        data: st.DataObject,
        thread: str,
        namespace: str,
        metadata: Any,
        number: int,
        early: bool,
    ) -> None:
        """A checkpoint after any other, or after none; its writes may come before it."""
        known = sorted(self.model.storage[thread][namespace])
        parent = data.draw(st.sampled_from(known)) if known and number % 5 else None
        config = _config(thread, namespace, parent)
        before = self.model.get_tuple(config) if parent else None
        values = dict(before.checkpoint["channel_values"]) if before else {}
        versions = dict(before.checkpoint["channel_versions"]) if before else {}
        new = self._change(data, values, versions)
        checkpoint: Any = {
            "v": 4,
            "id": f"{number:03}",
            "ts": "2026-11-23T00:00:00+00:00",
            "channel_values": values,
            "channel_versions": versions,
            "versions_seen": {"노드": dict(versions)},
            "updated_channels": sorted(new),
        }
        if early and (self.keep == "all" or checkpoint["id"] > max(known, default="")):
            self._write(_config(thread, namespace, checkpoint["id"]), [("note", 1)], "t0", "")
        self.model.put(config, checkpoint, metadata, new)
        self.runner.run(self.saver.aput(config, checkpoint, metadata, new))
        if self.keep == "latest":
            self.model.keep_only(thread, namespace, checkpoint["id"])

    def _change(
        self, data: st.DataObject, values: dict[str, Any], versions: dict[str, Any]
    ) -> dict[str, Any]:
        """Change some channels in place; the versions of those."""
        messages = list(values.get("messages", []))
        cut = data.draw(st.integers(0, 3))
        added = data.draw(st.lists(MESSAGES, max_size=4))
        changed: dict[str, Any] = {"messages": [*messages[cut:], *added]}
        for channel in data.draw(st.lists(CHANNELS, max_size=2)):
            changed[channel] = data.draw(VALUES)
        gone = data.draw(st.none() | CHANNELS | st.just("messages"))
        for channel, value in changed.items():
            self.version += 1
            values[channel], versions[channel] = value, self.version
        if gone is not None:
            values.pop(gone, None)
            versions.pop(gone, None)
        return {channel: versions[channel] for channel in changed if channel in versions}

    @precondition(lambda self: self._spots())
    @rule(
        data=st.data(),
        writes=st.lists(st.tuples(CHANNELS | SPECIAL, VALUES | MESSAGES), min_size=1, max_size=3),
        task=st.sampled_from(["t1", "과제.$2"]),
        path=st.sampled_from(["", "~b", "a"]),
    )
    def put_writes(
        self, data: st.DataObject, writes: list[tuple[str, Any]], task: str, path: str
    ) -> None:
        self._write(self._any_config(data), writes, task, path)

    def _write(
        self, config: RunnableConfig, writes: list[tuple[str, Any]], task: str, path: str
    ) -> None:
        self.model.put_writes(config, writes, task, path)
        self.runner.run(self.saver.aput_writes(config, writes, task, path))

    @precondition(lambda self: self._spots())
    @rule(data=st.data(), filter=FILTERS, limit=st.none() | st.integers(0, 3))
    def list_some(self, data: st.DataObject, filter: Any, limit: int | None) -> None:
        config = self._any_config(data)
        exact = data.draw(st.booleans())
        before = None if exact or data.draw(st.booleans()) else config
        place = config if exact else _config(*_spot(config), None)
        expected = list(self.model.list(place, filter=filter, before=before, limit=limit))
        found = self.runner.run(
            _collect(self.saver.alist(place, filter=filter, before=before, limit=limit))
        )
        assert [_seen(one) for one in found] == [_seen(one) for one in expected]

    @rule(thread=st.sampled_from(THREADS))
    def delete_thread(self, thread: str) -> None:
        self.model.delete_thread(thread)
        self.runner.run(self.saver.adelete_thread(thread))

    @rule(runs=st.lists(st.sampled_from(RUNS), unique=True))
    def delete_runs(self, runs: list[str]) -> None:
        self.model.drop_runs(runs)
        self.runner.run(self.saver.adelete_for_runs(runs))

    @rule(thread=st.sampled_from(THREADS), strategy=st.sampled_from(["keep_latest", "delete"]))
    def prune(self, thread: str, strategy: Literal["keep_latest", "delete"]) -> None:
        if strategy == "delete":
            self.model.delete_thread(thread)
        else:
            self.model.prune_latest(thread)
        self.runner.run(self.saver.aprune([thread], strategy=strategy))

    @rule(threads=st.permutations(THREADS))
    def copy_thread(self, threads: list[str]) -> None:
        source, target, _ = threads
        self.delete_thread(target)
        self.model.copy(source, target)
        self.runner.run(self.saver.acopy_thread(source, target))

    @invariant()
    def same(self) -> None:
        """All that is kept is the same, and so is the newest of each place."""
        found = self.runner.run(_collect(self.saver.alist(None)))
        ours = {_key(one): _seen(one) for one in found}
        assert len(ours) == len(found)
        assert ours == {_key(one): _seen(one) for one in self.model.list(None)}
        for thread in THREADS:
            for namespace in NAMESPACES:
                config = _config(thread, namespace, None)
                expected, newest = (
                    self.model.get_tuple(config),
                    self.runner.run(self.saver.aget_tuple(config)),
                )
                assert _seen(newest) == _seen(expected)

    def _spots(self) -> list[tuple[str, str, str]]:
        return sorted(_key(one) for one in self.model.list(None))

    def _any_config(self, data: st.DataObject) -> RunnableConfig:
        return _config(*data.draw(st.sampled_from(self._spots())))


def _config(thread: str, namespace: str, checkpoint_id: str | None) -> RunnableConfig:
    named = {"thread_id": thread, "checkpoint_ns": namespace}
    return {"configurable": named | ({"checkpoint_id": checkpoint_id} if checkpoint_id else {})}


def _spot(config: RunnableConfig) -> Spot:
    return config["configurable"]["thread_id"], config["configurable"]["checkpoint_ns"]


def _key(one: CheckpointTuple) -> tuple[str, str, str]:
    return (*_spot(one.config), one.config["configurable"]["checkpoint_id"])


def _seen(one: CheckpointTuple | None) -> Any:
    if one is None:
        return None
    parent = one.parent_config["configurable"] if one.parent_config else None
    return _key(one), one.checkpoint, one.metadata, parent, one.pending_writes


async def _collect(tuples: AsyncIterator[CheckpointTuple]) -> list[CheckpointTuple]:
    return [one async for one in tuples]


def _opening(backend: str, keep: Keep, request: pytest.FixtureRequest) -> Opening:
    """Opens savers on storage of their own."""

    @asynccontextmanager
    async def sqlite() -> AsyncIterator[Saver]:
        with tempfile.TemporaryDirectory() as folder:
            database = await Database.open(Path(folder) / "tomato.db")
            yield SQLiteSaver(database, keep=keep)
            await database.close()

    @asynccontextmanager
    async def mongo() -> AsyncIterator[Saver]:
        server: MongoServer = request.getfixturevalue("mongo_server")
        async with AsyncMongoClient[dict[str, Any]](server.url()) as client:
            database = client[f"model_{secrets.token_hex(6)}"]
            yield MongoSaver(database, keep=keep, page_bytes=4096)  # so that pages are used
            await client.drop_database(database)

    @asynccontextmanager
    async def redis() -> AsyncIterator[Saver]:
        server: RedisServer = request.getfixturevalue("redis_server")
        async with Redis.from_url(server.url) as client:
            yield RedisSaver(client, keep=keep, prefix=f"model-{secrets.token_hex(6)}")
            await client.flushdb()

    return {"sqlite": sqlite, "mongo": mongo, "redis": redis}[backend]


@pytest.mark.parametrize("keep", ["all", "latest"])
@pytest.mark.parametrize("backend", ["sqlite", "mongo", "redis"])
def test_model(backend: str, keep: Keep, request: pytest.FixtureRequest) -> None:
    class Bound(Machine):
        opening = staticmethod(_opening(backend, keep, request))

    Bound.keep = keep
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Bound,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=20,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
