"""`tomato backup`: makes, lists, verifies, restores; each failure is told and ends with code 1."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from memory import backups
from memory.backups import Durable
from memory.errors import StoreError
from memory.folder.objects import FolderObjects
from memory.last_backup import noted
from memory.objects import Objects
from server.backup_drill import drill as run_drill
from server.backup_drill import durable_of
from server.backup_lease import alone
from server.data_folder import held
from server.objects import open_objects
from server.settings import Settings, SettingsError, read_settings

NICE = 19
"""How far the making of a backup steps back for the server beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What is backed up, and where the backups are."""

    settings: Settings
    durable: Durable
    objects: Objects
    store: Objects

    @property
    def key(self) -> str | None:
        """What encrypts the backups."""
        secret = self.settings.backup_key
        return secret.get_secret_value() if secret else None

    async def make(self) -> str:
        """Make a backup and read all of it back; one that is bad does not stay."""
        os.nice(max(0, NICE - os.nice(0)))
        name = await backups.run(self.durable, self.objects, self.store, self.key)
        try:
            await backups.verify(self.store, name, self.key)
        except StoreError:
            await self.store.delete(name)
            raise
        await self.note(name)
        click.echo(name)
        return name

    async def note(self, name: str) -> None:
        """Let servers tell of a good backup; it stays one if they can't be told."""
        with suppress(StoreError):
            await noted(self.objects, name)

    async def chosen(self, name: str | None) -> str:
        """The named backup, or the newest."""
        return name or await backups.latest(self.store)


Work = Callable[[Places], Awaitable[None]]

_data = click.option("--data", type=click.Path(path_type=Path), help="Data folder (TOMATO_DATA).")
_store = click.option(
    "--store",
    type=click.Path(path_type=Path),
    help="Folder that keeps the backups; else S3, or the data folder's own disk.",
)
_bucket = click.option("--bucket", help="Another bucket of the same S3 that keeps the backups.")
_name = click.argument("name", required=False)


def _command(function: Callable[..., Any]) -> click.Command:
    return backup.command(function.__name__.strip("_"))(_data(_store(_bucket(function))))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def backup() -> None:
    """Back up the SQLite file or the MongoDB database, and all objects; restore them.

    TOMATO_BACKUP_KEY encrypts the backups. NAME is one that `list` tells, the newest unless given.
    """


@_command
def run(**given: Any) -> None:
    """Make a backup, beside a running server or not, and check it."""

    async def work(places: Places) -> None:
        await places.make()

    _do(given, work)


@_command
def list_(**given: Any) -> None:
    """Tell of all backups, newest first."""

    async def work(places: Places) -> None:
        for one in await backups.listed(places.store):
            click.echo(f"{one.key}  {one.size} bytes")

    _do(given, work)


@_command
@_name
def verify(name: str | None, **given: Any) -> None:
    """Read all of a backup and compare it with its manifest."""

    async def work(places: Places) -> None:
        chosen = await places.chosen(name)
        manifest = await backups.verify(places.store, chosen, places.key, durable=places.durable)
        click.echo(f"{chosen}: good, {len(manifest['members'])} members")

    _do(given, work)


@_command
@_name
@click.option("--overwrite", is_flag=True, help="Replace what is there.")
@click.option("--database", help="The MongoDB database to restore into, unless MONGODB_URL's.")
def restore(name: str | None, overwrite: bool, database: str | None, **given: Any) -> None:
    """Put a backup in place while no server runs; again, if it was cut short."""

    async def work(places: Places) -> None:
        chosen, settings = await places.chosen(name), places.settings
        durable = durable_of(settings, database) if database else places.durable
        with held(settings.data):
            await backups.restore(
                places.store,
                chosen,
                places.key,
                durable=durable,
                objects=places.objects,
                overwrite=overwrite,
            )
        where = f"MongoDB {database}" if database else settings.storage
        click.echo(f"{chosen}: restored to {where} and equal to its manifest")

    _do(given, work)


@_command
@_name
def drill(name: str | None, **given: Any) -> None:
    """Restore a backup to a throw-away place, open it as a server would, and report."""

    async def work(places: Places) -> None:
        chosen = await places.chosen(name)
        async for line in run_drill(places.settings, places.store, chosen, places.key):
            click.echo(f"{chosen}: {line}")

    _do(given, work)


@_command
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def extract(name: str, folder: Path, **given: Any) -> None:
    """Lay out a backup's files in FOLDER, for other tools: sqlite3, bsondump, mongorestore."""

    async def work(places: Places) -> None:
        manifest = await backups.extract(places.store, name, places.key, folder)
        click.echo(f"{name}: {len(manifest['members'])} files in {folder}")

    _do(given, work)


@_command
def schedule(**given: Any) -> None:
    """Make one each day at TOMATO_BACKUP_AT, catch up on a missed one, let old ones go."""
    from memory.retention import Keep
    from server.backup_scheduler import schedule as go_on

    async def work(places: Places) -> None:
        settings, loop = places.settings, asyncio.get_running_loop()
        if settings.backup_at is None:
            raise click.ClickException("Set TOMATO_BACKUP_AT, like '03:00 Asia/Seoul'.")
        at, keep = settings.backup_at, Keep.parse(settings.backup_keep)
        going_on = partial(
            go_on, places.store, places.make, at=at, keep=keep, key=places.key, note=places.note
        )
        with suppress(asyncio.CancelledError):
            going = asyncio.ensure_future(alone(settings, going_on))
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, going.cancel)
            await going

    _do(given, work)


def _do(given: dict[str, Any], work: Work) -> None:
    try:
        settings = read_settings(**({"data": given["data"]} if given["data"] else {}))
        asyncio.run(_with_places(settings, given["store"], given["bucket"], work))
    except (StoreError, SettingsError) as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.strerror}: {error.filename}") from error


async def _with_places(
    settings: Settings, folder: Path | None, bucket: str | None, work: Work
) -> None:
    async with open_objects(settings) as objects, _store_of(settings, folder, bucket) as store:
        durable = durable_of(settings)
        await work(
            Places(settings=settings, durable=durable, objects=objects, store=store or objects)
        )


@asynccontextmanager
async def _store_of(
    settings: Settings, folder: Path | None, bucket: str | None
) -> AsyncIterator[Objects | None]:
    """Where the backups are, if not with the rest."""
    if folder is not None:
        yield await FolderObjects.open(folder)
    elif bucket is not None:
        if settings.s3_endpoint is None:
            raise click.ClickException("--bucket needs S3_ENDPOINT; --store names a folder.")
        async with open_objects(settings.model_copy(update={"s3_bucket": bucket})) as store:
            yield store
    else:
        yield None
