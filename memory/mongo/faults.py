"""The driver's errors as ours, once for every store on MongoDB."""

from types import TracebackType

from pymongo.errors import ConnectionFailure, DocumentTooLarge, OperationFailure

from memory.cancellation import hears_cancellation
from memory.errors import TooLarge, Unavailable


class mapped_errors(hears_cancellation):
    """Raise Unavailable when MongoDB is away or refuses, TooLarge when it can't hold a value."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, traceback)
        if isinstance(error, DocumentTooLarge):
            raise TooLarge("The value is larger than the database can keep.") from error
        if isinstance(error, ConnectionFailure | OperationFailure):
            raise Unavailable("The database does not answer now.") from error
