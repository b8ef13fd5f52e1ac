"""The digest of an archive in Redis: one command if it is known, never from before a change."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from redis.asyncio import Redis

from memory.archive_layer import ArchiveLayer
from memory.mongo.archive import MongoArchive
from memory.mongo.schema import open_mongo
from memory.protocols import Archive
from memory.redis import digests
from memory.redis.connection import open_redis
from memory.redis.digests import PREFIX, CachedDigest, RedisDigests
from memory.redis.sessions import RedisSessions
from memory.sessions import Lifetime
from memory.sqlite.archive import SQLiteArchive
from memory.sqlite.database import Database
from tests.services.redis import RedisServer

ME, OTHER = "user_나", "user_other"
KEY = PREFIX + ME


@asynccontextmanager
async def on_sqlite(request: pytest.FixtureRequest) -> AsyncIterator[Archive]:
    folder: Path = request.getfixturevalue("tmp_path")
    database = await Database.open(folder / "tomato.db")
    yield SQLiteArchive(database)
    await database.close()


@asynccontextmanager
async def on_mongo(request: pytest.FixtureRequest) -> AsyncIterator[Archive]:
    async with open_mongo(request.getfixturevalue("mongo_url")) as database:
        yield MongoArchive(database)


class Counted(ArchiveLayer):
    """How often the store was asked for a digest; it can be held up after it has read."""

    def __init__(self, archive: Archive) -> None:
        super().__init__(archive)
        self.asked = 0
        self.has_read = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def digest(self, owner: str, *, max_tokens: int) -> str:
        self.asked += 1
        made = await super().digest(owner, max_tokens=max_tokens)
        self.has_read.set()
        await self.may_answer.wait()
        return made


@pytest.fixture(params=[on_sqlite, on_mongo])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Counted]:
    async with request.param(request) as archive:
        yield Counted(archive)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with open_redis(redis_url) as client:
        yield client


async def digest(archive: Archive, owner: str = ME, max_tokens: int = 400) -> str:
    return await archive.digest(owner, max_tokens=max_tokens)


async def test_a_known_digest_costs_one_command_and_the_store_nothing(
    store: Counted, redis: Redis
) -> None:
    archive = CachedDigest(store, RedisDigests(redis))
    await archive.save(ME, label="레디스 만료", category="개발", content="세션은 30분 뒤 만료")
    first = await digest(archive)
    assert first == "개발 (1)\n- 레디스 만료 [개발]"
    before = await redis.info("commandstats")
    assert [await digest(archive) for _ in range(5)] == [first] * 5
    assert store.asked == 1
    after = await redis.info("commandstats")
    spent = {name: after[name]["calls"] - before.get(name, {"calls": 0})["calls"] for name in after}
    assert {name: calls for name, calls in spent.items() if calls} == {
        "cmdstat_set": 5,
        "cmdstat_info": 1,
    }
    assert 0 < await redis.ttl(KEY) <= digests.KEPT_SECONDS


async def test_an_empty_digest_is_known_too_and_every_owner_has_their_own(
    store: Counted, redis: Redis
) -> None:
    archive = CachedDigest(store, RedisDigests(redis))
    await archive.save(OTHER, label="a", category="b", content="c")
    assert [await digest(archive), await digest(archive)] == ["", ""]
    assert store.asked == 1
    assert await digest(archive, OTHER) == "b (1)\n- a [b]"
    assert await digest(archive) == ""
    assert set(await redis.keys("*")) == {KEY.encode(), f"{PREFIX}{OTHER}".encode()}


async def test_another_bound_is_another_digest(store: Counted, redis: Redis) -> None:
    archive = CachedDigest(store, RedisDigests(redis))
    await archive.save(ME, label="김치찌개 끓이는 법", category="요리", content="묵은지")
    whole = await digest(archive)
    assert len(await digest(archive, max_tokens=8)) < len(whole)
    assert await digest(archive) == whole


async def test_it_is_made_anew_after_every_change_in_whichever_process(
    store: Counted, redis: Redis, redis_url: str
) -> None:
    async with open_redis(redis_url) as client:
        here, there = (
            CachedDigest(store, RedisDigests(redis)),
            CachedDigest(store, RedisDigests(client)),
        )
        entry = await there.save(ME, label="여권", category="여행", content="M12345678")
        assert await digest(here) == "여행 (1)\n- 여권 [여행]"
        await there.update(ME, entry.id, label="여권 번호")
        assert await digest(here) == "여행 (1)\n- 여권 번호 [여행]"
        await there.rename_category(ME, "여행", "서류")
        assert await digest(here) == "서류 (1)\n- 여권 번호 [서류]"
        await there.delete(ME, entry.id)
        assert await digest(here) == ""
        assert store.asked == 4


async def test_what_was_read_before_a_change_is_not_kept_after_it(
    store: Counted, redis: Redis
) -> None:
    archive = CachedDigest(store, RedisDigests(redis))
    store.may_answer.clear()
    reading = asyncio.create_task(digest(archive))
    await store.has_read.wait()
    await archive.save(ME, label="새것", category="c", content="사이에 왔다")
    store.may_answer.set()
    assert await reading == ""
    assert await digest(archive) == "c (1)\n- 새것 [c]"


async def test_a_change_that_is_broken_off_leaves_no_digest_from_before_it(
    store: Counted, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = RedisDigests(redis)
    archive, other = CachedDigest(store, keys), CachedDigest(store, RedisDigests(redis))
    assert await digest(other) == ""
    over = asyncio.Event()

    async def never(owner: str) -> None:
        over.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(keys, "end", never)
    saving = asyncio.create_task(archive.save(ME, label="남았다", category="c", content="stays"))
    await over.wait()
    saving.cancel()
    await asyncio.gather(saving, return_exceptions=True)
    assert await digest(other) == "c (1)\n- 남았다 [c]"
    assert 0 < await redis.ttl(KEY) <= digests.CHANGING_SECONDS


async def test_without_redis_all_goes_on_and_what_was_missed_is_dropped(
    store: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "RETRY_SECONDS", 0.01)
    with RedisServer(tmp_path) as server:
        async with open_redis(server.url) as client:
            archive = CachedDigest(store, RedisDigests(client))
            assert await digest(archive) == ""
            server.stop()  # in order: what it held is there again
            await archive.save(ME, label="없는 동안", category="c", content="while it was away")
            assert await digest(archive) == "c (1)\n- 없는 동안 [c]"
            server.start()
            async with asyncio.timeout(10):
                while server.tell(f"EXISTS {KEY}") == b":1":  # noqa: ASYNC110 - nothing tells
                    await asyncio.sleep(0.01)
            assert [await digest(archive), await digest(archive)] == ["c (1)\n- 없는 동안 [c]"] * 2
            await archive.close()


class Race:
    """Readers, changes, logouts and losses of a key, step by step; a number is the archive."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.keys = RedisDigests(redis)
        self.stored = 0

    async def read(self, token: str) -> AsyncIterator[None]:
        held = await self.keys.find(ME, token)
        yield
        seen = b"=%d" % self.stored
        yield
        if held is None:
            await self.keys.keep(ME, token, seen)

    async def change(self) -> AsyncIterator[None]:
        await self.keys.begin(ME)
        yield
        self.stored += 1
        yield
        await self.keys.end(ME)

    async def log_out(self) -> AsyncIterator[None]:
        await self.keys.drop(ME)
        yield

    async def lose(self) -> AsyncIterator[None]:
        await self.redis.delete(KEY)
        yield

    async def stale(self) -> bool:
        held = cast("bytes | None", await self.redis.get(KEY))
        return held is not None and held.startswith(b"=") and held != b"=%d" % self.stored

    async def fresh(self) -> bool:
        """Whether a reader after all of this has it kept."""
        await self.keys.drop(ME)
        return await self.keys.find(ME, "?z") is None


async def step(one: AsyncIterator[None]) -> bool:
    return await anext(one, "over") is None


@pytest.mark.parametrize("lossy", [False, True])
async def test_no_order_of_steps_keeps_a_digest_from_before_a_change(
    redis: Redis, lossy: bool
) -> None:
    chosen = random.Random(7)
    for _ in range(150):
        await redis.delete(KEY)
        race = Race(redis)
        going = [race.read("?a"), race.read("?b"), race.change(), race.change(), race.log_out()]
        if lossy:
            going.append(race.lose())
        while going:
            one = chosen.choice(going)
            if not await step(one):
                going.remove(one)
            assert lossy or not await race.stale()
        assert not await race.stale()
        assert await race.fresh()


async def test_a_process_that_dies_within_a_change_leaves_nothing_old(redis: Redis) -> None:
    for steps in (1, 2):
        await redis.delete(KEY)
        race = Race(redis)
        dying, other, reader = race.change(), race.change(), race.read("?a")
        assert await step(reader)
        for _ in range(steps):
            await step(dying)
        while await step(other):
            pass
        while await step(reader):
            pass
        assert await redis.get(KEY) == b"!1"
        assert 0 < await redis.ttl(KEY) <= digests.CHANGING_SECONDS


async def test_it_goes_with_the_session(store: Counted, redis: Redis) -> None:
    archive = CachedDigest(store, RedisDigests(redis))
    sessions = RedisSessions(redis, Lifetime(idle=timedelta(hours=1), longest=timedelta(days=1)))
    for close_all in (False, True):
        _, session = await sessions.open(ME)
        await digest(archive)
        assert await redis.exists(KEY)
        await (sessions.close_all(ME) if close_all else sessions.close(session.id))
        assert not await redis.exists(KEY)
