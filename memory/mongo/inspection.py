"""Examines MongoDB: its version, its indexes, its clock."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from memory.findings import Finding
from memory.mongo.database import INDEXES, SCHEMA_VERSION, MongoDatabase
from memory.mongo.faults import mapped_errors
from memory.times import now

CLOCKS_APART = timedelta(seconds=5)


async def examine(database: MongoDatabase) -> Sequence[Finding]:
    """What the server and the database are like."""
    with mapped_errors():
        build = await database.database.command("buildInfo")
        hello = await database.database.command("hello")
        lacking = await _lacking_indexes(database)
    transactions = "setName" in hello or hello.get("msg") == "isdbgrid"
    return [
        Finding("mongodb", "ok", f"version {build['version']}, schema {SCHEMA_VERSION}"),
        Finding(
            "transactions",
            "ok" if transactions else "problem",
            "on" if transactions else "none: it is no replica set, and a crash may leave a half",
        ),
        Finding(
            "indexes", "problem" if lacking else "ok", f"lacking: {', '.join(lacking) or 'none'}"
        ),
        _clock(hello["localTime"]),
    ]


async def _lacking_indexes(database: MongoDatabase) -> list[str]:
    lacking = []
    for collection, models in INDEXES.items():
        there = await database[collection].index_information()
        wanted = [model.document["name"] for model in models]
        lacking += [f"{collection}.{name}" for name in wanted if name not in there]
    return lacking


def _clock(theirs: datetime) -> Finding:
    apart = abs(now() - theirs.replace(tzinfo=UTC))
    says = f"{apart.total_seconds():.1f} s from MongoDB's"
    return Finding("clock", "problem" if apart > CLOCKS_APART else "ok", says)
