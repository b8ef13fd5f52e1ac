"""What Redis is asked is in the core of Redis 7.0 and of every Valkey: no module, nothing newer."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvloop
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.conformance import checkpointer_test, validate
from redis.asyncio import Redis
from redis.exceptions import ConnectionError, DataError, RedisError, ResponseError, TimeoutError

from memory.board import Board
from memory.errors import Unavailable
from memory.events import done_data
from memory.records import Event, Run
from memory.redis.checkpoints import RedisSaver
from memory.redis.connection import WAIT_SECONDS, SharedConnection, open_redis
from memory.redis.digests import RedisDigests
from memory.redis.runs import RedisBoard
from memory.redis.sessions import RedisSessions
from memory.sessions import Lifetime
from memory.times import now
from tests.services.redis import RedisServer

CORE = frozenset(
    """
    append copy dbsize decr decrby del discard dump echo eval eval_ro evalsha evalsha_ro exec exists
    expire expireat expiretime fcall fcall_ro flushall flushdb get getdel getex getrange getset
    hdel hello hexists hget hgetall hincrby hincrbyfloat hkeys hlen hmget hmset hrandfield hscan
    hset hsetnx hstrlen hvals incr incrby incrbyfloat keys lindex linsert llen lmove lmpop lpop lpos
    lpush lpushx lrange lrem lset ltrim mget mset msetnx multi persist pexpire pexpireat pexpiretime
    ping psetex psubscribe pttl publish punsubscribe randomkey rename renamenx restore rpop rpush
    rpushx sadd scan scard sdiff sdiffstore select set setex setnx setrange sinter sintercard
    sinterstore sismember smembers smismember smove sort sort_ro spop spublish srandmember srem
    sscan ssubscribe strlen subscribe sunion sunionstore sunsubscribe time touch ttl type unlink
    unsubscribe unwatch wait watch xack xadd xautoclaim xclaim xdel xinfo xlen xpending xrange xread
    xreadgroup xrevrange xtrim zadd zcard zcount zdiff zincrby zinter zlexcount zmpop zmscore
    zpopmax zpopmin zrange zrangebylex zrangebyscore zrank zrem zremrangebylex zremrangebyrank
    zremrangebyscore zrevrange zrevrangebylex zrevrangebyscore zrevrank zscan zscore zunion
    auth client config info script
    """.split()
)
"""Commands of Redis 7.0, from which Valkey 7.2 and 8 come, that work on keys and connections."""

RUN = Run(id="run_1", owner="나", room_id="room_1", turn=1, status="running", started_at=now())


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[Redis]:
    """A server of this test alone, so that what it was asked was asked here."""
    server = RedisServer(tmp_path)
    server.start()
    async with open_redis(server.url) as client:
        yield client
    server.kill()


async def asked(client: Redis) -> set[str]:
    """Every command that the server ran, those of scripts too."""
    stats = await client.info("commandstats")
    return {name.removeprefix("cmdstat_").partition("|")[0] for name in stats}


async def are_connected(client: Redis, count: int) -> None:
    """So many clients are, once the server has seen who has left."""
    found = -1
    for _ in range(500):
        found = len(await client.client_list())
        if found == count:
            return
        await asyncio.sleep(0.02)
    assert found == count


async def use_saver(client: Redis) -> None:
    @checkpointer_test(name="redis")
    async def saver() -> "AsyncIterator[BaseCheckpointSaver[int]]":
        yield RedisSaver(client, ttl=timedelta(hours=1))

    report = await validate(saver)
    assert all(not result.failures for result in report.results.values())


async def use_sessions(client: Redis) -> None:
    lifetime = Lifetime(idle=timedelta(hours=1), longest=timedelta(days=1))
    sessions = RedisSessions(client, lifetime)
    sid, session = await sessions.open("user_가")
    assert await sessions.use(sid) is not None
    await sessions.close(session.id)
    assert await sessions.use(sid) is None
    await sessions.open("user_가")
    assert await sessions.close_all("user_가") == 1


async def use_board(board: Board) -> None:
    assert await board.admit(RUN, 1)
    await board.hold([RUN])
    await board.renew([RUN.id])
    assert await board.held(RUN.id)
    await board.ask_to_stop(RUN.id)
    assert await board.to_stop([RUN.id])
    await board.append(RUN, [Event(1, "token", {"text": "말"})])
    await board.close(RUN.id, [Event(2, "done", done_data(RUN.id, "complete"))])
    assert await board.kept(RUN.id)
    assert await board.read({RUN.id: 0})
    await board.release(RUN)
    await board.forget(RUN.room_id, await board.known(RUN.room_id))


async def use_digests(digests: RedisDigests) -> None:
    assert await digests.find("user_가", "?a") is None
    assert await digests.keep("user_가", "?a", b"=400\n")
    await digests.begin("user_가")
    await digests.end("user_가")
    await digests.drop("user_가")


async def test_only_core_commands_are_sent(redis: Redis) -> None:
    await use_saver(redis)
    await use_sessions(redis)
    await use_board(RedisBoard(redis))
    await use_digests(RedisDigests(redis))

    commands = await asked(redis)
    assert {"evalsha", "hset", "xadd"} <= commands
    assert commands - CORE == set()


async def test_a_command_of_a_script_is_seen(redis: Redis) -> None:
    await redis.register_script("return redis.call('OBJECT', 'HELP')")()
    assert "object" in await asked(redis) - CORE


async def test_what_fails_among_others_fails_alone(redis: Redis) -> None:
    await redis.set("text", "말")
    values: list[Any] = ["1", object(), "\ud800", "2"]
    async with asyncio.timeout(20):
        setting = [redis.set(f"key {number}", value) for number, value in enumerate(values)]
        answers = await asyncio.gather(
            redis.get("text"), redis.incr("text"), *setting, return_exceptions=True
        )
        assert await redis.mget("key 0", "key 3") == [b"1", b"2"]
    assert [type(one) for one in answers] == [
        *(bytes, ResponseError),
        *(bool, DataError, UnicodeEncodeError, bool),
    ]


async def test_what_is_asked_at_once_leaves_together(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    send = SharedConnection._send

    def noted(connection: SharedConnection) -> None:
        writes.append(len(connection._held))
        send(connection)

    monkeypatch.setattr(SharedConnection, "_send", noted)
    await asyncio.gather(redis.set("a", "1"), redis.get("a"), redis.incr("a"))
    assert await redis.get("a") == b"2"
    assert writes == [3, 1]


async def test_who_gives_up_takes_nobody_s_answer(redis: Redis) -> None:
    await redis.set("a", "1")
    asking = [asyncio.ensure_future(redis.get("a")) for _ in range(3)]
    await asyncio.sleep(0)
    asking[1].cancel()
    answers = await asyncio.gather(*asking, redis.set("b", "2"), return_exceptions=True)
    assert [answers[0], answers[2], answers[3]] == [b"1", b"1", True]
    assert isinstance(answers[1], asyncio.CancelledError)


async def test_a_server_that_says_nothing_is_waited_for_so_long_and_asked_anew(
    tmp_path: Path,
) -> None:
    server = RedisServer(tmp_path)
    server.start()
    assert server.process is not None
    async with open_redis(server.url) as client:
        await client.set("a", "1")
        server.process.send_signal(signal.SIGSTOP)
        started = asyncio.get_running_loop().time()
        asked = (client.get("a"), client.get("a"))
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(end) for end in ends] == [TimeoutError, TimeoutError]
        assert asyncio.get_running_loop().time() - started >= WAIT_SECONDS
        server.process.send_signal(signal.SIGCONT)
        assert await client.get("a") == b"1"
    server.kill()


def test_an_answer_is_heard_that_came_while_the_loop_was_busy(tmp_path: Path) -> None:
    async def ask(url: str) -> None:
        async with open_redis(url) as client:
            await client.set("a", "1")
            asking = asyncio.ensure_future(client.get("a"))
            await asyncio.sleep(0)
            # Right behind the sending, before there can be an answer.
            asyncio.get_running_loop().call_soon(time.sleep, WAIT_SECONDS + 0.2)
            assert await asking == b"1"

    with (
        RedisServer(tmp_path) as server,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        runner.run(ask(server.url))


async def test_what_is_no_redis_is_told_and_left() -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while await reader.read(1_000):
                writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(babble, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(Unavailable):
            async with asyncio.timeout(20), open_redis(f"redis://127.0.0.1:{port}/0"):
                pass


async def test_a_server_that_was_started_anew_is_asked_again(tmp_path: Path) -> None:
    server = RedisServer(tmp_path)
    server.start()
    async with open_redis(server.url) as client:
        await client.set("a", "1")
        server.kill()
        with pytest.raises((RedisError, OSError)):
            await client.get("a")
        server.start()
        assert await client.ping()
        server.kill()
        server.start()  # before it is asked: the connection is known to be lost only then
        assert await client.get("c") is None
    server.kill()


async def test_a_pipeline_is_asked_again_of_a_server_that_was_started_anew(tmp_path: Path) -> None:
    lifetime = Lifetime(idle=timedelta(hours=1), longest=timedelta(days=1))
    server = RedisServer(tmp_path)
    server.start()
    async with open_redis(server.url) as client:
        sessions, board = RedisSessions(client, lifetime), RedisBoard(client)
        await sessions.open("user_가")
        for ask in (lambda: sessions.open("user_가"), lambda: board.hold([RUN])):
            server.kill()
            server.start()
            assert await client.ping()
            await ask()
        assert await sessions.close_all("user_가") == 2
    server.kill()


def test_what_could_not_leave_since_the_loop_was_busy_is_not_late(tmp_path: Path) -> None:
    async def ask(url: str) -> None:
        async with open_redis(url) as client:
            first = asyncio.ensure_future(client.incr("a"))
            await asyncio.sleep(0)
            be_busy()  # its sending is due in the next step
            assert await first == 1
            second = asyncio.ensure_future(client.incr("a"))
            for _ in range(3):
                await asyncio.sleep(0)
            third = asyncio.ensure_future(client.incr("a"))  # leaves after the second's answer
            await asyncio.sleep(0)
            be_busy()
            assert [await second, await third] == [2, 3]

    def be_busy() -> None:
        time.sleep(WAIT_SECONDS + 0.2)

    with RedisServer(tmp_path) as server:
        asyncio.run(ask(server.url))


async def test_nothing_is_asked_again_once_the_client_is_closed(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        assert server.process is not None
        async with open_redis(server.url) as other:
            async with open_redis(server.url) as client:
                pipeline = client.pipeline()
                pipeline.get("a")
                reading = client.xread({"b": "0"}, block=10_000)
                server.process.send_signal(signal.SIGSTOP)
                asking = asyncio.gather(
                    *(client.get("a"), pipeline.execute(), reading), return_exceptions=True
                )
                await asyncio.sleep(0.1)
            server.process.send_signal(signal.SIGCONT)
            ends = [*await asking, *await asyncio.gather(client.get("a"), return_exceptions=True)]
            assert [type(end) for end in ends] == [ConnectionError] * 4
            await are_connected(other, 1)


async def test_a_client_that_is_closed_while_it_connects_has_no_connection(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server:
        async with open_redis(server.url) as client:
            server.restart()
            await asyncio.sleep(0.1)  # the loss is known before anything is asked
            assert server.process is not None
            server.process.send_signal(signal.SIGSTOP)
            asking = asyncio.ensure_future(client.get("a"))
            await asyncio.sleep(0.1)
            started = asyncio.get_running_loop().time()
        with pytest.raises(ConnectionError):
            await asking
        assert asyncio.get_running_loop().time() - started < WAIT_SECONDS / 2
        server.process.send_signal(signal.SIGCONT)
        async with open_redis(server.url) as other:
            await are_connected(other, 1)
