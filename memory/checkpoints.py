"""What LangGraph asks of a saver, brought down to a few steps that a store takes; knows no store.

Ids are checked here, once: nothing but text reaches a store as an id, and a filter on metadata is
evaluated here and never becomes part of a store's query.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, NoReturn

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    get_serializable_checkpoint_metadata,
    writes_sort_key,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from memory.checkpoint_codec import (
    Draft,
    Head,
    Write,
    checkpoint_of,
    draft,
    metadata_of,
    needs_ancestors,
)
from memory.errors import Conflict, Invalid, Unavailable
from memory.message_codec import decode, encode

Keep = Literal["all", "latest"]

LONGEST_ID = 4096
"""Of threads, namespaces and checkpoints, in bytes of UTF-8."""

ATTEMPTS = 50
STEP_SECONDS = 0.002

PREFETCHED = "prefetched"
"""In a config: an async function whose CheckpointTuple is taken for the newest checkpoint."""

BATCH = 50
"""How many checkpoints a listing reads at a time."""


class Place(NamedTuple):
    """Where checkpoints follow one another: a thread, and the namespace of a (sub)graph in it."""

    thread: str
    namespace: str


class Query(NamedTuple):
    """Which checkpoints to list; None for any. ``before`` is an id, itself not included."""

    thread: str | None
    namespace: str | None
    id: str | None
    before: str | None


class Found(NamedTuple):
    """A checkpoint's head and where it is."""

    place: Place
    head: Head


class Stored(NamedTuple):
    """A checkpoint with its items by number and its pending writes in any order."""

    place: Place
    head: Head
    items: Mapping[int, bytes]
    writes: Sequence[Write]


class Saver(BaseCheckpointSaver[int], ABC):
    """A saver that keeps each message once.

    With ``keep="latest"`` a put drops the checkpoints before it in its namespace, with what only
    they used, in the same atomic step; except where a DeltaChannel needs them. ``types`` are
    revived besides LangGraph's own; others come back as plain data. Only the async methods exist.
    """

    def __init__(self, *, keep: Keep = "all", types: Iterable[type] = ()) -> None:
        super().__init__(serde=JsonPlusSerializer(allowed_msgpack_modules=tuple(types) or None))
        self._keep = keep

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        prefetched = config["configurable"].get(PREFETCHED)
        if prefetched is not None and _is_newest(config):
            found: CheckpointTuple | None = await prefetched()
            return found
        stored = await self._read(_place(config), _id(config))
        return None if stored is None else self._tuple(stored)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Newest first. ``filter`` compares top-level metadata with plain values; else Invalid."""
        wanted = _checked_filter(filter)
        left = limit
        async for batch in self._heads(_query(config, before)):
            found = [one for one in batch if _matches(metadata_of(self.serde, one.head), wanted)]
            if left is not None:
                found = found[: max(left, 0)]
                left -= len(found)
            for stored in await self._complete(found) if found else ():
                yield self._tuple(stored)
            if left is not None and left <= 0:
                return

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        place, parent = _place(config), _id(config)
        _checked("checkpoint id", checkpoint["id"])
        whole = get_serializable_checkpoint_metadata(config, metadata)
        drafted = draft(self.serde, checkpoint, whole, parent)
        await self._put(
            place, drafted, alone=self._keep == "latest" and not needs_ancestors(metadata)
        )
        return _config(place, checkpoint["id"])

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        place, checkpoint_id = _place(config), _id(config)
        if checkpoint_id is None:
            raise Invalid.field("checkpoint_id", "it is missing")
        task, path = _checked("task_id", task_id), _checked("task_path", task_path)
        encoded = [
            Write(task, WRITES_IDX_MAP.get(channel, index), path, channel, self._encode(value))
            for index, (channel, value) in enumerate(writes)
        ]
        if encoded:
            await self._put_writes(place, checkpoint_id, encoded)

    async def adelete_thread(self, thread_id: str) -> None:
        await self._delete(_checked("thread_id", thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        runs = [_checked("run_id", run) for run in run_ids]
        if runs:
            await self._delete_runs(runs)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Copy a thread whole; Conflict when the target has anything in it."""
        source = _checked("source_thread_id", source_thread_id)
        target = _checked("target_thread_id", target_thread_id)
        if source != target:
            await self._copy(source, target)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep one checkpoint of each namespace (all, where a DeltaChannel needs them) or none."""
        threads = [_checked("thread_id", thread) for thread in thread_ids]
        if strategy not in ("keep_latest", "delete"):
            raise Invalid.field("strategy", "it is keep_latest or delete")
        for thread in threads:
            await (self._delete(thread) if strategy == "delete" else self._prune(thread))

    @abstractmethod
    async def _read(self, place: Place, checkpoint_id: str | None) -> Stored | None:
        """One checkpoint, the one of the highest id for None."""

    @abstractmethod
    def _heads(self, query: Query) -> AsyncIterator[Sequence[Found]]:
        """Heads that answer the query in batches of at most BATCH, newest first."""

    @abstractmethod
    async def _complete(self, found: Sequence[Found]) -> Sequence[Stored]:
        """Add items and writes; what was deleted meanwhile is left out."""

    @abstractmethod
    async def _put(self, place: Place, drafted: Draft, *, alone: bool) -> None:
        """Store a checkpoint; if ``alone``, nothing else of its namespace stays."""

    @abstractmethod
    async def _put_writes(self, place: Place, checkpoint_id: str, writes: Sequence[Write]) -> None:
        """Store writes; of one task and idx the first stays, or the last if it is negative."""

    @abstractmethod
    async def _delete(self, thread: str) -> None: ...

    @abstractmethod
    async def _delete_runs(self, runs: Sequence[str]) -> None: ...

    @abstractmethod
    async def _copy(self, source: str, target: str) -> None: ...

    @abstractmethod
    async def _prune(self, thread: str) -> None: ...

    def _needs_ancestors(self, head: Head) -> bool:
        return needs_ancestors(metadata_of(self.serde, head))

    def _encode(self, value: Any) -> bytes:
        return encode(self.serde, value)

    def _tuple(self, stored: Stored) -> CheckpointTuple:
        place, head = stored.place, stored.head
        writes = sorted(
            stored.writes, key=lambda write: writes_sort_key(write.path, write.task, write.idx)
        )
        return CheckpointTuple(
            config=_config(place, head.id),
            checkpoint=checkpoint_of(self.serde, head, stored.items),
            metadata=metadata_of(self.serde, head),
            parent_config=None if head.parent is None else _config(place, head.parent),
            pending_writes=[
                (write.task, write.channel, decode(self.serde, write.value)) for write in writes
            ],
        )


async def attempts() -> AsyncIterator[int]:
    """Tries of a put that others may be faster than, a growing while apart."""
    for attempt in range(ATTEMPTS):
        yield attempt
        await asyncio.sleep(attempt * random.uniform(0, STEP_SECONDS))  # noqa: S311
    raise Unavailable("The checkpoint is being written from many places at once.")


def refuse_copy() -> NoReturn:
    """For a store whose target thread is not empty."""
    raise Conflict("The thread to copy to is not empty.", code="thread_not_empty")


def _config(place: Place, checkpoint_id: str) -> RunnableConfig:
    return {
        "configurable": {
            "thread_id": place.thread,
            "checkpoint_ns": place.namespace,
            "checkpoint_id": checkpoint_id,
        }
    }


def _place(config: RunnableConfig) -> Place:
    named = config["configurable"]
    return Place(
        _checked("thread_id", named.get("thread_id")),
        _checked("checkpoint_ns", named.get("checkpoint_ns", "")),
    )


def _is_newest(config: RunnableConfig) -> bool:
    """Whether the newest checkpoint of the graph itself is meant, not one of a graph in it."""
    return not _place(config).namespace and _id(config) is None


def _id(config: RunnableConfig | None) -> str | None:
    """The checkpoint's id; LangGraph means by an empty one that there is none."""
    found = config["configurable"].get("checkpoint_id") if config else None
    return None if found is None or found == "" else _checked("checkpoint_id", found)


def _query(config: RunnableConfig | None, before: RunnableConfig | None) -> Query:
    if config is None:
        return Query(None, None, None, _id(before))
    place = _place(config)
    named = "checkpoint_ns" in config["configurable"]
    return Query(place.thread, place.namespace if named else None, _id(config), _id(before))


def _checked(name: str, value: object) -> str:
    """``value`` if it can be an id: text, of a bounded size."""
    if not isinstance(value, str):
        raise Invalid.field(name, "it has to be text")
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise Invalid.field(name, "it is not valid text") from error
    if size > LONGEST_ID:
        raise Invalid.field(name, f"it is longer than {LONGEST_ID} bytes")
    return value


def _checked_filter(filter: Mapping[Any, Any] | None) -> Mapping[str, object]:
    for key, value in (filter or {}).items():
        if _checked("filter", key).startswith("$"):
            raise Invalid.field("filter", "a key is the name of metadata, not an operator")
        if not isinstance(value, str | int | float | None):
            raise Invalid.field("filter", "a value is text, a number, true, false or null")
    return filter or {}


def _matches(metadata: Mapping[str, Any], wanted: Mapping[str, object]) -> bool:
    return all(metadata.get(key) == value for key, value in wanted.items())
