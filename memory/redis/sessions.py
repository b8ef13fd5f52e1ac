"""Sessions in Redis or Valkey, which lets each go at its expiry; plain commands, no modules.

Closing a session also drops the cached digest of the user's archive.
"""

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, cast

import orjson

from memory.accounts import Session
from memory.redis.connection import Client
from memory.redis.digests import RedisDigests
from memory.redis.faults import mapped_errors
from memory.sessions import Lifetime, Over, Watch, new_sid, session_id
from memory.times import from_micros, now, to_micros

PREFIX = "tomato:session:"
OWNED = "tomato:sessions:"


class RedisSessions:
    """The Sessions protocol: one key for each session, one set of ids for each user."""

    def __init__(self, client: Client, lifetime: Lifetime) -> None:
        self._client = client
        self._lifetime = lifetime
        self._digests = RedisDigests(client)
        self._watch = Watch(self._look)

    async def open(self, uid: str) -> tuple[str, Session]:
        sid = new_sid()
        session = self._lifetime.opened(sid, uid)
        owned = OWNED + uid
        with mapped_errors():
            async with self._client.pipeline(transaction=True) as pipeline:
                pipeline.set(
                    PREFIX + session.id, _encoded(session), pxat=_milliseconds(session.expires_at)
                )
                # What is past its longest life is no session any more: the set cleans itself.
                pipeline.zremrangebyscore(owned, "-inf", to_micros(now()))
                pipeline.zadd(owned, {session.id: to_micros(session.ends_at)})
                pipeline.pexpireat(owned, _milliseconds(session.ends_at))
                await pipeline.execute()
        return sid, session

    async def use(self, sid: str) -> Session | None:
        key = PREFIX + session_id(sid)
        with mapped_errors():
            stored = await self._client.get(key)
            if stored is None:
                return None
            session = _decoded(session_id(sid), stored)
            used = self._lifetime.used(session)
            if used is session:
                return session
            # Only while it is there: a session that was closed meanwhile must not come back.
            moved = await self._client.set(
                key, _encoded(used), pxat=_milliseconds(used.expires_at), xx=True
            )
        return used if moved else None

    async def close(self, session_id: str) -> None:
        with mapped_errors():
            stored = await self._client.getdel(PREFIX + session_id)
            if stored is not None:
                owner = _decoded(session_id, stored).uid
                await self._client.zrem(OWNED + owner, session_id)
                await self._digests.drop(owner)
        self._watch.tell([session_id])

    async def close_all(self, uid: str) -> int:
        owned = OWNED + uid
        with mapped_errors():
            found = cast("list[bytes]", await self._client.zrange(owned, 0, -1))
            ids = [one.decode() for one in found]
            closed = await self._client.delete(*(PREFIX + one for one in ids)) if ids else 0
            if ids:
                await self._client.zrem(owned, *ids)
        self._watch.tell(ids)
        await self._digests.drop(uid)
        return int(closed)

    def watched(self, session: Session, over: Over) -> AbstractContextManager[None]:
        return self._watch.watched(session, over)

    async def _look(self, ids: Collection[str]) -> Mapping[str, datetime]:
        asked = list(ids)
        with mapped_errors():
            stored = await self._client.mget([PREFIX + one for one in asked])
        return {
            one: _decoded(one, found).expires_at
            for one, found in zip(asked, stored, strict=True)
            if found is not None
        }


def _encoded(session: Session) -> bytes:
    return orjson.dumps(
        [
            session.uid,
            to_micros(session.created_at),
            to_micros(session.expires_at),
            to_micros(session.ends_at),
        ]
    )


def _decoded(session_id: str, stored: Any) -> Session:
    uid, created_at, expires_at, ends_at = orjson.loads(stored)
    return Session(
        id=session_id,
        uid=uid,
        created_at=from_micros(created_at),
        expires_at=from_micros(expires_at),
        ends_at=from_micros(ends_at),
    )


def _milliseconds(moment: datetime) -> int:
    return to_micros(moment) // 1000
