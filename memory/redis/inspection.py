"""Examines Redis or Valkey: its version, what it does when its memory is full, its clock."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from memory.findings import Finding, clock, version
from memory.redis.connection import open_redis
from memory.redis.faults import mapped_errors
from memory.times import now

OLDEST = (7, 0)
"""The first that sets and reads a key in one command."""


async def examine(url: str) -> Sequence[Finding]:
    """What the server is like; raises Invalid for a bad URL, Unavailable if nothing answers."""
    async with open_redis(url) as client:
        with mapped_errors():
            before, began = now(), time.perf_counter()
            seconds, micros = await client.time()
            took, after = time.perf_counter() - began, now()
            info = await client.info()
    theirs = datetime.fromtimestamp(seconds + micros / 1_000_000, UTC)
    return [
        version("redis", str(info["redis_version"]), OLDEST, f"answers in {took * 1000:.1f} ms"),
        full(int(info["maxmemory"]), str(info["maxmemory_policy"])),
        clock("Redis", theirs, before, after),
    ]


def full(limit: int, policy: str) -> Finding:
    """What becomes of the data once ``limit`` bytes are full; 0 for no limit."""
    if policy == "noeviction":
        return Finding("redis memory", "ok", "nothing is evicted")
    if limit == 0:
        said = f"it has no limit; with one, {policy} would sign people out"
        return Finding("redis memory", "note", said, "set maxmemory-policy to noeviction")
    return Finding(
        "redis memory",
        "problem",
        f"when {limit:,} bytes are full, {policy} signs people out and loses leases",
        "set maxmemory-policy to noeviction (`CONFIG SET maxmemory-policy noeviction`)",
    )
