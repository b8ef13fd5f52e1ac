"""Opens object storage where the settings say: an S3 service, or a folder of the data folder."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from memory.folder.objects import FolderObjects
from memory.objects import Objects
from server.settings import Settings


@asynccontextmanager
async def open_objects(settings: Settings) -> AsyncIterator[Objects]:
    """The store of files, large contents and backups.

    Raises memory.errors.Invalid for a bad address, Unavailable if nothing answers.
    """
    if settings.s3_endpoint is None:
        yield await FolderObjects.open(settings.objects_path)
        return
    from memory.s3.objects import S3Objects

    access_key, secret_key = settings.s3_access_key, settings.s3_secret_key
    assert access_key is not None  # noqa: S101 - the settings have looked
    assert secret_key is not None  # noqa: S101
    async with S3Objects.open(
        settings.s3_endpoint,
        access_key=access_key.get_secret_value(),
        secret_key=secret_key.get_secret_value(),
        bucket=settings.s3_bucket,
        secure=settings.s3_secure,
    ) as objects:
        yield objects
