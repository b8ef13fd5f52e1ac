"""What a killed process costs: how long its room is closed, and what is lost (nothing may be).

    python -m tests.benchmarks.kills [--kills 50] [--without-redis]

Two processes over one MongoDB and one Redis. Again and again one of them, by turns, is killed
(SIGKILL) in the middle of an answer, which the other follows, and is started again. Then so many
runs of one are cancelled at the other, as the model's server sees it.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.services.mongo import MongoServer
from tests.services.openai_server import OpenAIServer, Reply
from tests.services.openai_wire import JSON
from tests.services.redis import RedisServer
from tests.services.tomato_server import TomatoServer

FREE_SECONDS = 15.0
QUESTION, AGAIN = "처음 물음", "이어서?"


@dataclass(frozen=True)
class Freed:
    """How one kill went: seconds until its stream ended and until its room took a question."""

    stream: float
    room: float


def answer(request: JSON) -> Reply:
    """Held in its middle where it is to be cut, whole otherwise."""
    asked = request["messages"][-1]["content"]
    return Reply(text="그래. " * 8, hold_at=6 if asked == QUESTION else None)


async def begin(client: httpx.AsyncClient, room: str) -> str:
    """Ask and read up to the first token; the run's id."""
    run = ""
    async with client.stream("POST", f"{room}/chat", json={"message": QUESTION}) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for line in answer.aiter_lines():
            if '"run_id":"' in line:
                run = run or line.split('"run_id":"')[1].split('"')[0]
            if line == "event: token":
                return run
    raise AssertionError("no token came")


async def ask(client: httpx.AsyncClient, room: str) -> httpx.Response:
    return await client.post(f"{room}/chat", json={"message": AGAIN, "stream": False})


async def after_kill(client: httpx.AsyncClient, room: str, run: str) -> Freed:
    """Follow the killed run to its end, ask again, and see that all of the room is there."""
    killed = time.perf_counter()
    events = (await client.get(f"/api/runs/{run}/events")).text
    stream = time.perf_counter() - killed
    assert events.endswith('"status":"failed"}\n\n'), events
    assert events.count("event: done") == 1, events
    answer = await ask(client, room)
    seconds = time.perf_counter() - killed
    assert answer.status_code == 200, answer.text
    said = (await client.get(f"{room}/messages")).json()["items"][::-1]
    kept = [(one["role"], one["status"]) for one in said]
    whole = [("user", "complete"), ("assistant", "complete")]
    assert kept == [*whole, ("user", "failed"), *whole], kept
    assert said[2]["content"] == QUESTION
    return Freed(stream, seconds)


def client_of(server: TomatoServer) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(base_url=server.address, timeout=60, limits=limits)


async def kill_once(mortal: TomatoServer, other: TomatoServer) -> Freed:
    """Kill a process in the middle of an answer and start it again; how that goes on."""
    async with client_of(mortal) as client, client_of(other) as follower:
        made = await client.post("/api/rooms", json={"title": "둘"})
        room = f"/api/rooms/{made.json()['id']}"
        assert (await ask(client, room)).status_code == 200
        run = await begin(client, room)
        await mortal.kill()
        going_on = asyncio.create_task(after_kill(follower, room, run))
        await mortal.start()
        return await going_on


async def cancel_once(model: OpenAIServer, here: TomatoServer, there: TomatoServer) -> float:
    """Seconds from a cancellation at the other process until the model's connection is closed."""
    async with client_of(here) as client, client_of(there) as other:
        room = f"/api/rooms/{(await client.post('/api/rooms', json={'title': '둘'})).json()['id']}"
        before = model.disconnects
        run = await begin(client, room)
        began = time.perf_counter()
        assert (await other.post(f"/api/runs/{run}/cancel")).status_code == 202
        await model.disconnected(before + 1)
        return time.perf_counter() - began


async def measure(servers: list[TomatoServer], kills: int) -> None:
    freed = [await kill_once(*servers[:: 1 if number % 2 else -1]) for number in range(kills)]
    for name in ("stream", "room"):
        seconds = [getattr(one, name) for one in freed]
        print(
            f"{kills} kills, {name}: median {statistics.median(seconds):.1f} s,"
            f" longest {max(seconds):.1f} s"
        )
    assert max(one.room for one in freed) < FREE_SECONDS
    print(f"every room free within {FREE_SECONDS:.0f} s, its next turn whole, nothing lost")


async def measure_cancels(model: OpenAIServer, servers: list[TomatoServer], cancels: int) -> None:
    seconds = [
        await cancel_once(model, *servers[:: 1 if number % 2 else -1]) for number in range(cancels)
    ]
    print(
        f"{cancels} cancels from the other process: median {statistics.median(seconds):.2f} s,"
        f" longest {max(seconds):.2f} s"
    )


async def main(kills: int, *, redis: bool) -> None:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mongo = stack.enter_context(MongoServer(home / "mongo"))
        model = OpenAIServer(script=answer)
        model.start()
        stack.callback(model.stop)
        settings = {
            "MONGODB_URL": mongo.url("kills"),
            "TOMATO_MODEL": "openai:test",
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": model.base_url,
            "TOMATO_RATE_LIMITS": "off",
        }
        if redis:
            settings["REDIS_URL"] = stack.enter_context(RedisServer(home / "redis")).url
        servers = [TomatoServer(home / name, settings) for name in ("a", "b")]
        try:
            for server in servers:
                server.home.mkdir()
                await server.start()
            await measure(servers, kills)
            await measure_cancels(model, servers, kills)
        finally:
            for server in servers:
                if server.process is not None:
                    await server.kill()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--without-redis", action="store_true")
    given = parser.parse_args()
    asyncio.run(main(given.kills, redis=not given.without_redis))
