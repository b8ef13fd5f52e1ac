"""Proves that a backup restores: to a throw-away place, opened as a server would open it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from memory import backups
from memory.agreement import Agreement
from memory.backups import Durable
from memory.errors import Invalid
from memory.objects import Objects
from memory.scratch import scratch_folder
from memory.sqlite.backups import SQLiteBackup
from server.objects import open_objects
from server.settings import Settings
from server.stores import open_stores


def durable_of(settings: Settings, database: str | None = None) -> Durable:
    """What is durable by the settings; ``database`` is another one of the same MongoDB."""
    if settings.mongodb_url is None:
        if database is not None:
            raise Invalid.field("--database", "it needs MONGODB_URL; use --data")
        return SQLiteBackup(settings.database_path)
    from memory.mongo.backups import MongoBackup, at_database

    url = settings.mongodb_url.get_secret_value()
    return MongoBackup(at_database(url, database) if database else url)


async def drill(
    settings: Settings, store: Objects, name: str, key: str | None
) -> AsyncIterator[str]:
    """Restore, compare, open, look whether records and objects agree; what was found, in lines.

    Raises as ``backups.restore`` does, and Invalid ``bad_backup`` if they don't agree.
    """
    with scratch_folder() as scratch:
        throw_away = _elsewhere(settings, scratch)
        durable = durable_of(throw_away)
        await durable.drop_old_drills()
        try:
            async with open_objects(throw_away) as objects:
                manifest = await backups.restore(store, name, key, durable=durable, objects=objects)
            yield f"restored, {len(manifest['members'])} members equal to the manifest"
            for collection, content in manifest.get("collections", {}).items():
                yield f"{collection}: {content['count']} documents"
            await _open(throw_away)
            yield "opened, records and objects agree"
        finally:
            await durable.drop()


def _elsewhere(settings: Settings, scratch: Path) -> Settings:
    """The settings of a place that nobody uses: the same kind of store, no other server."""
    url = settings.mongodb_url
    if url is not None:
        from memory.mongo.backups import at_database, drill_name

        url = SecretStr(at_database(url.get_secret_value(), drill_name(datetime.now(UTC))))
    away = {"redis_url": None, "s3_endpoint": None, "checkpointer": None}
    return settings.model_copy(update={"data": scratch, "mongodb_url": url, **away})


async def _open(settings: Settings) -> None:
    async with open_stores(settings) as stores:
        agreement = Agreement(
            archive=stores.archive,
            files=stores.files,
            blobs=stores.blobs,
            attachments=stores.attachments,
        )
        differences = [one async for one in agreement.differences()]
    if differences:
        raise Invalid(
            f"The backup restores, but {len(differences)} records and objects don't agree.",
            code="bad_backup",
        )
