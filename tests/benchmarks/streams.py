"""What an open stream costs: memory of the server per stream, time to the first token.

    python -m tests.benchmarks.streams [--streams 500] [--only sqlite,redis]

Runs that wait in their middle are followed over real connections, by a person who has signed in;
each server is a process of its own, whose resident memory is read before and after. Over MongoDB
and Redis a second process follows the runs of the first.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.services.mongo import MongoServer
from tests.services.openai_server import OpenAIServer, Reply
from tests.services.redis import RedisServer
from tests.services.tomato_server import TomatoServer

AT_ONCE = 25
PERSON = {"username": "김민지", "password": "correct horse battery"}
NAMES = {"sqlite": "one file", "mongo": "MongoDB", "redis": "MongoDB + Redis"}


@dataclass(frozen=True)
class Open:
    """A stream that has its first token: its run, the seconds to that, the task that reads on."""

    run: str
    seconds: float
    reading: asyncio.Task[None]


async def opened(client: httpx.AsyncClient, room: str) -> Open:
    """Ask, and keep the stream open."""
    began = time.perf_counter()
    first: asyncio.Future[tuple[str, float]] = asyncio.get_running_loop().create_future()

    async def read() -> None:
        run = ""
        async with client.stream(
            "POST", f"/api/rooms/{room}/chat", json={"message": "안녕?"}
        ) as answer:
            assert answer.status_code == 200, await answer.aread()
            async for line in answer.aiter_lines():
                if '"run_id":"' in line:
                    run = line.split('"run_id":"')[1].split('"')[0]
                if line == "event: token" and not first.done():
                    first.set_result((run, time.perf_counter() - began))

    reading = asyncio.create_task(read())
    await asyncio.wait((reading, first), return_when=asyncio.FIRST_COMPLETED)
    if reading.done():
        reading.result()
    return Open(*await first, reading)


def resident(server: TomatoServer) -> int:
    """Bytes of a process in memory."""
    assert server.process is not None
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) * 1024


@asynccontextmanager
async def client_of(server: TomatoServer) -> AsyncIterator[httpx.AsyncClient]:
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.address, timeout=120, limits=limits) as client:
        await client.post("/api/auth/register", json=PERSON)
        sid = (await client.post("/api/auth/login", json=PERSON)).json()["sid"]
        client.headers["Authorization"] = f"Bearer {sid}"
        yield client


async def new_rooms(client: httpx.AsyncClient, count: int) -> list[str]:
    made = [await client.post("/api/rooms", json={"title": "흐름"}) for _ in range(count)]
    return [answer.json()["id"] for answer in made]


async def open_all(
    server: TomatoServer, client: httpx.AsyncClient, rooms: Sequence[str]
) -> tuple[Sequence[Open], float]:
    """A stream in each of these rooms, and the bytes that each takes of the server."""
    before = resident(server)
    streams = [await opened(client, room) for room in rooms]
    return streams, (resident(server) - before) / len(streams)


async def end(model: OpenAIServer, streams: Sequence[Open]) -> None:
    """Let every answer go on to its end."""
    while not all(one.reading.done() for one in streams):
        model.release()
        await asyncio.sleep(0.05)
    for one in streams:
        one.reading.result()


async def follow(
    server: TomatoServer, client: httpx.AsyncClient, runs: Sequence[str], what: str
) -> None:
    """Open a stream of each of these runs up to its first token, and tell what they take."""
    before, reading = resident(server), []
    async with AsyncExitStack() as stack:
        for run in runs:
            path = f"/api/runs/{run}/events"
            answer = await stack.enter_async_context(client.stream("GET", path))
            assert answer.status_code == 200
            lines = answer.aiter_lines()
            reading.append(lines)  # what nobody holds is closed
            while await anext(lines) != "event: token":
                pass
        took = resident(server) - before
    print(f"  memory per stream of {what}: {took / len(runs) / 1000:.1f} kB", flush=True)


async def one_by_one(
    client: httpx.AsyncClient, model: OpenAIServer, rooms: Sequence[str]
) -> list[float]:
    """The seconds to the first token while nobody else asks."""
    seconds = []
    for room in rooms:
        one = await opened(client, room)
        await end(model, [one])
        seconds.append(one.seconds)
    return seconds


async def measure(servers: Sequence[TomatoServer], model: OpenAIServer, streams: int) -> None:
    here, *others = servers
    async with client_of(here) as client:
        rooms = await new_rooms(client, streams + AT_ONCE)
        await one_by_one(client, model, rooms[:AT_ONCE])  # what is loaded at the first answers
        alone = await one_by_one(client, model, rooms[:AT_ONCE])
        reading, bytes_each = await open_all(here, client, rooms[AT_ONCE:])
        print(f"  memory per run with its stream: {bytes_each / 1000:.1f} kB")
        await follow(here, client, [reading[0].run] * streams, "one run")
        for there in others:
            async with client_of(there) as other:
                await follow(there, other, [reading[0].run] * AT_ONCE, "one run, elsewhere, first")
                await follow(there, other, [one.run for one in reading], "a run elsewhere")
        await end(model, reading)
        seconds = [one.seconds for one in reading]
        print(f"  first token, one stream: {1000 * statistics.median(alone):.1f} ms")
        print(f"  first token, with the others open: {1000 * statistics.median(seconds):.1f} ms")
        print(f"    the last fifty: {1000 * statistics.median(seconds[-50:]):.1f} ms", flush=True)


def shared(kind: str, home: Path, stack: ExitStack) -> dict[str, str]:
    """Where the processes meet; each server is started for it."""
    if kind == "sqlite":
        return {}
    urls = {"MONGODB_URL": stack.enter_context(MongoServer(home / "mongo")).url("streams")}
    if kind == "redis":
        urls["REDIS_URL"] = stack.enter_context(RedisServer(home / "redis")).url
    return urls


async def measure_on(kind: str, streams: int) -> None:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = OpenAIServer(script=lambda _: Reply(text="토마토는 붉다. " * 4, hold_at=4))
        model.start()
        stack.callback(model.stop)
        settings = {
            **shared(kind, home, stack),
            "TOMATO_MODEL": "openai:test",
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": model.base_url,
            "TOMATO_RATE_LIMITS": "off",
            "TOMATO_RUNS_PER_USER": str(streams + AT_ONCE),
        }
        names = ("a", "b") if kind == "redis" else ("a",)
        servers = [TomatoServer(home / name, settings) for name in names]
        print(f"{NAMES[kind]}, {streams} open streams")
        try:
            for server in servers:
                server.home.mkdir()
                await server.start()
            await measure(servers, model, streams)
        finally:
            for server in servers:
                if server.process is not None:
                    await server.kill()


async def main(streams: int, kinds: Sequence[str]) -> None:
    for kind in kinds:
        await measure_on(kind, streams)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--only", default="sqlite,redis", help=f"of {', '.join(NAMES)}")
    given = parser.parse_args()
    asyncio.run(main(given.streams, given.only.split(",")))
