"""A connection to Redis or Valkey as the stores use it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from memory.errors import Invalid
from memory.redis.faults import mapped_errors

WAIT_SECONDS = 1.0
"""How long one answer may take; a turn asks several times and must not wait long for a copy.

A command that waits on the server has to wait for less.
"""

Client = Redis
"""What the stores on Redis are handed."""


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[Redis]:
    """A client that hands out bytes.

    Raises Invalid for a URL that is none, Unavailable if nothing answers.
    """
    try:
        client = Redis.from_url(
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
