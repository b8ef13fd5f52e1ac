"""What a sign-in tells by its time, and what many live sessions cost a request.

    python -m tests.benchmarks.accounts

200 sign-ins with a known and 200 with an unknown name, in turns, with the parameters of the
settings' defaults; then requests of one session beside 10 and beside 10,000 others, on the SQLite
file and on Redis. All over a real server's HTTP.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx

from memory.accounts import Sessions
from memory.redis.connection import open_redis
from memory.redis.sessions import RedisSessions
from memory.sessions import Lifetime
from memory.sqlite.database import Database
from memory.sqlite.sessions import SQLiteSessions
from tests.services.redis import RedisServer
from tests.services.tomato_server import TomatoServer

TRIES = 200
MANY = 10_000
PERSON = {"username": "known.person", "password": "correct horse battery"}
SETTINGS = {"TOMATO_LOCAL_USER": "off", "TOMATO_RATE_LIMITS": "off"}
LIFETIME = Lifetime(timedelta(days=7), timedelta(days=30))

Opening = Callable[[TomatoServer], AbstractAsyncContextManager[Sessions]]


async def _timed(ask: Callable[[], Awaitable[httpx.Response]], status: int) -> float:
    began = time.perf_counter()
    answer = await ask()
    took = (time.perf_counter() - began) * 1000
    assert answer.status_code == status, answer.text
    return took


def _told(name: str, times: list[float]) -> str:
    low, middle, high = statistics.quantiles(times, n=4)
    return f"| {name} | {middle:.2f} | {low:.2f} to {high:.2f} |"


async def _logins(client: httpx.AsyncClient) -> None:
    known = {**PERSON, "password": "a wrong password"}
    unknown = {**known, "username": "unknown.person"}
    times: dict[str, list[float]] = {"known name": [], "unknown name": []}
    for number in range(TRIES):
        pairs = [("known name", known), ("unknown name", unknown)]
        for name, body in pairs if number % 2 else pairs[::-1]:
            times[name].append(
                await _timed(partial(client.post, "/api/auth/login", json=body), 401)
            )
    print("\n| refused sign-in | median ms | quartiles ms |\n| --- | --- | --- |")
    for name, one in times.items():
        print(_told(name, one))
    medians = [statistics.median(one) for one in times.values()]
    print(f"\nmedians differ by {abs(medians[0] - medians[1]):.2f} ms")


async def _requests(client: httpx.AsyncClient, sid: str, name: str) -> None:
    headers = {"Authorization": f"Bearer {sid}"}
    times = [
        await _timed(partial(client.get, "/api/tools", headers=headers), 200)
        for _ in range(TRIES * 2)
    ]
    print(_told(name, times))


async def _on(name: str, settings: dict[str, str], sessions: Opening) -> None:
    with tempfile.TemporaryDirectory() as folder:
        server = TomatoServer(Path(folder), {**SETTINGS, **settings})
        await server.start()
        async with httpx.AsyncClient(base_url=server.address, timeout=60) as client:
            await client.post("/api/auth/register", json=PERSON)
            sid = (await client.post("/api/auth/login", json=PERSON)).json()["sid"]
            client.cookies.clear()
            if name == "SQLite":
                await _logins(client)
            print(f"\n| request on {name} beside | median ms | quartiles ms |\n| --- | --- | --- |")
            for count in (10, MANY):
                async with sessions(server) as opened:
                    for number in range(count):
                        await opened.open(f"user_{number % 1000}")
                await _requests(client, sid, f"{count:,} sessions")
        await server.stop()


@asynccontextmanager
async def _in_file(server: TomatoServer) -> AsyncIterator[Sessions]:
    database = await Database.open(server.data / "tomato.db")
    yield SQLiteSessions(database, LIFETIME)
    await database.close()


@asynccontextmanager
async def _in_redis(server: TomatoServer) -> AsyncIterator[Sessions]:
    async with open_redis(server.settings["REDIS_URL"]) as client:
        yield RedisSessions(client, LIFETIME)


async def main() -> None:
    await _on("SQLite", {}, _in_file)
    with tempfile.TemporaryDirectory() as folder, RedisServer(Path(folder)) as redis:
        await _on("Redis", {"REDIS_URL": redis.url}, _in_redis)


if __name__ == "__main__":
    asyncio.run(main())
