"""What a turn needs before it can ask the model, read while its question is being stored."""

import asyncio
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

from graphs.system_prompt import SystemPrompt


class Prefetch:
    """A room's checkpoint and the digest of its owner's archive, being read.

    What was read may be out of date once it is used: the graph compares it with the room.
    """

    def __init__(
        self, saver: BaseCheckpointSaver[Any], prompt: SystemPrompt, owner: str, room_id: str
    ) -> None:
        self._saver, self._prompt = saver, prompt
        # One task for both: a second costs more than it gains.
        self._reading = asyncio.create_task(self._read(owner, room_id))
        self._reading.add_done_callback(_seen)

    async def checkpoint(self, *, deletions: int) -> CheckpointTuple | None:
        """The newest checkpoint, none from before one of so many deletions in the room.

        A turn that fails writes back what it was given: of a text that was deleted meanwhile
        nothing may come with it. Raises what the saver does.
        """
        found = (await self._reading)[0]
        fits = found and found.checkpoint["channel_values"].get("deletions", 0) == deletions
        return found if fits else None

    async def digest(self) -> str:
        """The digest; raises what the archive does."""
        return (await self._reading)[1]

    async def _read(self, owner: str, room_id: str) -> tuple[CheckpointTuple | None, str]:
        checkpoint = await self._saver.aget_tuple({"configurable": {"thread_id": room_id}})
        return checkpoint, await self._prompt.digest(owner)


def _seen(reading: "asyncio.Task[Any]") -> None:
    """Asyncio complains of errors that nobody asked for; a turn that was refused asks for none."""
    if not reading.cancelled():
        reading.exception()
