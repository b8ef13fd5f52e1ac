"""The driver's errors as ours, once for every store on Redis."""

from types import TracebackType

from redis.exceptions import RedisError

from memory.cancellation import hears_cancellation
from memory.errors import Unavailable


class mapped_errors(hears_cancellation):
    """Raise Unavailable when Redis is away or refuses."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        if isinstance(error, RedisError | OSError):
            raise Unavailable("Redis does not answer now.") from error
