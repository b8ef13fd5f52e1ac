"""Every saver does all that LangGraph's conformance suite asks, on real servers."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.conformance.capabilities import Capability
from pymongo import AsyncMongoClient
from redis.asyncio import Redis

from memory.checkpoints import Keep, Saver
from memory.errors import Conflict, Invalid, Unavailable
from memory.mongo.checkpoints import MongoSaver
from memory.redis.checkpoints import RedisSaver
from tests.services.mongo import MongoServer
from tests.services.process import ServerProcess
from tests.services.redis import RedisServer
from tests.services.savers import Savers

KEEPS: tuple[Keep, ...] = ("all", "latest")


@pytest.mark.parametrize("capability", [capability.value for capability in Capability])
async def test_conformance(savers: Savers, capability: str) -> None:
    @checkpointer_test(name=savers.backend)
    async def saver() -> "AsyncIterator[BaseCheckpointSaver[int]]":
        yield await savers.open()

    report = await validate(saver, capabilities={capability})

    result = report.results[capability]
    assert not result.failures
    assert result.passed
    assert result.tests_passed > 0
    assert result.tests_skipped == 0


def _checkpoint(number: int, *messages: str, note: str = "") -> Checkpoint:
    """A checkpoint with these messages, each its own id."""
    return {
        "v": 4,
        "id": f"{number:04}",
        "ts": "2026-11-23T00:00:00+00:00",
        "channel_values": {
            "messages": [HumanMessage(text, id=text) for text in messages],
            "note": note,
        },
        "channel_versions": {"messages": number, "note": number},
        "versions_seen": {},
        "updated_channels": None,
    }


def _config(thread: str, checkpoint_id: str | None = None, namespace: str = "") -> RunnableConfig:
    named = {"thread_id": thread, "checkpoint_ns": namespace}
    return {"configurable": named | ({"checkpoint_id": checkpoint_id} if checkpoint_id else {})}


async def _put(
    saver: Saver, config: RunnableConfig, checkpoint: Checkpoint, **metadata: Any
) -> RunnableConfig:
    known: CheckpointMetadata = {"source": "loop", "step": 1, "parents": {}, **metadata}  # type: ignore[typeddict-item]
    return await saver.aput(config, checkpoint, known, checkpoint["channel_versions"])


async def _messages(saver: Saver, config: RunnableConfig) -> list[str]:
    found = await saver.aget_tuple(config)
    assert found is not None
    return [message.content for message in found.checkpoint["channel_values"]["messages"]]


NOT_TEXT = [{"$ne": ""}, {"$gt": ""}, ["a"], 1, b"a", True, "\ud800", "x" * 5000]


@pytest.mark.parametrize("bad", NOT_TEXT, ids=repr)
async def test_ids_are_text(savers: Savers, bad: Any) -> None:
    """An operator, or anything else that is not text, is refused before it reaches the store."""
    saver = await savers.open()
    await _put(saver, _config("a"), _checkpoint(1, "hello"))

    for config in (_config(bad), _config("a", bad), _config("a", namespace=bad)):
        with pytest.raises(Invalid):
            await saver.aget_tuple(config)
        with pytest.raises(Invalid):
            await _put(saver, config, _checkpoint(2))
        with pytest.raises(Invalid):
            await saver.aput_writes(config, [("note", 1)], "task")
        with pytest.raises(Invalid):
            _ = [one async for one in saver.alist(config)]
    with pytest.raises(Invalid):
        _ = [one async for one in saver.alist(_config("a"), before=_config("a", bad))]
    with pytest.raises(Invalid):
        await saver.aput_writes(_config("a", "0001"), [("note", 1)], bad)
    with pytest.raises(Invalid):
        await saver.adelete_thread(bad)
    with pytest.raises(Invalid):
        await saver.adelete_for_runs([bad])
    with pytest.raises(Invalid):
        await saver.acopy_thread(bad, "b")
    with pytest.raises(Invalid):
        await saver.acopy_thread("a", bad)
    with pytest.raises(Invalid):
        await saver.aprune([bad])
    assert await _messages(saver, _config("a")) == ["hello"]


@pytest.mark.parametrize(
    "filter", [{"source": {"$ne": ""}}, {"$where": "true"}, {"source": ["loop"]}, {1: 1}], ids=repr
)
async def test_filters_hold_no_operators(savers: Savers, filter: Any) -> None:
    saver = await savers.open()
    await _put(saver, _config("a"), _checkpoint(1))

    with pytest.raises(Invalid):
        _ = [one async for one in saver.alist(_config("a"), filter=filter)]


ODD = ["", "*", "a*", "{a}", "a}:items:{b", "a:b", "%", "' OR 1=1 --", "$where", "a.b", "\x00",
       "\n", "가", "🍅"]  # fmt: skip


async def test_odd_ids_stay_apart(savers: Savers) -> None:
    """No thread's or namespace's name reaches into another's data."""
    saver = await savers.open()
    for thread in ODD:
        for namespace in ODD[:6]:
            name = f"{thread}|{namespace}"
            await _put(saver, _config(thread, namespace=namespace), _checkpoint(1, name))
            config = _config(thread, "0001", namespace)
            await saver.aput_writes(config, [("$set", name), ("a.b", 2)], "task.$x")

    for thread in ODD:
        for namespace in ODD[:6]:
            name = f"{thread}|{namespace}"
            found = await saver.aget_tuple(_config(thread, namespace=namespace))
            assert found is not None
            assert await _messages(saver, _config(thread, namespace=namespace)) == [name]
            assert found.pending_writes == [("task.$x", "$set", name), ("task.$x", "a.b", 2)]
    await saver.adelete_thread("*")
    left = [one async for one in saver.alist(None)]
    assert len(left) == (len(ODD) - 1) * 6


async def test_deleted_is_gone(savers: Savers) -> None:
    """No byte of what a thread, a run or an older checkpoint had is left anywhere."""
    saver = await savers.open()
    marker, kept = "지워질-표시-" * 3, "남는-표시"
    before = await _put(saver, _config("a"), _checkpoint(1, kept, f"{marker}1"), run_id="r1")
    await saver.aput_writes(before, [("note", f"{marker}2")], "task")
    now = await _put(
        saver, _config("a", "0001"), _checkpoint(2, kept, f"{marker}3", note=f"{marker}4" * 99)
    )
    await saver.aput_writes(now, [("note", f"{marker}5")], "task")
    await _put(saver, _config("b", namespace="child"), _checkpoint(1, f"{marker}6"))
    assert marker.encode() in await savers.dump()

    await saver.adelete_for_runs(["r1"])
    after_run = await savers.dump()
    await _put(saver, _config("a", "0002"), _checkpoint(3, kept))
    await saver.aprune(["a"])
    after_prune = await savers.dump()
    await saver.adelete_thread("b")
    after_delete = await savers.dump()

    for number, gone_from in enumerate(
        [after_run, after_run, after_prune, after_prune, after_prune, after_delete], start=1
    ):
        assert f"{marker}{number}".encode() not in gone_from
    assert kept.encode() in after_delete
    assert await _messages(saver, _config("a")) == [kept]


async def test_growing_list_is_stored_once(savers: Savers) -> None:
    """However long a list is, a put stores what is new, and its head does not grow."""
    saver = await savers.open()
    texts: list[str] = []
    sizes: list[int] = []
    for number in range(1, 121):
        texts += [f"질문 {number} " + "x" * 280, f"답 {number} " + "y" * 280]
        await _put(saver, _config("a", f"{number - 1:04}"), _checkpoint(number, *texts))
        if number % 40 == 0:
            sizes.append(len(await savers.dump()))

    spent = sum(len(text.encode()) for text in texts)
    assert await _messages(saver, _config("a")) == texts
    assert sizes[-1] <= 3.5 * spent + 131072
    assert sizes[2] - sizes[1] <= 1.3 * (sizes[1] - sizes[0])


@pytest.mark.parametrize("keep", KEEPS)
async def test_two_savers_at_once(savers: Savers, keep: Keep) -> None:
    """Two processes write one thread: what each reads is one of the states that were put."""
    ours, theirs = await savers.open(keep=keep), await savers.open(keep=keep)

    async def write(saver: Saver, name: str, first: int) -> None:
        texts: list[str] = []
        for number in range(first, first + 40, 2):
            texts = [*texts[-5:], f"{name}-{number}"]
            await _put(saver, _config("a"), _checkpoint(number, *texts, note=name * 500))

    await asyncio.gather(write(ours, "하나", 1), write(theirs, "둘", 2))

    kept = [one async for one in ours.alist(_config("a"))]
    assert len(kept) == (40 if keep == "all" else 1)
    for one in kept:
        values = one.checkpoint["channel_values"]
        name, number = values["note"][: len(values["note"]) // 500], int(one.checkpoint["id"])
        first = 1 if name == "하나" else 2
        expected = [f"{name}-{n}" for n in range(first, number + 1, 2)][-6:]
        assert [message.content for message in values["messages"]] == expected
    await theirs.adelete_thread("a")
    await _put(ours, _config("a"), _checkpoint(99, "새로"))
    assert await _messages(theirs, _config("a")) == ["새로"]


async def test_copy_refuses_a_thread_in_use(savers: Savers) -> None:
    saver = await savers.open()
    await _put(saver, _config("a"), _checkpoint(1, "one"))
    await _put(saver, _config("b"), _checkpoint(1, "둘"))

    with pytest.raises(Conflict):
        await saver.acopy_thread("a", "b")

    assert await _messages(saver, _config("b")) == ["둘"]


class Secret:
    """Neither plain data nor a type that the saver was told of."""


async def test_nothing_is_pickled(savers: Savers) -> None:
    saver = await savers.open()
    checkpoint = _checkpoint(1)
    checkpoint["channel_values"]["note"] = Secret()

    with pytest.raises(TypeError):
        await _put(saver, _config("a"), checkpoint)

    assert await saver.aget_tuple(_config("a")) is None


async def test_mongo_away(tmp_path: Path) -> None:
    """A store that is away is Unavailable, in reading and in writing."""
    with MongoServer(tmp_path / "mongo", replica_set=False) as server:
        async with AsyncMongoClient[dict[str, Any]](
            server.url(), serverSelectionTimeoutMS=300, socketTimeoutMS=2000
        ) as client:
            await _check_away(MongoSaver(client["a"]), server)


async def test_redis_away(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", fsync="always") as server:
        async with Redis.from_url(server.url) as client:
            await _check_away(RedisSaver(client), server)


async def _check_away(saver: Saver, server: ServerProcess) -> None:
    await _put(saver, _config("a"), _checkpoint(1, "전에"))
    server.kill()
    with pytest.raises(Unavailable):
        await saver.aget_tuple(_config("a"))
    with pytest.raises(Unavailable):
        await _put(saver, _config("a"), _checkpoint(2))
    with pytest.raises(Unavailable):
        await saver.aput_writes(_config("a", "0001"), [("note", 1)], "task")
    with pytest.raises(Unavailable):
        await saver.adelete_thread("a")
    server.start()
    await _put(saver, _config("a", "0001"), _checkpoint(3, "전에", "후에"))
    assert await _messages(saver, _config("a")) == ["전에", "후에"]


async def test_redis_time_to_live(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        saver = RedisSaver(client, ttl=timedelta(minutes=5))
        stored = await _put(saver, _config("a"), _checkpoint(1, "hi"), run_id="run")
        await saver.aput_writes(stored, [("note", 1)], "task")

        keys = await client.keys()
        assert len(keys) == 6
        for key in keys:
            assert 0 < await client.ttl(key) <= 300


async def test_redis_evicted_items(redis_url: str) -> None:
    """A checkpoint whose items Redis has evicted is none; the thread goes on."""
    async with Redis.from_url(redis_url) as client:
        saver = RedisSaver(client)
        await _put(saver, _config("a"), _checkpoint(1, "one"))
        for key in await client.keys("*:items:*"):
            await client.delete(key)

        assert await saver.aget_tuple(_config("a")) is None
        await _put(saver, _config("a", "0001"), _checkpoint(2, "둘"))

        assert await _messages(saver, _config("a")) == ["둘"]
        assert len([one async for one in saver.alist(_config("a"))]) == 1


async def test_redis_that_decodes_is_refused(redis_url: str) -> None:
    async with Redis.from_url(redis_url, decode_responses=True) as client:
        with pytest.raises(ValueError, match="decode"):
            RedisSaver(client)


async def test_mongo_standalone(tmp_path: Path) -> None:
    """No replica set, no transactions: the same."""
    with MongoServer(tmp_path / "mongo", replica_set=False) as server:
        async with AsyncMongoClient[dict[str, Any]](server.url()) as client:
            for keep in KEEPS:
                saver = MongoSaver(client[keep], keep=keep, page_bytes=512)
                await saver.prepare()
                texts: list[str] = []
                for number in range(1, 20):
                    texts = [*texts, f"{number} " + "가" * 50]
                    await _put(saver, _config("a", f"{number - 1:04}"), _checkpoint(number, *texts))
                assert await _messages(saver, _config("a")) == texts
                assert len([1 async for _ in saver.alist(None)]) == (19 if keep == "all" else 1)


async def test_mongo_killed_while_writing(tmp_path: Path) -> None:
    """Whatever moment it dies at: nothing acknowledged is lost, nothing is half there."""
    with MongoServer(tmp_path / "mongo") as server:
        async with AsyncMongoClient[dict[str, Any]](
            server.url(), serverSelectionTimeoutMS=300, socketTimeoutMS=2000
        ) as client:
            for keep in KEEPS:
                saver = MongoSaver(client[keep], keep=keep, page_bytes=2048)
                await _kill_while_writing(saver, server)


async def test_redis_killed_while_writing(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis", fsync="always") as server:
        async with Redis.from_url(server.url) as client:
            for keep in KEEPS:
                await _kill_while_writing(RedisSaver(client, keep=keep, prefix=keep), server)


async def _kill_while_writing(saver: Saver, server: ServerProcess) -> None:
    window: list[str] = []
    stored, rounds = 0, 2
    killing: asyncio.Task[None] | None = None
    for number in itertools.count(1):
        texts = [*window[-9:], f"{number} " + "가" * 60]
        if number % 7 == 0 and killing is None:
            killing = asyncio.create_task(asyncio.to_thread(server.kill))
        try:
            await _put(saver, _config("a", f"{stored:04}" if stored else None),
                       _checkpoint(number, *texts))  # fmt: skip
            window, stored = texts, number
        except Unavailable:
            assert killing is not None
            await killing
            killing = None
            server.start()
            found = await saver.aget_tuple(_config("a"))
            assert found is not None
            newest = int(found.checkpoint["id"])
            assert newest in (stored, number)
            window = window if newest == stored else texts
            stored, rounds = newest, rounds - 1
            assert await _messages(saver, _config("a")) == window
        if not rounds:
            return
