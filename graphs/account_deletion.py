"""The end of an account: all that is a user's goes, their record last."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from graphs.forgetting import Forgetting
from memory.accounts import Sessions, Users
from memory.blobs import Blobs
from memory.errors import Conflict, NotFound
from memory.protocols import Archive, Rooms
from memory.runs import Runs
from memory.usage import UsageRecords

PAGE = 100
STOP_TRIES = 100
STOP_PAUSE = 0.1
"""Seconds between two looks whether a turn has stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDeletion:
    """Deletes accounts; what was cut short is finished by asking again."""

    users: Users
    sessions: Sessions
    rooms: Rooms
    runs: Runs
    archive: Archive
    blobs: Blobs
    usage: UsageRecords
    forgetting: Forgetting

    async def delete(self, uid: str) -> None:
        """Delete a user and all that is theirs, running turns included.

        Conflict ``room_busy`` if a turn can't be stopped in time; the user is signed out for good
        by then.
        """
        await self.users.set_disabled(uid, True)
        await self.sessions.close_all(uid)
        await self._content(uid)
        await self.usage.delete_all(uid)
        # Sessions that were being opened meanwhile, and what requests from before still brought.
        await self.sessions.close_all(uid)
        await self._content(uid)
        await self.users.delete(uid)
        await self.forgetting.wipe()

    async def _content(self, uid: str) -> None:
        """Delete rooms and entries until there are none."""
        found = True
        while found:
            rooms = await self.rooms.ids(uid)
            for room_id in rooms:
                with suppress(NotFound):
                    await self._room(uid, room_id)
            entries = (await self.archive.page(uid, limit=PAGE)).items
            for entry in entries:
                with suppress(NotFound):
                    await self.archive.delete(uid, entry.id)
            found = bool(rooms or entries)
        await self.forgetting.wipe()
        # After the wipe, which takes the blobs of deleted entries, nothing should be left here.
        await self.blobs.delete_all(uid)

    async def _room(self, uid: str, room_id: str) -> None:
        """Delete a room, its running turn stopped first."""
        for _ in range(STOP_TRIES - 1):
            with suppress(Conflict):
                return await self._stopped_room(uid, room_id)
            await asyncio.sleep(STOP_PAUSE)
        return await self._stopped_room(uid, room_id)

    async def _stopped_room(self, uid: str, room_id: str) -> None:
        room = await self.rooms.get(uid, room_id)
        if room.running is not None:
            await self.runs.cancel(uid, room.running)
        await self.forgetting.room(room)
