"""Checkpoints kept in a durable saver and served from a fast one; knows neither's store.

The fast copy may be lost at any time. Whoever reads a checkpoint that is behind the history makes
it anew from there, so that a copy which missed a write does no harm.
"""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)

from memory.errors import Unavailable

_log = logging.getLogger(__name__)

Saver = BaseCheckpointSaver[Any]


class HotSaver(BaseCheckpointSaver[Any]):
    """``hot`` answers for the newest checkpoint of a thread, ``durable`` for everything else."""

    def __init__(self, hot: Saver, durable: Saver) -> None:
        super().__init__()
        self._hot = hot
        self._durable = durable

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        if config["configurable"].get("checkpoint_id"):
            return await self._durable.aget_tuple(config)
        try:
            found = await self._hot.aget_tuple(config)
        except Unavailable:
            _log.warning("the fast store is away")
            found = None
        return found or await self._durable.aget_tuple(config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        kept = await self._durable.aput(config, checkpoint, metadata, new_versions)
        try:
            await self._hot.aput(config, checkpoint, metadata, new_versions)
        except Unavailable:
            _log.warning("the fast store is away")
        return kept

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        await self._durable.aput_writes(config, writes, task_id, task_path)
        # The copy has no pending writes: without it, the thread is read from where they are.
        await self._hot.adelete_thread(config["configurable"]["thread_id"])

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        async for found in self._durable.alist(config, filter=filter, before=before, limit=limit):
            yield found

    async def adelete_thread(self, thread_id: str) -> None:
        # The copy first, so that nothing is served any more that was deleted.
        await self._hot.adelete_thread(thread_id)
        await self._durable.adelete_thread(thread_id)

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        for thread_id in thread_ids:
            await self._hot.adelete_thread(thread_id)
        await self._durable.aprune(thread_ids, strategy=strategy)

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        await self._hot.adelete_thread(target_thread_id)
        await self._durable.acopy_thread(source_thread_id, target_thread_id)

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        await self._hot.adelete_for_runs(run_ids)
        await self._durable.adelete_for_runs(run_ids)

    def get_next_version(self, current: Any, channel: None) -> Any:
        return self._durable.get_next_version(current, channel)
