"""Each request that a client can make, as a value: address, body, the shape of its answer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

from server.schemas.accounts import LoginOut, MeOut, RegisteredOut
from server.schemas.archive import (
    CategoriesOut,
    DraftOut,
    EntryOut,
    FoundOut,
    ItemOut,
    NoDraftOut,
)
from server.schemas.chat import AnswerOut, RunOut, ToolsOut
from server.schemas.fields import PAGE, PageOut
from server.schemas.rooms import ContextOut, DeletedOut, MessageOut, RoomOut

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request; ``answer`` is the type that its JSON is read as, None for no content."""

    method: str
    path: str
    answer: Any = None
    json: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def register(username: str, password: str) -> Call[RegisteredOut]:
    """A new account; it still has to sign in."""
    body = {"username": username, "password": password}
    return Call(method="POST", path="/api/auth/register", json=body, answer=RegisteredOut)


def login(username: str, password: str) -> Call[LoginOut]:
    """A new session; give its sid to a client of its own."""
    body = {"username": username, "password": password}
    return Call(method="POST", path="/api/auth/login", json=body, answer=LoginOut)


def me() -> Call[MeOut]:
    return Call(method="GET", path="/api/auth/me", answer=MeOut)


def logout() -> Call[None]:
    return Call(method="POST", path="/api/auth/logout")


def logout_all() -> Call[None]:
    return Call(method="POST", path="/api/auth/logout-all")


def delete_account(password: str) -> Call[None]:
    """The account and all its data."""
    return Call(method="DELETE", path="/api/auth/me", json={"password": password})


def create_room(title: str | None = None) -> Call[RoomOut]:
    return Call(method="POST", path="/api/rooms", json=_given(title=title), answer=RoomOut)


def rooms(limit: int = PAGE, cursor: str | None = None) -> Call[PageOut[RoomOut]]:
    """The newest activity first."""
    return _page("/api/rooms", PageOut[RoomOut], limit, cursor)


def room(room_id: str) -> Call[RoomOut]:
    return Call(method="GET", path=f"/api/rooms/{_part(room_id)}", answer=RoomOut)


def rename_room(room_id: str, title: str) -> Call[RoomOut]:
    path = f"/api/rooms/{_part(room_id)}"
    return Call(method="PATCH", path=path, json={"title": title}, answer=RoomOut)


def make_title(room_id: str) -> Call[RoomOut]:
    """A new title from the conversation; it may replace the person's own."""
    return Call(method="POST", path=f"/api/rooms/{_part(room_id)}/title", answer=RoomOut)


def delete_room(room_id: str) -> Call[None]:
    return Call(method="DELETE", path=f"/api/rooms/{_part(room_id)}")


def messages(
    room_id: str, limit: int = PAGE, cursor: str | None = None
) -> Call[PageOut[MessageOut]]:
    """The newest first."""
    return _page(f"/api/rooms/{_part(room_id)}/messages", PageOut[MessageOut], limit, cursor)


def delete_messages(room_id: str, keys: Sequence[str]) -> Call[DeletedOut]:
    return Call(
        method="DELETE",
        path=f"/api/rooms/{_part(room_id)}/messages",
        json={"keys": list(keys)},
        answer=DeletedOut,
    )


def context(room_id: str) -> Call[ContextOut]:
    """What the next model call would carry."""
    return Call(method="GET", path=f"/api/rooms/{_part(room_id)}/context", answer=ContextOut)


def answer(
    room_id: str,
    message: str,
    tools: Sequence[str] | None = None,
    idempotency_key: str | None = None,
) -> Call[AnswerOut]:
    """Ask, and have the answer when it is whole."""
    return Call(
        method="POST",
        path=f"/api/rooms/{_part(room_id)}/chat",
        json={**_given(tools=_listed(tools)), "message": message, "stream": False},
        headers=_given(**{"Idempotency-Key": idempotency_key}),
        answer=AnswerOut,
    )


def chat(
    room_id: str, message: str, tools: Sequence[str] | None, idempotency_key: str
) -> Call[None]:
    """Ask, and have the answer as a stream of events."""
    return Call(
        method="POST",
        path=f"/api/rooms/{_part(room_id)}/chat",
        json={**_given(tools=_listed(tools)), "message": message, "stream": True},
        headers={"Idempotency-Key": idempotency_key},
    )


def events(run_id: str, after: int = 0) -> Call[None]:
    """The events of a run past ``after``, as a stream."""
    return Call(
        method="GET",
        path=f"/api/runs/{_part(run_id)}/events",
        headers={"Last-Event-ID": str(after)},
    )


def cancel(run_id: str) -> Call[RunOut]:
    return Call(method="POST", path=f"/api/runs/{_part(run_id)}/cancel", answer=RunOut)


def tools() -> Call[ToolsOut]:
    return Call(method="GET", path="/api/tools", answer=ToolsOut)


def draft(content: str, category: str | None = None) -> Call[DraftOut | NoDraftOut]:
    """What an entry could look like; nothing is stored."""
    return Call(
        method="POST",
        path="/api/archive/drafts",
        json={"content": content, **_given(category=category)},
        answer=DraftOut | NoDraftOut,
    )


def save(
    content: str, summary: str, category: str, source: Mapping[str, str] | None = None
) -> Call[EntryOut]:
    return Call(
        method="POST",
        path="/api/archive",
        json={
            **_given(source=source),
            "content": content,
            "summary": summary,
            "category": category,
        },
        answer=EntryOut,
    )


def archive(
    category: str | None = None, limit: int = PAGE, cursor: str | None = None
) -> Call[PageOut[ItemOut]]:
    """Entries without their contents, the newest first."""
    return _page("/api/archive", PageOut[ItemOut], limit, cursor, category=category)


def search(
    query: str, category: str | None = None, limit: int = PAGE, cursor: str | None = None
) -> Call[PageOut[FoundOut]]:
    """Entries that match, the best first."""
    return _page("/api/archive", PageOut[FoundOut], limit, cursor, q=query, category=category)


def entry(entry_id: str) -> Call[EntryOut]:
    return Call(method="GET", path=f"/api/archive/{_part(entry_id)}", answer=EntryOut)


def change_entry(
    entry_id: str,
    summary: str | None = None,
    category: str | None = None,
    content: str | None = None,
    version: int | None = None,
) -> Call[EntryOut]:
    """Change what is given; refused with 412 if the entry is not at ``version`` any more."""
    return Call(
        method="PATCH",
        path=f"/api/archive/{_part(entry_id)}",
        json=_given(summary=summary, category=category, content=content),
        headers={} if version is None else {"If-Match": f'"{version}"'},
        answer=EntryOut,
    )


def delete_entry(entry_id: str) -> Call[None]:
    return Call(method="DELETE", path=f"/api/archive/{_part(entry_id)}")


def categories() -> Call[CategoriesOut]:
    return Call(method="GET", path="/api/archive/categories", answer=CategoriesOut)


def _page(
    path: str, shape: type[T], limit: int, cursor: str | None, **params: str | None
) -> Call[T]:
    asked = _given(limit=limit, cursor=cursor, **params)
    return Call(method="GET", path=path, params=asked, answer=shape)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


def _part(value: str) -> str:
    return quote(value, safe="")
