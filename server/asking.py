"""A message to the agent: what every way to it does before there is an answer to follow."""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from memory.errors import Conflict, NotFound, StoreError
from memory.records import Run
from memory.times import now
from server.resources import Resources

UNLISTED_FOR = timedelta(hours=24)
"""How long a room stays that was made for one message and is in no list."""

UNLISTED_TITLE = "API"


async def ask(
    resources: Resources,
    user: str,
    room_id: str | None,
    message: str,
    *,
    tools: Sequence[str] | None = None,
    idempotency_key: str | None = None,
    request_id: str,
) -> Run:
    """Start a turn, within the user's limits; without a room in one of its own, in no list.

    That room is the same for the same key, so that the key holds there too.

    Raises APIError 429 ``too_many_requests`` or ``quota``, else as ``Turns.start``.
    """
    await resources.rate_limits.spend_by_user("chat", user)
    await resources.accounting.admit(user)
    room = await _own_room(resources, user, idempotency_key) if room_id is None else room_id
    try:
        return await resources.turns.start(
            user,
            room,
            message,
            tools=tools,
            idempotency_key=idempotency_key,
            request_id=request_id,
        )
    except StoreError:
        if room_id is None and idempotency_key is None:  # a key's room may be an earlier call's
            await resources.rooms.delete(user, room)
        raise


async def _own_room(resources: Resources, user: str, key: str | None) -> str:
    """A room that is in no list; a few of those that had their day go for it."""
    for old in await resources.rooms.unlisted(user, before=now() - UNLISTED_FOR):
        with suppress(NotFound, Conflict):
            await resources.forgetting.room(old)
    room_id = None if key is None else _room_of(user, key)
    return (await resources.rooms.create(user, UNLISTED_TITLE, listed=False, room_id=room_id)).id


def _room_of(user: str, key: str) -> str:
    """The room of an idempotency key, which holds for its user alone."""
    return f"room_{hashlib.sha256(f'{user} {key}'.encode()).hexdigest()[:24]}"
