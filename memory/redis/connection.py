"""A connection to Redis or Valkey as the stores use it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.connection import HiredisRespSerializer
from redis.exceptions import ConnectionError, RedisError, ResponseError, TimeoutError

from memory.errors import Invalid
from memory.redis.faults import mapped_errors

WAIT_SECONDS = 1.0
"""How long one answer may take; a turn asks several times and must not wait long for a copy.

A command that waits on the server has to wait for less.
"""

Client = Redis
"""What the stores on Redis are handed."""

MOST_TOGETHER = 100
"""How many commands leave in one write."""

_BLOCKING = frozenset(("XREAD", "SUBSCRIBE", "PSUBSCRIBE"))


class _Asked(NamedTuple):
    name: str
    packed: Sequence[bytes]
    options: dict[str, Any]
    reply: "asyncio.Future[Any]"


class Gathering(Redis):
    """Redis' own client, whose commands leave together where they are asked for together.

    Each write and each answer costs the system more than the command itself. So what is asked for
    in one step of the event loop, or while an answer is awaited, goes in one write over one
    connection, whoever asks; a command that fails fails alone.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._asked: list[_Asked] = []
        self._sending: asyncio.Task[None] | None = None
        self._line: Any = None
        self._packer = HiredisRespSerializer()

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] in _BLOCKING:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        # Packed here, so that what can't be sent is refused to who asked for it alone.
        packed = self._packer.pack(*args)
        reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.append(_Asked(args[0], packed, options, reply))
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())
        return await reply

    async def _send(self) -> None:
        try:
            while self._asked:
                batch, self._asked = self._asked[:MOST_TOGETHER], self._asked[MOST_TOGETHER:]
                await self._send_together(batch)
        finally:
            self._sending = None
            for one in self._asked:  # none unless this is cancelled, at the end of all
                one.reply.cancel()

    async def _send_together(self, batch: Sequence[_Asked]) -> None:
        replies: Sequence[Any]
        try:
            try:
                replies = await self._exchange(batch)
            except ConnectionError:  # the server may have been started anew since the last time
                replies = await self._exchange(batch)
        except (RedisError, OSError) as error:
            replies = [error] * len(batch)
        for one, reply in zip(batch, replies, strict=True):
            if one.reply.done():
                continue  # nobody waits for it any more
            if isinstance(reply, Exception):
                one.reply.set_exception(reply)
            else:
                one.reply.set_result(reply)

    async def _exchange(self, batch: Sequence[_Asked]) -> Sequence[Any]:
        line = self._line
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                if line is None:
                    line = self._line = await self.connection_pool.get_connection()  # type: ignore[no-untyped-call]
                    line.socket_timeout = None  # there is one above, for all of them
                packed = b"".join(chain.from_iterable(one.packed for one in batch))
                await line.send_packed_command(packed, check_health=False)
                return [await self._reply(one) for one in batch]
        except BaseException as error:
            if line is not None:  # what it still has to say belongs to nobody
                await line.disconnect(nowait=True)
            if isinstance(error, asyncio.TimeoutError):
                raise TimeoutError("no answer in time") from error
            raise

    async def _reply(self, asked: _Asked) -> Any:
        try:
            return await self.parse_response(self._line, asked.name, **asked.options)
        except ResponseError as error:
            return error


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[Redis]:
    """A client that hands out bytes.

    Raises Invalid for a URL that is none, Unavailable if nothing answers.
    """
    try:
        client = Gathering.from_url(
            url, socket_timeout=WAIT_SECONDS, socket_connect_timeout=WAIT_SECONDS
        )
    except ValueError as error:
        raise Invalid.field("REDIS_URL", "it must be a redis:// or rediss:// URL") from error
    try:
        with mapped_errors():
            await client.ping()
        yield client
    finally:
        await client.aclose()
