"""A connection to Redis or Valkey as the stores use it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

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
    command: tuple[Any, ...]
    options: dict[str, Any]
    reply: "asyncio.Future[Any]"


class Gathering(Redis):
    """Redis' own client, whose commands leave together where they are asked for together.

    Each write and each answer costs the system more than the command itself. So what is asked for
    while another answer is awaited goes in one pipeline after it, whoever asks; a command that
    fails fails alone.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._asked: list[_Asked] = []
        self._busy = False
        self._sending: asyncio.Task[None] | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] in _BLOCKING:
            return await self._alone(args, options)
        if self._busy:
            reply: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            # Encoded here, so that what can't be sent is refused to who asked for it alone.
            name, *values = args
            encode = self.get_encoder().encode  # type: ignore[no-untyped-call]
            self._asked.append(_Asked((name, *map(encode, values)), options, reply))
            return await reply
        self._busy = True
        try:
            return await self._alone(args, options)
        finally:
            if self._asked:
                self._sending = asyncio.create_task(self._send())
            else:
                self._busy = False

    async def _alone(self, command: tuple[Any, ...], options: dict[str, Any]) -> Any:
        return await super().execute_command(*command, **options)  # type: ignore[no-untyped-call]

    async def _send(self) -> None:
        try:
            while self._asked:
                batch, self._asked = self._asked[:MOST_TOGETHER], self._asked[MOST_TOGETHER:]
                await self._send_together(batch)
        finally:
            self._busy = False

    async def _send_together(self, batch: Sequence[_Asked]) -> None:
        replies: Sequence[Any]
        try:
            async with self.pipeline(transaction=False) as pipeline:
                for one in batch:
                    pipeline.execute_command(*one.command, **one.options)
                replies = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            replies = [error] * len(batch)
        for one, reply in zip(batch, replies, strict=True):
            if one.reply.done():
                continue  # nobody waits for it any more
            if isinstance(reply, Exception):
                one.reply.set_exception(reply)
            else:
                one.reply.set_result(reply)


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
