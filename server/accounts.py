"""Accounts: signing up, in and out, what is kept of a person, and its end."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import StreamingResponse

from memory.accounts import Session, User
from server.bodies import JSONRoute
from server.context import LOCAL_USER
from server.errors import APIError, documented
from server.export import export_of
from server.first_piece import begun
from server.identity import AccountUser, SessionInBody, cookie, known_user, session_of
from server.resources import AppResources, Resources
from server.schemas.accounts import (
    GoodbyeIn,
    LoginIn,
    LoginOut,
    MeOut,
    RegisteredOut,
    RegisterIn,
    SessionIn,
    UserOut,
)

router = APIRouter(prefix="/api/auth", tags=["accounts"], route_class=JSONRoute)

NOBODY = User(uid=LOCAL_USER, username=LOCAL_USER, created_at=datetime.fromtimestamp(0, UTC))


@router.post(
    "/register", summary="Sign up", status_code=201, responses=documented(403, 409, 413, 415, 429)
)
async def register(new: RegisterIn, request: Request, resources: AppResources) -> RegisteredOut:
    """A new account; names are unique whatever their case and width."""
    if not resources.settings.registration:
        raise APIError(403, "registration_closed", "New accounts are made by the operator here.")
    await resources.rate_limits.spend("register", _address(request))
    user = await resources.people.register(new.username, new.password)
    return RegisteredOut(user=UserOut.model_validate(user))


@router.post("/login", summary="Sign in", responses=documented(413, 415, 429))
async def login(
    given: LoginIn, request: Request, response: Response, resources: AppResources
) -> LoginOut:
    """A new session, as a value and as a cookie; the same words whatever was wrong."""
    await resources.rate_limits.spend("login_address", _address(request))
    await resources.rate_limits.spend("login_name", resources.people.key_of(given.username))
    user = await resources.people.authenticate(given.username, given.password)
    if user is None:
        raise APIError(401, "bad_credentials", "The name or the password is wrong.")
    sid, session = await resources.sessions.open(user.uid)
    longest = int(resources.settings.session_max_seconds)
    response.headers["Set-Cookie"] = cookie(resources.settings, sid, longest)
    return LoginOut(sid=sid, expires_at=session.expires_at, user=UserOut.model_validate(user))


@router.get("/me", summary="Who is asking", responses=documented(413, 415))
async def me(request: Request, resources: AppResources, given: SessionInBody = None) -> MeOut:
    """The user, and until when the session lasts; asking moves that on."""
    session = await session_of(request, resources, given.tomatoSID if given else None)
    if session is None:
        known_user(request, session)
        return MeOut(user=UserOut.model_validate(NOBODY), expires_at=None)
    user = await resources.users.get(session.uid)
    return MeOut(user=UserOut.model_validate(user), expires_at=session.expires_at)


async def signed_in(
    request: Request, resources: AppResources, given: SessionInBody = None
) -> Session:
    """The session that is meant, by header, body or cookie; APIError 401 without one."""
    return await _signed_in(request, resources, given)


SignedIn = Annotated[Session, Depends(signed_in)]


@router.post("/logout", summary="Sign out", status_code=204, responses=documented(413, 415))
async def logout(session: SignedIn, response: Response, resources: AppResources) -> None:
    """This session is gone at once, and what was kept under it."""
    await resources.sessions.close(session.id)
    _take_cookie(response, resources)


@router.post(
    "/logout-all", summary="Sign out everywhere", status_code=204, responses=documented(413, 415)
)
async def logout_all(session: SignedIn, response: Response, resources: AppResources) -> None:
    """Every session of the user is gone at once."""
    await resources.sessions.close_all(session.uid)
    _take_cookie(response, resources)


@router.get(
    "/me/export",
    summary="Export",
    response_class=StreamingResponse,
    responses={**documented(413, 415), 200: {"content": {"application/zip": {}}}},
)
async def export(user: AccountUser, resources: AppResources) -> StreamingResponse:
    """A zip of all that is kept on the user: account, rooms, archive, files, usage."""
    account = NOBODY if user == LOCAL_USER else await resources.users.get(user)
    headers = {
        "Content-Disposition": 'attachment; filename="tomato-export.zip"',
        "Cache-Control": "no-store",
    }
    chunks = await begun(export_of(account, resources))
    return StreamingResponse(chunks, media_type="application/zip", headers=headers)


@router.delete(
    "/me",
    summary="Delete the account",
    status_code=204,
    responses=documented(409, 413, 415, 429),
)
async def goodbye(
    given: GoodbyeIn, request: Request, response: Response, resources: AppResources
) -> None:
    """The account and all its data, everywhere."""
    session = await _signed_in(request, resources, given)
    user = await resources.users.get(session.uid)
    await resources.rate_limits.spend("login_name", resources.people.key_of(user.username))
    if await resources.people.authenticate(user.username, given.password) is None:
        raise APIError(401, "bad_credentials", "The password is wrong.")
    await resources.account_deletion.delete(user.uid)
    _take_cookie(response, resources)


async def _signed_in(request: Request, resources: Resources, given: SessionIn | None) -> Session:
    session = await session_of(request, resources, given.tomatoSID if given else None)
    if session is None:
        raise APIError(401, "not_signed_in", "Sign in first.")
    return session


def _take_cookie(response: Response, resources: Resources) -> None:
    response.headers["Set-Cookie"] = cookie(resources.settings, "", 0)


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"
