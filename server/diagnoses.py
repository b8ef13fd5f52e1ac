"""What `tomato doctor` says of settings, of this machine and of backups; asks no server."""

import shutil
from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from memory.findings import Finding
from memory.last_backup import is_late
from server.settings import Settings

LEAST_FREE = 1_000_000_000


def of_settings(settings: Settings) -> Iterator[Finding]:
    """Settings that agree with each other, and may still not be what is wanted."""
    yield Finding("settings", "ok", f"{settings.env}, storage: {settings.storage}")
    yield _model(settings)
    if settings.local_user_on and not _is_loopback(settings.host):
        said = f"whoever reaches {settings.host} is the local user, without a password"
        yield Finding("access", "problem", said, "set TOMATO_LOCAL_USER=off, or TOMATO_ENV=prod")
    if settings.uses_file or settings.s3_endpoint is None:
        yield from _data_folder(settings.data)


def of_backups(settings: Settings, last: datetime | None, moment: datetime) -> Finding:
    """Whether there is a backup that was read back, and young enough."""
    if last is not None and not is_late(last, moment):
        return Finding("backups", "ok", f"the last good one is of {last:%Y-%m-%d %H:%M} UTC")
    said = (
        "there is no good one yet" if last is None else f"the last good one is of {last:%Y-%m-%d}"
    )
    if settings.backup_at is None:
        how = "set TOMATO_BACKUP_AT and run `tomato backup schedule`"
        return Finding("backups", "note", f"{said}, and none is scheduled", how)
    how = "look whether `tomato backup schedule` runs, and into its log; `tomato backup run`"
    return Finding("backups", "problem", said, how)


def _model(settings: Settings) -> Finding:
    name = settings.model_name
    if name == "offline":
        how = "set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own"
        return Finding("model", "note", "offline: no language model is configured", how)
    if settings.openai_api_key is None and settings.openai_base_url is None:
        return Finding("model", "problem", f"{name} has no key", "set OPENAI_API_KEY")
    return Finding("model", "ok", name)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _data_folder(folder: Path) -> Iterator[Finding]:
    if not folder.exists():
        yield Finding("data folder", "ok", f"{folder} is made at the first start")
        return
    mode = folder.stat().st_mode & 0o777
    if mode & 0o077:
        said = f"others of this machine may look into {folder} (mode {mode:o})"
        yield Finding("data folder", "problem", said, f"chmod 700 {folder}")
    else:
        yield Finding("data folder", "ok", f"{folder} is its owner's alone")
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:.1f} GB free for {folder}"
    if free < LEAST_FREE:
        yield Finding("disk", "problem", said, "make room: what finds none is answered 503")
    else:
        yield Finding("disk", "ok", said)
