"""`tomato backup`: run, list, verify and restore; each failure is told and ends with code 1."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from memory import backups
from memory.errors import StoreError
from memory.folder.objects import FolderObjects
from memory.objects import Objects
from server.data_folder import held
from server.objects import open_objects
from server.settings import Settings, SettingsError, read_settings

Work = Callable[[Settings, Objects, Objects], Awaitable[None]]
Given = dict[str, Path | None]

_data = click.option("--data", type=click.Path(path_type=Path), help="Data folder (TOMATO_DATA).")
_store = click.option(
    "--store",
    type=click.Path(path_type=Path),
    help="Folder that keeps the backups; else S3, or the data folder's own disk.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def backup() -> None:
    """Back up the SQLite file and all objects, and restore them. MongoDB: use mongodump."""


@backup.command()
@_data
@_store
def run(**given: Any) -> None:
    """Make a backup, beside a running server or not, and check it."""

    async def work(settings: Settings, objects: Objects, store: Objects) -> None:
        key = await backups.run(settings.database_path, objects, store)
        await backups.verify(store, key)
        click.echo(key)

    _do(given, work)


@backup.command("list")
@_data
@_store
def list_(**given: Any) -> None:
    """Tell of all backups, newest first."""

    async def work(settings: Settings, objects: Objects, store: Objects) -> None:
        for one in await backups.listed(store):
            click.echo(f"{one.key}  {one.size} bytes")

    _do(given, work)


@backup.command()
@click.argument("key", required=False)
@_data
@_store
def verify(key: str | None, **given: Any) -> None:
    """Read all of a backup, the newest unless told, and compare it with its manifest."""

    async def work(settings: Settings, objects: Objects, store: Objects) -> None:
        chosen = key or await backups.latest(store)
        manifest = await backups.verify(store, chosen)
        click.echo(f"{chosen}: good, {len(manifest['members'])} members")

    _do(given, work)


@backup.command()
@click.argument("key", required=False)
@click.option("--overwrite", is_flag=True, help="Replace the database that is there.")
@_data
@_store
def restore(key: str | None, overwrite: bool, **given: Any) -> None:
    """Put a backup, the newest unless told, into a data folder that no server uses."""

    async def work(settings: Settings, objects: Objects, store: Objects) -> None:
        chosen = key or await backups.latest(store)
        with held(settings.data):
            await backups.restore(
                store,
                chosen,
                database=settings.database_path,
                objects=objects,
                overwrite=overwrite,
            )
        click.echo(f"{chosen}: restored to {settings.data}")

    _do(given, work)


@backup.command()
@_data
@_store
def schedule(**given: Any) -> None:
    """Make one each day at TOMATO_BACKUP_AT, catch up on a missed one, let old ones go."""
    from memory.retention import Keep
    from server.backup_scheduler import schedule as go_on

    async def work(settings: Settings, objects: Objects, store: Objects) -> None:
        if settings.backup_at is None:
            raise click.ClickException("Set TOMATO_BACKUP_AT, like '03:00 Asia/Seoul'.")

        async def make() -> str:
            key = await backups.run(settings.database_path, objects, store)
            try:
                await backups.verify(store, key)
            except StoreError:
                await store.delete(key)  # it must not pass for a good one
                raise
            click.echo(key)
            return key

        keep, loop = Keep.parse(settings.backup_keep), asyncio.get_running_loop()
        with held(settings.data / "backup-scheduler"), suppress(asyncio.CancelledError):
            working = asyncio.ensure_future(go_on(store, make, at=settings.backup_at, keep=keep))
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(number, working.cancel)
            await working

    _do(given, work)


def _do(given: Given, work: Work) -> None:
    try:
        settings = read_settings(**({"data": given["data"]} if given["data"] else {}))
        if settings.mongodb_url:
            raise click.ClickException("This version backs up SQLite only; use mongodump.")
        asyncio.run(_with_objects(settings, given["store"], work))
    except (StoreError, SettingsError) as error:
        raise click.ClickException(str(error)) from error


async def _with_objects(settings: Settings, folder: Path | None, work: Work) -> None:
    async with open_objects(settings) as objects:
        store = objects if folder is None else await FolderObjects.open(folder)
        await work(settings, objects, store)
