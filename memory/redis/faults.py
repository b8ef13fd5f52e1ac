"""The driver's errors as ours, once for every store on Redis."""

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from memory.errors import Unavailable


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raise Unavailable when Redis is away or refuses."""
    try:
        yield
    except (RedisError, OSError) as error:
        raise Unavailable("Redis does not answer now.") from error
