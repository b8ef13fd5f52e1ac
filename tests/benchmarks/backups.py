"""What a backup costs: its process's memory as data grows, and the latency of the server beside it.

    python -m tests.benchmarks.backups [--megabytes 100 400] [--latency-seconds 30]

On SQLite and on MongoDB. Data is text of few repeats; objects are half of it. The latency is that
of turns and of lists of rooms over HTTP, one after the other, without a backup and beside backups
that follow each other without a break, by turns in one run.
"""

import argparse
import asyncio
import os
import random
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
from pymongo import MongoClient

from tests.services.mongo import MongoServer
from tests.services.openai_server import OpenAIServer, Reply
from tests.services.tomato_server import TOMATO, TomatoServer

MEGABYTE = 1_000_000
DOCUMENT_BYTES = 2_000
ROUNDS = 3
"""How often each latency is measured, by turns."""


def texts(megabytes: int) -> Iterator[str]:
    """So much text, in documents."""
    chance = random.Random(3)
    words = [f"{chance.getrandbits(40):x}" for _ in range(20_000)]
    for _ in range(megabytes * MEGABYTE // DOCUMENT_BYTES):
        yield " ".join(chance.choices(words, k=DOCUMENT_BYTES // 11))


def fill_mongo(url: str, megabytes: int) -> None:
    with MongoClient[Any](url) as client:
        database = client.get_default_database()
        batch: list[dict[str, Any]] = []
        for number, text in enumerate(texts(megabytes)):
            batch.append({"number": number, "owner": "user_1", "text": text})
            if len(batch) == 1000:
                database["bulk"].insert_many(batch)
                batch = []


def fill_sqlite(data: Path, megabytes: int) -> None:
    with closing(sqlite3.connect(data / "tomato.db")) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bulk (number INTEGER PRIMARY KEY, text)")
        connection.executemany(
            "INSERT INTO bulk (text) VALUES (?)", ((t,) for t in texts(megabytes))
        )


def fill_objects(data: Path, megabytes: int) -> None:
    folder = data / "blobs" / "blobs" / "user_1"
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(megabytes // 20):
        (folder / f"blob{number}").write_bytes(os.urandom(20 * MEGABYTE))


def timed(environment: Mapping[str, str], *arguments: str) -> tuple[float, float]:
    """Seconds that the command took, and its peak memory in MB."""
    measure = (
        "import resource, subprocess, sys; code = subprocess.run(sys.argv[1:]).returncode;"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1000, file=sys.stderr);"
        "sys.exit(code)"
    )
    started = time.perf_counter()
    ran = subprocess.run(
        [sys.executable, "-c", measure, TOMATO, "backup", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return time.perf_counter() - started, float(ran.stderr.split()[-1])


def measure_memory(name: str, server: TomatoServer, sizes: list[int], mongo: str | None) -> None:
    filled, store = 0, server.home / "store"
    for size in sizes:
        more = size - filled
        fill_objects(server.data, size // 2)
        if mongo:
            fill_mongo(mongo, more // 2)
        else:
            fill_sqlite(server.data, more // 2)
        filled = size
        shutil.rmtree(store, ignore_errors=True)
        where = ("--store", str(store))
        made = timed(server.environment, "run", *where)
        drilled = timed(server.environment, "drill", *where)
        print(
            f"{name}, {size} MB: made and read back in {made[0]:.1f} s with {made[1]:.0f} MB of"
            f" memory, restored in a drill in {drilled[0]:.1f} s with {drilled[1]:.0f} MB",
            flush=True,
        )


@contextmanager
def backups_without_break(server: TomatoServer) -> Iterator[None]:
    """One backup after the other, as often as there is time for."""
    loop = f"while true; do {TOMATO} backup run --store {server.home}/again >/dev/null; done"
    with subprocess.Popen(
        ["/bin/sh", "-c", loop], env=server.environment, start_new_session=True
    ) as shell:
        try:
            yield
        finally:
            os.killpg(shell.pid, 9)
    shutil.rmtree(server.home / "again", ignore_errors=True)


async def latencies(client: httpx.AsyncClient, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of each turn, and of each list of rooms."""
    room = (await client.post("/api/rooms", json={})).json()["id"]
    found: dict[str, list[float]] = {"turn": [], "rooms": []}
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for name in found:
            started = time.perf_counter()
            if name == "turn":
                body = {"message": "어떤가요?", "stream": False}
                answer = await client.post(f"/api/rooms/{room}/chat", json=body)
            else:
                answer = await client.get("/api/rooms")
            assert answer.status_code == 200, answer.text
            found[name].append((time.perf_counter() - started) * 1000)
            await asyncio.sleep(0.02)
    return found


async def measure_latency(name: str, server: TomatoServer, seconds: float) -> None:
    alone: dict[str, list[float]] = {"turn": [], "rooms": []}
    beside: dict[str, list[float]] = {"turn": [], "rooms": []}
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.address, timeout=60) as client:
            await latencies(client, 2)
            for _ in range(ROUNDS):
                for key, found in (await latencies(client, seconds / ROUNDS / 2)).items():
                    alone[key] += found
                with backups_without_break(server):
                    for key, found in (await latencies(client, seconds / ROUNDS / 2)).items():
                        beside[key] += found
    finally:
        await server.stop()
    for key in alone:
        usual, then = (statistics.quantiles(times[key], n=20)[-1] for times in (alone, beside))
        print(
            f"{name}, p95 of a {key}: {usual:.1f} ms alone, {then:.1f} ms beside a backup:"
            f" {then / usual:.2f} times",
            flush=True,
        )


async def main(sizes: list[int], seconds: float, only: list[str]) -> None:
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        model = OpenAIServer(script=lambda _: Reply(text="그래. " * 20))
        model.start()
        stack.callback(model.stop)
        settings = {
            "TOMATO_MODEL": "openai:test",
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": model.base_url,
            "TOMATO_RATE_LIMITS": "off",
            "TMPDIR": str(home),
        }
        for name in only:
            url = None
            if name == "mongo":
                url = stack.enter_context(MongoServer(home / "mongod")).url("backups")
            own = {**settings, "MONGODB_URL": url} if url else settings
            server = TomatoServer(home / name, own)
            server.home.mkdir()
            await server.start()  # which makes the database
            await server.stop()
            if sizes:
                measure_memory(name, server, sizes, url)
            if seconds:
                await measure_latency(name, server, seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, nargs="*", default=[100, 400])
    parser.add_argument("--latency-seconds", type=float, default=30)
    parser.add_argument("--only", nargs="*", default=["sqlite", "mongo"])
    given = parser.parse_args()
    asyncio.run(main(given.megabytes, given.latency_seconds, given.only))
