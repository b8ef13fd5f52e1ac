"""Checkpoints of rooms in Redis, which may lose them or be away at any time.

Whoever reads a checkpoint that is missing, or behind the history, makes it anew from there: so a
turn goes on without one, and one that missed a write does no harm.
"""

import logging

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)

from memory.errors import Unavailable
from memory.redis.checkpoints import RedisSaver

_log = logging.getLogger(__name__)


class HotSaver(RedisSaver):
    """RedisSaver for what stands in the history too. What is deleted is still deleted, or fails."""

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        try:
            return await super().aget_tuple(config)
        except Unavailable:
            _log.warning("Redis is away: a room's state is made anew from its history")
            return None

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        try:
            return await super().aput(config, checkpoint, metadata, new_versions)
        except Unavailable:
            _log.warning("Redis is away: a room's state is not kept")
            return config
