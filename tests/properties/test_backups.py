"""Whatever a store holds comes back from its backup as it was, to the byte and in its types."""

import asyncio
import secrets
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from bson import (
    Binary,
    Code,
    DatetimeMS,
    DBRef,
    Decimal128,
    Int64,
    MaxKey,
    MinKey,
    ObjectId,
    Regex,
    Timestamp,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo import AsyncMongoClient

from memory import backups
from memory.folder.objects import FolderObjects
from memory.mongo.backups import MongoBackup, at_database

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
names = words.filter(lambda name: name and not name.startswith("$") and "." not in name)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1).map(Int64),
    st.floats(),
    words,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.binary(max_size=40),
    st.builds(Binary, st.binary(min_size=16, max_size=16), st.sampled_from([3, 4, 5, 6, 9, 128])),
    st.uuids().map(Binary.from_uuid),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    st.integers(-(2**62), 2**62).map(DatetimeMS),
    st.datetimes(timezones=st.just(UTC)).map(lambda time: time.replace(microsecond=0)),
    st.builds(Timestamp, st.integers(1, 2**32 - 1), st.integers(0, 2**32 - 1)),
    st.decimals(allow_nan=True, places=6, min_value=-(10**20), max_value=10**20).map(Decimal128),
    st.sampled_from([Decimal128("NaN"), Decimal128("-Infinity"), Decimal128("1E+6144")]),
    st.builds(Regex, st.sampled_from(["^토마토$", "a.*b", ""]), st.sampled_from(["", "imsx"])),
    st.builds(Code, words),
    st.builds(Code, words, st.dictionaries(names, st.integers(0, 9), max_size=2)),
    st.builds(DBRef, names, st.integers(0, 9)),
    st.sampled_from([MinKey(), MaxKey()]),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)
documents = st.dictionaries(names.filter(lambda name: name != "_id"), values, max_size=6)
collections = st.lists(documents, max_size=12)


@pytest.fixture
def loop() -> Iterator[asyncio.Runner]:
    """One event loop for all examples of a test."""
    with asyncio.Runner() as runner:
        yield runner


async def _fill(url: str, contents: dict[str, list[dict[str, Any]]]) -> None:
    async with AsyncMongoClient[Any](url) as client:
        database = client.get_default_database()
        await client.drop_database(database.name)
        for name, documents in contents.items():
            await database.create_collection(name)
            if documents:
                await database[name].insert_many(documents)


async def _content(url: str) -> dict[str, list[bytes]]:
    async with AsyncMongoClient[Any](url) as client:
        database = client.get_default_database()
        found = {}
        for name in await database.list_collection_names():
            cursor: Any = database[name].find_raw_batches()
            raw = b"".join([batch async for batch in cursor])
            found[name] = sorted(_split(raw))
        return found


def _split(raw: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(raw):
        length = int.from_bytes(raw[start : start + 4], "little")
        yield raw[start : start + length]
        start += length


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(first=collections, second=collections, key=st.sampled_from([None, "열쇠 하나와 둘"]))
def test_any_documents_come_back(
    mongo_url: str,
    loop: asyncio.Runner,
    tmp_path: Path,
    first: list[dict[str, Any]],
    second: list[dict[str, Any]],
    key: str | None,
) -> None:
    async def check() -> None:
        await _fill(mongo_url, {"첫 번째/%": first, "second": second, "empty": []})
        objects = await FolderObjects.open(tmp_path / "none")
        store = await FolderObjects.open(tmp_path / "store")
        target = MongoBackup(at_database(mongo_url, f"restored_{secrets.token_hex(6)}"))
        name = await backups.run(MongoBackup(mongo_url), objects, store, key)
        await backups.restore(store, name, key, durable=target, objects=objects)
        before, after = await _content(mongo_url), await _content(target._url)
        await target.drop()
        assert after == before

    loop.run(check())
