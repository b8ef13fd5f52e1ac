"""Examines MongoDB: its version, its transactions, its clock, its indexes; changes what it may."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pymongo import IndexModel
from pymongo.errors import OperationFailure

from memory.findings import Finding, clock, version
from memory.mongo.database import MongoDatabase, has_transactions
from memory.mongo.faults import mapped_errors
from memory.mongo.schema import INDEXES, SCHEMA_VERSION, open_mongo
from memory.times import now

OLDEST = (6, 0)
"""The oldest that all of Tomato is tested on."""


async def examine(url: str, *, mend: bool = False) -> Sequence[Finding]:
    """What the server and the database are like, before anything is prepared there.

    With ``mend`` indexes are made as they should be. Raises Invalid for a bad URL, Unavailable if
    nothing answers.
    """
    async with open_mongo(url, prepare=False) as database:
        with mapped_errors():
            before, began = now(), time.perf_counter()
            hello = await database.database.command("hello")
            took, after = time.perf_counter() - began, now()
            build = await database.database.command("buildInfo")
            schema = await database["schema"].find_one({"_id": "tomato"})
        said = f"answers in {took * 1000:.1f} ms, schema {schema['version'] if schema else 'none'}"
        findings = [
            version("mongodb", build["version"], OLDEST, said),
            _transactions(hello),
            clock("MongoDB", hello["localTime"], before, after),
        ]
        if schema is not None and schema["version"] <= SCHEMA_VERSION:
            findings.append(await _indexes(database, mend))
        return findings


def _transactions(hello: Mapping[str, Any]) -> Finding:
    if has_transactions(hello):
        return Finding("transactions", "ok", "on")
    return Finding(
        "transactions",
        "problem",
        "none: it is no replica set, a crash may leave a half, and backups are of no one moment",
        "start it with --replSet rs0 and run rs.initiate() once; one member is enough",
    )


async def _indexes(database: MongoDatabase, mend: bool) -> Finding:
    """Compare all with what they should be."""
    with mapped_errors():
        wrong = await _wrong(database)
    if not wrong:
        return Finding("indexes", "ok", "all there, as they should be")
    names = ", ".join(f"{collection}.{_name(model)}" for collection, model, _ in wrong)
    if not mend:
        return Finding(
            "indexes", "problem", f"missing or different: {names}", "`tomato doctor --repair`"
        )
    try:
        for collection, model, there in wrong:
            if there is not None:
                await database[collection].drop_index(there)
            await database[collection].create_indexes([model])
    except OperationFailure as failure:
        said = f"could not be made: {names} (MongoDB's code {failure.code})"
        how = "look for documents that are there twice (code 11000), or restore a backup"
        return Finding("indexes", "problem", said, how)
    return Finding("indexes", "mended", f"made: {names}")


async def _wrong(database: MongoDatabase) -> list[tuple[str, IndexModel, str | None]]:
    """Each index that is missing or different, with the name of what stands in its place."""
    wrong: list[tuple[str, IndexModel, str | None]] = []
    for collection, models in INDEXES.items():
        there = await database[collection].index_information()
        for model in models:
            wanted = _shape(model.document)
            # One under another name with the same fields stands in the way as well.
            near = [
                one for one, info in there.items() if one == _name(model) or _key(info) == wanted[0]
            ]
            if not any(_shape(there[one]) == wanted for one in near):
                wrong.append((collection, model, near[0] if near else None))
    return wrong


def _name(model: IndexModel) -> str:
    return str(model.document["name"])


def _key(index: Mapping[str, Any]) -> list[tuple[str, Any]]:
    key = index["key"]
    return [(str(field), order) for field, order in (key.items() if hasattr(key, "items") else key)]


def _shape(index: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes two indexes the same, whatever they are called."""
    return (
        _key(index),
        bool(index.get("unique")),
        index.get("expireAfterSeconds"),
        index.get("partialFilterExpression"),
    )
