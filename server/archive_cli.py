"""`tomato archive`: an archive as JSON Lines, out and in, on the storage that the settings name."""

import asyncio
import sys
import zipfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from memory.archive_lines import LINE_BYTES, PART_BYTES, Part, part_line, read_line
from memory.archive_transfer import Import, Lines, lines_of
from memory.errors import Invalid, NotFound, StoreError
from memory.records import Entry, File
from server.context import LOCAL_USER
from server.settings import SettingsError, read_settings
from server.stores import Stores, open_stores

MEMBER = "archive.jsonl"
"""The archive within the zip of all that is kept on a person; its files are beside it."""

Work = Callable[[Stores, str], Awaitable[None]]

_user = click.option("--user", help="Whose archive; the local user's unless given.")
_data = click.option("--data", type=click.Path(path_type=Path), help="Data folder (TOMATO_DATA).")
_file = click.argument(
    "file", required=False, default="-", type=click.Path(path_type=Path, allow_dash=True)
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def archive() -> None:
    """An archive as JSON Lines, beside a running server or not.

    FILE is the standard output or input unless given.
    """


@archive.command()
@_file
@_user
@_data
def export(file: Path, **given: Any) -> None:
    """Write every entry with its files, a line each, to a FILE that is not there yet."""
    lost: list[str] = []

    def missing(entry: Entry, kept: File) -> None:
        lost.append(entry.id)
        click.echo(f"{entry.id}: the bytes of its file {kept.name!r} are missing", err=True)

    async def work(stores: Stores, owner: str) -> None:
        with _output(file) as out:
            async for line in lines_of(stores.archive, stores.attachments, owner, missing):
                await asyncio.to_thread(out.write, line)

    _run(work, **given)
    if lost:
        raise click.ClickException(f"{len(lost)} files are not in it; `tomato doctor` tells more.")


@archive.command("import")
@_file
@_user
@_data
def import_(file: Path, **given: Any) -> None:
    """Add what FILE holds: lines as `export` writes them, or the zip of an account's export.

    What is there already is left alone and nothing is overwritten; each line that is refused is
    told by its number. Of a line, "summary", "category" and "content" are enough.
    """
    refused = 0

    async def work(stores: Stores, owner: str) -> None:
        nonlocal refused
        coming = Import(stores.archive, stores.attachments, owner, _tell)
        try:
            await coming.take(_lines(file))
        finally:
            counts = coming.counts
            click.echo(f"entries: {counts.entries}\nfiles: {counts.files}")
            click.echo(f"other lines: {counts.lines} refused")
            refused = counts.refused

    _run(work, **given)
    if refused:
        raise click.ClickException(f"{refused} refused; all else is in.")


def _tell(number: int, why: str) -> None:
    click.echo(f"line {number}: {why}", err=True)


@contextmanager
def _output(file: Path) -> Iterator[IO[bytes]]:
    """Where the lines go; a file that did not get all of them does not stay."""
    if str(file) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with file.open("xb") as out:
        file.chmod(0o600)
        try:
            yield out
        except BaseException:
            file.unlink()
            raise


def _lines(file: Path) -> Lines:
    if str(file) == "-":
        return _lines_in(sys.stdin.buffer)
    if zipfile.is_zipfile(file):
        return _lines_in_zip(file)
    return _lines_in_file(file)


async def _lines_in_file(file: Path) -> Lines:
    with file.open("rb") as opened:
        async for line in _lines_in(opened):
            yield line


async def _lines_in(opened: IO[bytes]) -> Lines:
    """Its lines; what is too long is passed over, never held."""
    while line := await asyncio.to_thread(opened.readline, LINE_BYTES + 1):
        if len(line) <= LINE_BYTES:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = await asyncio.to_thread(opened.readline, LINE_BYTES)
        yield None


async def _lines_in_zip(file: Path) -> Lines:
    """The lines of an account's archive, each followed by the files that are beside it."""
    with zipfile.ZipFile(file) as zipped:
        names = set(zipped.namelist())
        if MEMBER not in names:
            raise Invalid(f"{file} is a zip without {MEMBER}.")
        member = zipped.open(MEMBER)
        async for line in _lines_in(member):
            yield line
            for entry, name in _named(line):
                if (path := f"files/{entry}/{name}") in names:
                    with zipped.open(path) as bytes_of_file:
                        async for part in _parts(bytes_of_file, entry, name):
                            yield part


def _named(line: bytes | None) -> list[tuple[str, str]]:
    """The entry and the name of each file that a line tells of."""
    try:
        found = read_line(line or b"", LOCAL_USER)
    except StoreError:
        return []
    return [(found.id, file.name) for file in found.files] if isinstance(found, Entry) else []


async def _parts(opened: IO[bytes], entry: str, name: str) -> AsyncIterator[bytes]:
    start = 0
    while (data := await asyncio.to_thread(opened.read, PART_BYTES)) or not start:
        yield part_line(Part(entry=entry, name=name, start=start, data=data))
        start += PART_BYTES


def _run(work: Work, *, user: str | None, data: Path | None) -> None:
    try:
        settings = read_settings(**({"data": data} if data else {}))

        async def within() -> None:
            async with open_stores(settings) as stores:
                await work(stores, await _uid(stores, user))

        asyncio.run(within())
    except (SettingsError, StoreError) as error:
        raise click.ClickException(str(error)) from error
    except (OSError, zipfile.BadZipFile) as error:
        raise click.ClickException(_sentence(error)) from error


async def _uid(stores: Stores, user: str | None) -> str:
    if user is None:
        return LOCAL_USER
    found = await stores.users.by_name(user)
    if found is None:
        raise NotFound.of("user")
    return found[0].uid


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.strerror}: {error.filename}"
    return f"It can't be read or written: {error}"
