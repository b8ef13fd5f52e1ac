"""The driver's errors as ours, once for every store on MongoDB."""

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import ConnectionFailure, DocumentTooLarge, OperationFailure

from memory.errors import TooLarge, Unavailable


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raise Unavailable when MongoDB is away or refuses, TooLarge when it can't hold a value."""
    try:
        yield
    except DocumentTooLarge as error:
        raise TooLarge("The value is larger than the database can keep.") from error
    except (ConnectionFailure, OperationFailure) as error:
        raise Unavailable("The database does not answer now.") from error
