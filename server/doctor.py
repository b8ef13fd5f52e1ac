"""`tomato doctor`: looks at settings, servers, indexes, clocks, and at objects against records."""

import secrets
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import version
from platform import python_version

import click

from memory.agreement import Agreement, Missing, Orphan
from memory.errors import StoreError
from memory.findings import Finding
from memory.last_backup import last_good
from memory.objects import Objects, as_chunks, read_whole
from memory.times import now
from server.diagnoses import of_backups, of_settings
from server.settings import Settings
from server.stores import Check, Stores, open_stores

SHOWN = 20
"""How many differences are told one by one."""


async def report(settings: Settings, *, repair: bool) -> bool:
    """Tell what is found, a line each; whether nothing is left to do."""
    well = True
    async for finding in examine(settings, repair=repair):
        well = well and finding.level != "problem"
        says = f"{finding.says.removesuffix('.')}. To mend it: " if finding.mend else finding.says
        click.echo(f"{finding.level:8} {finding.part}: {says}{finding.mend}")
    return well


async def examine(settings: Settings, *, repair: bool = False) -> AsyncIterator[Finding]:
    """Look at everything, and with ``repair`` mend what can be mended."""
    yield Finding("tomato", "ok", f"version {version('tomato')}, Python {python_version()}")
    for finding in of_settings(settings):
        yield finding
    try:
        # The databases first: to open the stores makes indexes, and so would hide what is missing.
        for finding in await _databases(settings, repair):
            yield finding
        async with open_stores(settings) as stores:
            async for finding in _examine(settings, stores, repair):
                yield finding
    except StoreError as error:
        yield Finding("storage", "problem", str(error), "look at its address, and whether it runs")


async def _databases(settings: Settings, repair: bool) -> Sequence[Finding]:
    findings: list[Finding] = []
    if settings.mongodb_url is not None:
        from memory.mongo import inspection as of_mongo

        findings += await of_mongo.examine(settings.mongodb_url.get_secret_value(), mend=repair)
    if settings.uses_file:
        from memory.sqlite import inspection as of_sqlite

        findings += await of_sqlite.examine(settings.database_path, mend=repair)
    if settings.redis_url is not None:
        from memory.redis import inspection as of_redis

        findings += await of_redis.examine(settings.redis_url.get_secret_value())
    return findings


async def _examine(settings: Settings, stores: Stores, repair: bool) -> AsyncIterator[Finding]:
    for name, check in stores.checks.items():
        yield await _answers(name, check)
    if settings.s3_endpoint is not None:
        from memory.s3.inspection import examine as examine_s3

        scheme = "https" if settings.s3_secure else "http"
        for finding in await examine_s3(stores.objects, f"{scheme}://{settings.s3_endpoint}"):
            yield finding
    yield await _round_trip(stores.objects)
    swept = await stores.attachments.sweep()
    yield Finding("loose bytes", "mended" if swept else "ok", f"{swept} deleted")
    async for finding in _agreement(stores, repair):
        yield finding
    yield of_backups(settings, await last_good(stores.objects), now())


async def _answers(name: str, check: Check) -> Finding:
    try:
        await check()
    except StoreError as error:
        return Finding(name, "problem", str(error))
    return Finding(name, "ok", "answers")


async def _round_trip(objects: Objects) -> Finding:
    """Write, read and delete an object of its own."""
    key, said = f"doctor/{secrets.token_hex(8)}", secrets.token_bytes(32)
    await objects.put(key, as_chunks(said))
    same = await read_whole(objects, key) == said
    await objects.delete(key)
    what = "written, read and deleted" if same else "another came back than was written"
    return Finding("object storage", "ok" if same else "problem", what)


async def _agreement(stores: Stores, repair: bool) -> AsyncIterator[Finding]:
    agreement = Agreement(
        archive=stores.archive,
        files=stores.files,
        blobs=stores.blobs,
        attachments=stores.attachments,
    )
    found = [one async for one in agreement.differences()]
    for one in found:
        if repair:
            yield Finding("agreement", "mended", await agreement.mend(one))
    if not repair:
        for one in found[:SHOWN]:
            yield Finding("agreement", "problem", _told(one))
    count = f"{len(found)} differences between records and objects"
    if found and not repair:
        yield Finding("agreement", "problem", count, "`tomato doctor --repair`")
    else:
        yield Finding("agreement", "ok", "records and objects agree" if not found else count)


def _told(one: Missing | Orphan) -> str:
    if isinstance(one, Missing):
        return f"{one.entry} of {one.owner} names bytes that are missing"
    return f"bytes of {one.owner} are named by no record"
