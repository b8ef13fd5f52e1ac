"""Examines object storage: its bucket, whether deleted objects stay, its clock."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime

import urllib3

from memory.errors import Unavailable
from memory.findings import Finding, clock
from memory.objects import Objects
from memory.s3.faults import mapped_errors
from memory.s3.objects import ANSWER_SECONDS, CONNECT_SECONDS, S3Objects
from memory.times import now


async def examine(objects: Objects, address: str) -> Sequence[Finding]:
    """What the bucket is like; ``address`` is the service's, with its scheme."""
    began = time.perf_counter()
    await objects.check()
    took = time.perf_counter() - began
    findings = [Finding("objects", "ok", f"the bucket answers in {took * 1000:.1f} ms")]
    if isinstance(objects, S3Objects):
        findings += await _versions(objects)
    findings += await asyncio.to_thread(_clock, address)
    return findings


async def _versions(objects: S3Objects) -> Sequence[Finding]:
    try:
        kept = await objects.keeps_versions()
    except Unavailable:
        return []  # not every service can tell
    if not kept:
        return []
    said = "the bucket keeps versions: what people delete stays there"
    how = "suspend versioning, or let a lifecycle rule expire old versions soon"
    return [Finding("bucket", "note", said, how)]


def _clock(address: str) -> Sequence[Finding]:
    """By the date of an answer, whatever it says."""
    before = now()
    with mapped_errors(), urllib3.PoolManager(retries=False) as http:
        wait = urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS)
        date = http.request("GET", address, timeout=wait, redirect=False).headers.get("Date")
    if date is None:
        return []
    return [clock("S3", parsedate_to_datetime(date), before, now(), step=timedelta(seconds=1))]
