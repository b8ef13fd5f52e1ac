"""People and their sessions as the rest of Tomato asks for them; knows no store and no HTTP.

What everything else calls ``owner`` is a user's ``uid``, which never changes.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from memory.records import Page


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A person who can sign in; ``username`` is as they wrote it."""

    uid: str
    username: str
    created_at: datetime
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A signed-in user's session; ``id`` is the SHA-256 of the sid (64 hex digits), never the sid.

    It ends at ``expires_at`` unless it is used before, and at ``ends_at`` in any case.
    """

    id: str
    uid: str
    created_at: datetime
    expires_at: datetime
    ends_at: datetime


class Users(Protocol):
    """Users by uid and by name; names are unique under NFKC and case folding."""

    async def add(self, username: str, password_hash: str) -> User:
        """Register a user; Conflict ``username_taken``, and of two at once exactly one wins."""
        ...

    async def get(self, uid: str) -> User:
        """NotFound ``user_not_found``."""
        ...

    async def by_name(self, username: str) -> tuple[User, str] | None:
        """The user of that name with the hash of their password."""
        ...

    async def set_password_hash(self, uid: str, password_hash: str) -> None: ...

    async def set_disabled(self, uid: str, disabled: bool) -> None: ...

    async def page(self, *, limit: int, cursor: str | None = None) -> Page[User]:
        """Users by name."""
        ...

    async def delete(self, uid: str) -> None:
        """Delete the user's record alone; nothing happens if it is gone."""
        ...


class Sessions(Protocol):
    """Open sessions; only a digest of each sid is kept."""

    async def open(self, uid: str) -> tuple[str, Session]:
        """A new session and its sid: 256 random bits as 43 characters of URL-safe base64."""
        ...

    async def use(self, sid: str) -> Session | None:
        """The open session of a sid, its expiry moved on; None if it is over or never was."""
        ...

    async def close(self, session_id: str) -> None:
        """End a session at once; whoever watches it is told."""
        ...

    async def close_all(self, uid: str) -> int:
        """End every session of a user; how many there were."""
        ...

    def watched(self, session: Session, over: Callable[[], None]) -> AbstractContextManager[None]:
        """Within this context ``over`` is called, perhaps repeatedly, when the session is over.

        That is soon after it has expired or any process has closed it.
        """
        ...
