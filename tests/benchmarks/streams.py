"""What an open stream costs: memory of the server per stream, time to the first token.

    python -m tests.benchmarks.streams [--streams 500]

Runs that wait in their middle are followed over real connections; the server is a process of its
own, whose resident memory is read before and after.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import httpx

from tests.services.openai_server import OpenAIServer, Reply
from tests.services.tomato_server import TomatoServer

AT_ONCE = 25


async def first_token(client: httpx.AsyncClient, room: str, opened: asyncio.Event) -> float:
    """Ask, tell the seconds to the first token, and keep the stream open."""
    began = time.perf_counter()
    async with client.stream(
        "POST", f"/api/rooms/{room}/chat", json={"message": "안녕?"}
    ) as answer:
        assert answer.status_code == 200, await answer.aread()
        seconds = 0.0
        async for line in answer.aiter_lines():
            if line == "event: token" and not seconds:
                seconds = time.perf_counter() - began
                opened.set()
        return seconds


def resident(pid: int) -> int:
    """Bytes of a process in memory."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmRSS:"))) * 1024


async def measure(server: TomatoServer, model: OpenAIServer, streams: int) -> None:
    assert server.process is not None
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.address, timeout=120, limits=limits) as client:
        rooms = [
            (await client.post("/api/rooms", json={"title": "흐름"})).json()["id"]
            for _ in range(streams + AT_ONCE)
        ]
        await one_by_one(client, model, rooms[:AT_ONCE])  # what is loaded at the first answers
        alone = await one_by_one(client, model, rooms[:AT_ONCE])
        before = resident(server.process.pid)
        reading = [await opened(client, room) for room in rooms[AT_ONCE:]]
        after = resident(server.process.pid)
        while not all(task.done() for task in reading):
            model.release()
            await asyncio.sleep(0.1)
        seconds = [task.result() for task in reading]
        print(f"{len(reading)} open streams")
        print(f"memory per run with its stream: {(after - before) / len(reading) / 1000:.1f} kB")
        print(f"first token, one stream: {1000 * statistics.median(alone):.0f} ms")
        print(f"first token, with the others open: {1000 * statistics.median(seconds):.0f} ms")
        print(f"  the last fifty: {1000 * statistics.median(seconds[-50:]):.0f} ms")


async def follow(server: TomatoServer, model: OpenAIServer, streams: int) -> None:
    """Open so many streams of one run, which is what a stream alone costs."""
    assert server.process is not None
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(base_url=server.address, timeout=120, limits=limits) as client:
        room = (await client.post("/api/rooms", json={"title": "흐름"})).json()["id"]
        asking = await opened(client, room)
        busy = await client.post(f"/api/rooms/{room}/chat", json={"message": "?"})
        path = f"/api/runs/{busy.json()['error']['details']['run_id']}/events"
        before = resident(server.process.pid)
        async with AsyncExitStack() as stack:
            for _ in range(streams):
                answer = await stack.enter_async_context(client.stream("GET", path))
                assert answer.status_code == 200
            after = resident(server.process.pid)
        print(f"memory per stream of one run: {(after - before) / streams / 1000:.1f} kB")
        while not asking.done():
            model.release()
            await asyncio.sleep(0.1)


async def opened(client: httpx.AsyncClient, room: str) -> asyncio.Task[float]:
    """A run's stream that has its first token."""
    event = asyncio.Event()
    task = asyncio.create_task(first_token(client, room, event))
    await event.wait()
    return task


async def one_by_one(
    client: httpx.AsyncClient, model: OpenAIServer, rooms: list[str]
) -> list[float]:
    """The seconds to the first token while nobody else asks."""
    seconds = []
    for room in rooms:
        reading = await opened(client, room)
        await model.held()
        while not reading.done():
            model.release()
            await asyncio.sleep(0.01)
        seconds.append(reading.result())
    return seconds


async def main(streams: int) -> None:
    model = OpenAIServer(script=lambda _: Reply(text="토마토는 붉다. " * 4, hold_at=4))
    model.start()
    with tempfile.TemporaryDirectory() as home:
        settings = {
            "TOMATO_MODEL": "openai:test",
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": model.base_url,
            "TOMATO_RATE_LIMITS": "off",
            "TOMATO_RUNS_PER_USER": str(streams + AT_ONCE),
        }
        server = TomatoServer(Path(home), settings)
        await server.start()
        try:
            await follow(server, model, streams)
            await measure(server, model, streams)
        finally:
            await server.kill()
            model.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    asyncio.run(main(parser.parse_args().streams))
