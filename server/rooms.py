"""Rooms and their messages."""

from typing import Annotated

from fastapi import APIRouter, Body

from memory.errors import Invalid
from memory.keys import turn_of
from memory.retention import Keep
from memory.times import now
from server.bodies import JSONRoute
from server.errors import documented
from server.identity import CurrentUser, OwnedRoom
from server.resources import AppResources
from server.schemas.fields import PAGE, Cursor, Limit, PageOut
from server.schemas.rooms import (
    ContextOut,
    DeletedOut,
    MessageKeysIn,
    MessageOut,
    RoomIn,
    RoomOut,
    RoomTitleIn,
)

router = APIRouter(prefix="/api/rooms", tags=["rooms"], route_class=JSONRoute)


@router.post("", summary="Open a room", status_code=201, responses=documented(413, 415))
async def create_room(
    user: CurrentUser, resources: AppResources, new: Annotated[RoomIn | None, Body()] = None
) -> RoomOut:
    """A new room, with the person's own title if one is given."""
    room = await resources.rooms.create(user, new.title if new else None)
    return RoomOut.model_validate(room)


@router.get("", summary="Rooms", responses=documented())
async def list_rooms(
    user: CurrentUser, resources: AppResources, limit: Limit = PAGE, cursor: Cursor = None
) -> PageOut[RoomOut]:
    """Rooms, the newest activity first."""
    page = await resources.rooms.page(user, limit=limit, cursor=cursor)
    return PageOut[RoomOut].model_validate(page)


@router.get("/{room_id}", summary="A room", responses=documented(404))
async def get_room(room: OwnedRoom) -> RoomOut:
    return RoomOut.model_validate(room)


@router.patch("/{room_id}", summary="Rename a room", responses=documented(404, 413, 415))
async def rename_room(
    room: OwnedRoom, new: RoomTitleIn, user: CurrentUser, resources: AppResources
) -> RoomOut:
    """The person's own title, which no made one replaces unasked."""
    return RoomOut.model_validate(await resources.rooms.rename(user, room.id, new.title))


@router.delete(
    "/{room_id}", summary="Delete a room", status_code=204, responses=documented(404, 409)
)
async def delete_room(room: OwnedRoom, resources: AppResources) -> None:
    """With all its messages, checkpoints, summary and runs; 409 while a turn runs in it."""
    await resources.forgetting.room(room)


@router.post("/{room_id}/title", summary="Make a title", responses=documented(404, 409))
async def make_title(room: OwnedRoom, user: CurrentUser, resources: AppResources) -> RoomOut:
    """A new title from the conversation alone; it may replace the person's own."""
    return RoomOut.model_validate(await resources.upkeep.retitle(user, room.id))


@router.get("/{room_id}/messages", summary="Messages", responses=documented(404))
async def list_messages(
    room: OwnedRoom,
    user: CurrentUser,
    resources: AppResources,
    limit: Limit = PAGE,
    cursor: Cursor = None,
) -> PageOut[MessageOut]:
    """Messages, newest first."""
    _check_cursor(cursor)
    page = await resources.history.page(user, room.id, limit=limit, cursor=cursor)
    return PageOut[MessageOut].model_validate(page)


@router.delete(
    "/{room_id}/messages", summary="Delete messages", responses=documented(404, 409, 413, 415)
)
async def delete_messages(
    room: OwnedRoom, chosen: MessageKeysIn, resources: AppResources
) -> DeletedOut:
    """All of them or, if any key is not in the room, none."""
    gone = DeletedOut.model_validate(await resources.forgetting.messages(room, chosen.keys))
    settings = resources.settings
    if settings.backup_at is not None:
        gone.backups_until = Keep.parse(settings.backup_keep).gone_by(now())
    return gone


@router.get("/{room_id}/context", summary="Context", responses=documented(404))
async def get_context(room: OwnedRoom, resources: AppResources) -> ContextOut:
    """What the next model call would carry."""
    return ContextOut.model_validate(await resources.preview.of(room))


def _check_cursor(cursor: str | None) -> None:
    """Messages are paged by their keys."""
    if cursor is None:
        return
    try:
        turn_of(cursor)
    except ValueError as error:
        raise Invalid.field("cursor", "this is not a cursor that this list gave") from error
