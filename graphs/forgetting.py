"""Deletion that is true: what was said is gone from all that was made of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

from langgraph.checkpoint.base import BaseCheckpointSaver

from graphs.open_turns import OpenTurns
from graphs.upkeep import Upkeep
from memory.errors import Conflict
from memory.protocols import History, Rooms
from memory.records import Deleted, Room
from memory.runs import Runs

T = TypeVar("T")


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
        open_turns: OpenTurns,
        checkpointer: BaseCheckpointSaver[Any],
        upkeep: Upkeep,
        wipe: Callable[[], Awaitable[None]],
    ) -> None:
        self._rooms = rooms
        self._history = history
        self._runs = runs
        self._open_turns = open_turns
        self._checkpointer = checkpointer
        self._upkeep = upkeep
        self.wipe = wipe

    async def messages(self, room: Room, keys: Sequence[str]) -> Deleted:
        """Delete messages; the summary is made anew from what remains.

        NotFound ``message_not_found`` or Conflict ``room_busy``: then nothing is deleted.
        """
        delete = partial(self._history.delete, room.owner, room.id, keys)
        deleted = await self._with_copies(room, delete)
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
        await self._with_copies(room, partial(self._rooms.delete, room.owner, room.id))
        await self.wipe()

    async def _with_copies(self, room: Room, delete: Callable[[], Awaitable[T]]) -> T:
        """Delete, and what is copied of it: checkpoints, which are made again, and events.

        The copies go first: while they can't be reached nothing is deleted, and who asks again is
        not told that it is gone. And once more after it, for a turn may have ended between.
        """
        await self._drop_copies(room)
        try:
            deleted = await delete()
        except Conflict as conflict:
            if not await self._open_turns.closed(room.owner, conflict):
                raise
            deleted = await delete()
        await self._drop_copies(room)
        return deleted

    async def _drop_copies(self, room: Room) -> None:
        await self._checkpointer.adelete_thread(room.id)
        await self._runs.forget(room.id)
