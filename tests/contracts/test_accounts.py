"""What users and sessions promise, held against every store."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from memory.accounts import Session, Sessions, Users
from memory.errors import Conflict, Invalid, NotFound
from memory.mongo.schema import open_mongo
from memory.mongo.sessions import MongoSessions
from memory.mongo.users import MongoUsers
from memory.redis.connection import open_redis
from memory.redis.sessions import RedisSessions
from memory.sessions import Lifetime, is_sid
from memory.sqlite.database import Database
from memory.sqlite.sessions import SQLiteSessions
from memory.sqlite.users import SQLiteUsers
from memory.times import now

WEEK = Lifetime(timedelta(days=7), timedelta(days=30))


@pytest.fixture(params=["sqlite", "mongo", "standalone"])
async def users(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Users]:
    if request.param == "sqlite":
        database = await Database.open(tmp_path / "tomato.db")
        yield SQLiteUsers(database)
        await database.close()
        return
    name = "mongo_url" if request.param == "mongo" else "standalone_mongo_url"
    async with open_mongo(request.getfixturevalue(name)) as mongo:
        yield MongoUsers(mongo)


class Opener:
    """Opens sessions of any lifetime over one store; each call is another process's view."""

    def __init__(self, request: pytest.FixtureRequest, kind: str) -> None:
        self._request = request
        self._kind = kind

    @asynccontextmanager
    async def __call__(self, lifetime: Lifetime = WEEK) -> AsyncIterator[Sessions]:
        if self._kind == "sqlite":
            folder: Path = self._request.getfixturevalue("tmp_path")
            database = await Database.open(folder / "tomato.db")
            yield SQLiteSessions(database, lifetime)
            await database.close()
        elif self._kind == "mongo":
            async with open_mongo(self._request.getfixturevalue("mongo_url")) as mongo:
                yield MongoSessions(mongo, lifetime)
        else:
            async with open_redis(self._request.getfixturevalue("redis_server").url) as client:
                yield RedisSessions(client, lifetime)


@pytest.fixture(params=["sqlite", "mongo", "redis"])
def opened(request: pytest.FixtureRequest) -> Opener:
    return Opener(request, request.param)


@pytest.fixture
async def sessions(opened: Opener) -> AsyncIterator[Sessions]:
    async with opened() as sessions:
        yield sessions


async def test_a_user_is_found_by_uid_and_by_name(users: Users) -> None:
    user = await users.add("토마토.Lover", "hash-1")
    assert user.uid.startswith("user_")
    assert not user.disabled
    assert await users.get(user.uid) == user
    assert await users.by_name("토마토.lover") == (user, "hash-1")
    assert await users.by_name("nobody") is None
    with pytest.raises(NotFound):
        await users.get("user_none")


@pytest.mark.parametrize(
    ("name", "same"),
    [
        ("Tomato", "tOMATO"),
        ("straße", "STRASSE"),
        ("tomato", "ｔｏｍａｔｏ"),
        ("한국어", "한국어"),
        ("ﬁnder", "finder"),
        ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ],
)
async def test_names_that_fold_to_the_same_are_taken(users: Users, name: str, same: str) -> None:
    first = await users.add(name, "hash")
    with pytest.raises(Conflict) as taken:
        await users.add(same, "other")
    assert taken.value.code == "username_taken"
    found = await users.by_name(same)
    assert found == (first, "hash")


async def test_of_many_at_once_one_wins(users: Users) -> None:
    names = ["tomato", "TOMATO", "Tomato", "ｔomato"] * 5
    ended = await asyncio.gather(
        *(users.add(name, "hash") for name in names), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in ended) == len(names) - 1


@pytest.mark.parametrize(
    "name",
    [
        *("ab", "a" * 33, "a b c", "a\0bc", "abc\n", "\u202eabc", "abc/..", ".abc", "abc-"),
        *("😀😀😀", "\u0440\u0430ypal"),
    ],
)
async def test_names_that_are_none_are_refused(users: Users, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        await users.add(name, "hash")
    assert refused.value.details["field"] == "username"
    assert (await users.page(limit=10)).items == []


async def test_users_are_changed_listed_and_deleted(users: Users) -> None:
    made = [await users.add(name, "hash") for name in ("celery", "apple", "berry")]
    first = await users.page(limit=2)
    assert [user.username for user in first.items] == ["apple", "berry"]
    rest = await users.page(limit=2, cursor=first.next_cursor)
    assert [user.username for user in rest.items] == ["celery"]
    assert rest.next_cursor is None
    uid = made[0].uid
    await users.set_password_hash(uid, "hash-2")
    await users.set_disabled(uid, True)
    found = await users.by_name("celery")
    assert found is not None
    assert found[1] == "hash-2"
    assert found[0].disabled
    await users.delete(uid)
    await users.delete(uid)
    assert await users.by_name("celery") is None
    with pytest.raises(NotFound):
        await users.set_disabled(uid, False)


async def test_a_session_is_used_until_it_is_closed(sessions: Sessions) -> None:
    sid, session = await sessions.open("user_1")
    assert is_sid(sid)
    assert session.id == hashlib.sha256(sid.encode()).hexdigest()
    used = await sessions.use(sid)
    assert used is not None
    assert (used.uid, used.id) == ("user_1", session.id)
    assert timedelta(days=6) < used.expires_at - now() <= timedelta(days=7)
    assert timedelta(days=29) < used.ends_at - now() <= timedelta(days=30)
    await sessions.close(session.id)
    await sessions.close(session.id)
    assert await sessions.use(sid) is None


async def test_all_of_a_user_close_together(sessions: Sessions) -> None:
    mine = [(await sessions.open("user_1"))[0] for _ in range(3)]
    other, _ = await sessions.open("user_2")
    assert await sessions.close_all("user_1") == 3
    assert await sessions.close_all("user_1") == 0
    assert [await sessions.use(sid) for sid in mine] == [None] * 3
    assert await sessions.use(other) is not None


async def test_what_is_no_sid_opens_nothing(sessions: Sessions) -> None:
    for text in ("", "x", "A" * 43, "*", "토마토"):
        assert await sessions.use(text) is None


async def test_use_moves_the_expiry_up_to_the_hard_end(opened: Opener) -> None:
    short = Lifetime(timedelta(seconds=20), timedelta(days=1))
    async with opened(short) as sessions:
        sid, session = await sessions.open("user_1")
    longer = Lifetime(timedelta(hours=1), timedelta(days=1))
    async with opened(longer) as sessions:
        used = await sessions.use(sid)
        assert used is not None
        assert used.expires_at > session.expires_at + timedelta(minutes=50)
        assert await sessions.use(sid) == used
    longest = Lifetime(timedelta(days=9), timedelta(days=1))
    async with opened(longest) as sessions:
        used = await sessions.use(sid)
        assert used is not None
        assert abs(used.expires_at - session.ends_at) < timedelta(milliseconds=2)


async def over(sessions: Sessions, session: Session) -> None:
    """Wait for the end of a session."""
    told = asyncio.Event()
    with sessions.watched(session, told.set):
        await told.wait()


async def test_an_unused_session_is_over(opened: Opener) -> None:
    brief = Lifetime(timedelta(milliseconds=300), timedelta(days=1))
    async with opened(brief) as sessions:
        sid, session = await sessions.open("user_1")
        async with asyncio.timeout(10):
            await over(sessions, session)
        assert await sessions.use(sid) is None


async def test_an_end_is_told_to_who_waits_elsewhere(opened: Opener) -> None:
    async with opened() as here, opened() as there:
        sid, session = await here.open("user_1")

        waiting = [asyncio.create_task(over(one, session)) for one in (here, there)]
        await asyncio.sleep(0)
        await here.close_all("user_1")
        async with asyncio.timeout(10):
            await asyncio.gather(*waiting)
        assert await there.use(sid) is None
