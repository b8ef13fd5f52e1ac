"""Deletion that is true: what was said is gone from all that was made of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver

from graphs.upkeep import Upkeep
from memory.protocols import History, Rooms
from memory.records import Deleted, Room
from memory.runs import Runs


class Forgetting:
    """Deletes messages and rooms with their checkpoints, events, summary and made title.

    ``wipe`` removes the last bytes of what was deleted from the durable store.
    """

    def __init__(
        self,
        *,
        rooms: Rooms,
        history: History,
        runs: Runs,
        checkpointer: BaseCheckpointSaver[Any],
        upkeep: Upkeep,
        wipe: Callable[[], Awaitable[None]],
    ) -> None:
        self._rooms = rooms
        self._history = history
        self._runs = runs
        self._checkpointer = checkpointer
        self._upkeep = upkeep
        self.wipe = wipe

    async def messages(self, room: Room, keys: Sequence[str]) -> Deleted:
        """Delete messages; the summary is made anew from what remains.

        NotFound ``message_not_found`` or Conflict ``room_busy``: then nothing is deleted.
        """
        # The checkpoint first: it is only a copy, made again from the history when it is missing.
        await self._checkpointer.adelete_thread(room.id)
        deleted = await self._history.delete(room.owner, room.id, keys)
        # And once more: a turn may have ended between the two.
        await self._checkpointer.adelete_thread(room.id)
        await self._runs.forget(room.id)
        left = await self._rooms.get(room.owner, room.id)
        if deleted.title_cleared:
            self._upkeep.title_soon(left)
        if deleted.summary == "cleared" and room.summary is not None:
            rebuilt = await self._upkeep.fold(left, up_to=room.summary.covers_up_to)
            if rebuilt.summary is not None:
                deleted = replace(deleted, summary="rebuilt")
        await self.wipe()
        return deleted

    async def room(self, room: Room) -> None:
        """Delete a room and all that is kept of it; Conflict ``room_busy`` while a turn runs."""
        # While a copy can't be deleted, the room stays: asked again, it is then deleted whole.
        await self._checkpointer.adelete_thread(room.id)
        await self._rooms.delete(room.owner, room.id)
        await self._checkpointer.adelete_thread(room.id)
        await self._runs.forget(room.id)
        await self.wipe()
