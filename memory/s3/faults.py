"""The client's errors as ours, once for every use of S3."""

from collections.abc import Iterator
from contextlib import contextmanager

from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from memory.errors import NotFound, Unavailable

_ABSENT = frozenset({"NoSuchKey", "NoSuchObject", "ResourceNotFound"})


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Raise NotFound for an object that is not there, Unavailable when S3 is away or refuses."""
    try:
        yield
    except S3Error as error:
        if error.code in _ABSENT:
            raise NotFound.of("object") from error
        raise Unavailable(f"The object storage refuses this now ({error.code}).") from error
    except (MinioException, HTTPError, OSError) as error:
        raise Unavailable("The object storage does not answer now.") from error
