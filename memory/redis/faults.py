"""The driver's errors as ours, once for every store on Redis."""

from types import TracebackType

from redis.exceptions import RedisError

from memory.errors import Unavailable


class mapped_errors:
    """Raise Unavailable when Redis is away or refuses."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, RedisError | OSError):
            raise Unavailable("Redis does not answer now.") from error
