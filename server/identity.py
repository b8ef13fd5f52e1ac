"""Who is asking and what is theirs: the one place of identity and ownership on the HTTP side.

A session's id comes as ``Authorization: Bearer``, as the cookie or, on /api/auth alone, in the
body. Nothing else that a client sends says who it is.
"""

from functools import partial
from typing import Annotated

from fastapi import Body, Depends, Request

from memory.accounts import Session
from memory.records import Entry, Room, Run
from memory.sessions import is_sid
from server.context import LOCAL_USER, uid_now
from server.errors import APIError
from server.resources import AppResources, Resources
from server.schemas.accounts import SessionIn
from server.schemas.archive import EntryId
from server.schemas.fields import RoomId, RunId
from server.settings import Settings
from server.sse import Watched

COOKIE = "tomatoSID"

_SCHEME = "bearer "


async def session_of(
    request: Request, resources: Resources, in_body: str | None = None
) -> Session | None:
    """The session of a request; None if it brings no sid at all.

    Raises APIError 401 ``session_expired`` or ``bad_session``, 400 ``sid_mismatch`` for a body that
    contradicts the header.
    """
    sid = _sid(request, in_body)
    if sid is None:
        return None
    if not is_sid(sid):
        raise _refused(request, "bad_session", "This is no session of ours. Sign in first.")
    session = await resources.sessions.use(sid)
    if session is None:
        raise _refused(request, "session_expired", "This session is over. Sign in again.")
    uid_now.set(session.uid)
    request.state.session = session
    return session


async def current_user(request: Request, resources: AppResources) -> str:
    """The asking user's uid; without a sid the local user where that is on.

    Raises APIError 401 ``not_signed_in``, ``session_expired`` or ``bad_session``.
    """
    session = await session_of(request, resources)
    return known_user(request, session)


def known_user(request: Request, session: Session | None) -> str:
    """The session's user, or the local one; APIError 401 ``not_signed_in``."""
    if session is not None:
        return session.uid
    settings: Settings = request.app.state.settings
    if settings.local_user_on:
        uid_now.set(LOCAL_USER)
        return LOCAL_USER
    raise _refused(request, "not_signed_in", "Sign in first.")


CurrentUser = Annotated[str, Depends(current_user)]
SessionInBody = Annotated[SessionIn | None, Body()]


async def account_user(
    request: Request, resources: AppResources, given: SessionInBody = None
) -> str:
    """The same on /api/auth, where a body may name the session too."""
    session = await session_of(request, resources, given.tomatoSID if given else None)
    return known_user(request, session)


AccountUser = Annotated[str, Depends(account_user)]


async def owned_room(room_id: RoomId, user: CurrentUser, resources: AppResources) -> Room:
    """The asking user's room; NotFound ``room_not_found`` otherwise."""
    return await resources.rooms.get(user, room_id)


async def owned_run(run_id: RunId, user: CurrentUser, resources: AppResources) -> Run:
    """The asking user's run; NotFound ``run_not_found`` otherwise."""
    return await resources.run_records.get(user, run_id)


async def owned_entry(entry_id: EntryId, user: CurrentUser, resources: AppResources) -> Entry:
    """The asking user's archive entry, whole; NotFound ``entry_not_found`` otherwise."""
    return await resources.archive.get(user, entry_id)


OwnedRoom = Annotated[Room, Depends(owned_room)]
OwnedRun = Annotated[Run, Depends(owned_run)]
OwnedEntry = Annotated[Entry, Depends(owned_entry)]


def session_watch(request: Request, resources: Resources) -> Watched | None:
    """Tells when the session of a request is over; None for the local user."""
    session: Session | None = getattr(request.state, "session", None)
    return None if session is None else partial(resources.sessions.watched, session)


def _sid(request: Request, in_body: str | None) -> str | None:
    authorization = request.headers.get("authorization")
    in_header = None
    if authorization is not None:
        if not authorization.lower().startswith(_SCHEME):
            raise _refused(request, "bad_session", "Send `Authorization: Bearer <sid>`.")
        in_header = authorization[len(_SCHEME) :].strip()
    if in_body is not None and in_header not in (None, in_body):
        raise APIError(400, "sid_mismatch", "The body names another session than the header.")
    return in_header or in_body or request.cookies.get(COOKIE)


def _refused(request: Request, code: str, message: str) -> APIError:
    headers = {"WWW-Authenticate": 'Bearer realm="tomato"'}
    if COOKIE in request.cookies:
        headers["Set-Cookie"] = cookie(request.app.state.settings, "", 0)
    return APIError(401, code, message, headers=headers)


def cookie(settings: Settings, sid: str, seconds: int) -> str:
    """The cookie that keeps a sid for so long; 0 seconds take it away."""
    secure = "; Secure" if settings.env == "prod" else ""
    return f"{COOKIE}={sid}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
