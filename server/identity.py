"""Who is asking and what is theirs: the one place of identity and ownership on the HTTP side."""

from typing import Annotated

from fastapi import Depends, Request

from memory.records import Room, Run
from server.errors import APIError
from server.resources import AppResources
from server.schemas.fields import RoomId, RunId
from server.settings import Settings

LOCAL_USER = "local"


async def current_user(request: Request) -> str:
    """The asking user's uid; without a session the local user where that is on.

    Raises APIError 401 ``not_signed_in`` otherwise.
    """
    settings: Settings = request.app.state.settings
    if settings.local_user_on:
        return LOCAL_USER
    raise APIError(
        401,
        "not_signed_in",
        "Sign in first.",
        headers={"WWW-Authenticate": 'Bearer realm="tomato"'},
    )


CurrentUser = Annotated[str, Depends(current_user)]


async def owned_room(room_id: RoomId, user: CurrentUser, resources: AppResources) -> Room:
    """The asking user's room; NotFound ``room_not_found`` otherwise."""
    return await resources.rooms.get(user, room_id)


async def owned_run(run_id: RunId, user: CurrentUser, resources: AppResources) -> Run:
    """The asking user's run; NotFound ``run_not_found`` otherwise."""
    return await resources.run_records.get(user, run_id)


OwnedRoom = Annotated[Room, Depends(owned_room)]
OwnedRun = Annotated[Run, Depends(owned_run)]
