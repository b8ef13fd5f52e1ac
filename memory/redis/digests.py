"""Digests of archives in Redis, one key per owner, read with one command; plain Redis, no modules.

A key holds one of three, and each goes by itself:

    =<bound>\\n<text>  a digest, made when no change was under way
    ?<token>          somebody makes it; they keep it if the key still says so then
    !<number>         so many changes are under way: nobody keeps what they read meanwhile
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import cast

from memory.archive_layer import ArchiveLayer
from memory.errors import Unavailable
from memory.protocols import Archive
from memory.redis.connection import Client
from memory.redis.faults import mapped_errors

log = logging.getLogger("tomato.memory")

PREFIX = "tomato:digest:"

KEPT_SECONDS = 600
MAKING_SECONDS = 10
CHANGING_SECONDS = 60
"""How long a digest is kept, and how long what a dead process began is taken to go on."""

RETRY_SECONDS = 1.0
"""How soon a digest is dropped that could not be when Redis was away."""

KEEP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
"""

BEGIN = """
local held = redis.call('GET', KEYS[1])
local changes = held and tonumber(string.match(held, '^!(%d+)$')) or 0
redis.call('SET', KEYS[1], '!' .. (changes + 1), 'EX', ARGV[1])
"""

END = """
local held = redis.call('GET', KEYS[1])
local changes = held and tonumber(string.match(held, '^!(%d+)$')) or 0
if changes > 1 then
  redis.call('SET', KEYS[1], '!' .. (changes - 1), 'EX', ARGV[1])
else
  redis.call('DEL', KEYS[1])
end
"""

DROP = """
local held = redis.call('GET', KEYS[1])
if held and string.sub(held, 1, 1) ~= '!' then redis.call('DEL', KEYS[1]) end
"""


class RedisDigests:
    """The keys alone; each operation raises Unavailable while Redis is away."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._keep = client.register_script(KEEP)
        self._begin = client.register_script(BEGIN)
        self._end = client.register_script(END)
        self._drop = client.register_script(DROP)

    async def find(self, owner: str, making: str) -> bytes | None:
        """What the key holds; None if the caller is to make it now, under the token ``making``."""
        with mapped_errors():
            held = await self._client.set(
                PREFIX + owner, making, ex=MAKING_SECONDS, nx=True, get=True
            )
        return cast("bytes | None", held)

    async def keep(self, owner: str, making: str, digest: bytes) -> bool:
        """Keep what was made under a token; False if there was a change or a logout since."""
        with mapped_errors():
            args: list[str | bytes | int] = [making, digest, KEPT_SECONDS]
            return bool(await self._keep(keys=[PREFIX + owner], args=args))

    async def begin(self, owner: str) -> None:
        """A change of the owner's archive begins: from now on nothing is kept."""
        with mapped_errors():
            await self._begin(keys=[PREFIX + owner], args=[CHANGING_SECONDS])

    async def end(self, owner: str) -> None:
        """A change that was begun is over."""
        with mapped_errors():
            await self._end(keys=[PREFIX + owner], args=[CHANGING_SECONDS])

    async def drop(self, owner: str) -> None:
        """Forget the owner's digest, and whatever is being made of one."""
        with mapped_errors():
            await self._drop(keys=[PREFIX + owner])


class CachedDigest(ArchiveLayer):
    """The Archive protocol over another archive, whose digests are kept in Redis.

    While Redis is away everything works as without: digests are made anew each time. A change of
    that time drops the digest as soon as Redis is back.
    """

    def __init__(self, archive: Archive, digests: RedisDigests) -> None:
        super().__init__(archive)
        self._digests = digests
        self._to_drop: set[str] = set()
        self._dropping: asyncio.Task[None] | None = None

    async def digest(self, owner: str, *, max_tokens: int) -> str:
        bound, making = b"=%d\n" % max_tokens, f"?{secrets.token_hex(8)}"
        try:
            await self._drop_missed()
            held = await self._digests.find(owner, making)
        except Unavailable:
            log.warning("Redis is away: the digest of an archive is not kept")
            return await super().digest(owner, max_tokens=max_tokens)
        if held is not None and held.startswith(bound):
            return held.removeprefix(bound).decode()
        made = await super().digest(owner, max_tokens=max_tokens)
        if held is None:
            with suppress(Unavailable):
                await self._digests.keep(owner, making, bound + made.encode())
        return made

    @asynccontextmanager
    async def changing(self, owner: str) -> AsyncIterator[None]:
        marked = False
        with suppress(Unavailable):
            await self._digests.begin(owner)
            marked = True
        try:
            async with super().changing(owner):
                yield
        finally:
            await (self._end(owner) if marked else self._drop(owner))

    async def close(self) -> None:
        """Break off what waits for Redis; a digest goes by itself in time."""
        if self._dropping is not None:
            self._dropping.cancel()
            await asyncio.gather(self._dropping, return_exceptions=True)

    async def _end(self, owner: str) -> None:
        # Should it not come through, no digest is kept until the mark of the change goes.
        with suppress(Unavailable):
            await self._digests.end(owner)

    async def _drop(self, owner: str) -> None:
        """After a change that could not be marked."""
        self._to_drop.add(owner)
        with suppress(Unavailable):
            await self._drop_missed()

    async def _drop_missed(self) -> None:
        while self._to_drop:
            owner = self._to_drop.pop()
            dropped = False
            try:
                await self._digests.drop(owner)
                dropped = True
            finally:
                if not dropped:
                    self._to_drop.add(owner)
                    if self._dropping is None or self._dropping.done():
                        self._dropping = asyncio.create_task(self._drop_behind())

    async def _drop_behind(self) -> None:
        while self._to_drop:
            await asyncio.sleep(RETRY_SECONDS)
            with suppress(Unavailable):
                await self._drop_missed()
