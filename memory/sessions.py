"""Sessions: how their ids are made and how long they last; who waits for their end. No store."""

import asyncio
import base64
import hashlib
import re
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from memory.accounts import Session
from memory.errors import StoreError
from memory.times import now

WATCH_SECONDS = 1.0
"""How often the store is asked whether the sessions that somebody waits for are still open."""

_SID = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_SLID_AT_MOST_EVERY = timedelta(seconds=60)


def new_sid() -> str:
    """256 random bits as 43 characters of URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def is_sid(text: str) -> bool:
    """Whether a text has the form of a sid."""
    return _SID.match(text) is not None


def session_id(sid: str) -> str:
    """What is kept of a sid: the SHA-256 of it, in hex."""
    return hashlib.sha256(sid.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A session ends when it was not used for ``idle``, and after ``longest`` in any case."""

    idle: timedelta
    longest: timedelta

    def opened(self, sid: str, uid: str) -> Session:
        moment = _now()
        return Session(
            id=session_id(sid),
            uid=uid,
            created_at=moment,
            expires_at=moment + min(self.idle, self.longest),
            ends_at=moment + self.longest,
        )

    def used(self, session: Session) -> Session:
        """The session with its expiry moved on; itself while that is hardly worth a write."""
        expires_at = min(_now() + self.idle, session.ends_at)
        if expires_at - session.expires_at < min(self.idle / 100, _SLID_AT_MOST_EVERY):
            return session
        return replace(session, expires_at=expires_at)


def _now() -> datetime:
    """To the millisecond, which every store can keep."""
    moment = now()
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


Look = Callable[[Collection[str]], Awaitable[Mapping[str, datetime]]]
"""The expiries of those of these sessions that are open."""

Over = Callable[[], None]
"""What is called when a session is over; again, as long as it is waited for."""


class Watch:
    """Tells who waits that a session is over, whichever process ended it.

    All that wait in one process cost one question to the store a second.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._waiting: dict[str, list[Over]] = {}
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def watched(self, session: Session, over: Over) -> Iterator[None]:
        """Call ``over``, inside of this, when the session is over."""
        waiting = self._waiting.setdefault(session.id, [])
        waiting.append(over)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_again())
        try:
            yield
        finally:
            waiting.remove(over)
            if not waiting and self._waiting.get(session.id) is waiting:
                del self._waiting[session.id]

    def tell(self, ids: Collection[str]) -> None:
        """These sessions are over: known here at once."""
        for one in ids:
            for over in tuple(self._waiting.get(one, ())):
                over()

    async def _look_again(self) -> None:
        while self._waiting:
            await asyncio.sleep(WATCH_SECONDS)
            asked = set(self._waiting)
            if not asked:
                return
            try:
                expiries = await self._look(asked)
            except StoreError:
                continue  # a store that is away ends nobody's stream
            moment = now()
            self.tell([one for one in asked if one not in expiries or expiries[one] <= moment])
