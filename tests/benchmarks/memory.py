"""What a talk costs as it grows: bytes kept, bytes written, time; beside LangGraph's stock savers.

    python -m tests.benchmarks.memory [--quick] [--only sqlite,mongo,redis]

Every turn is two messages of 300 characters, through the real ChatOpenAI, from a model server in
another process. Ours is the whole way of a turn (history, runs, checkpoints, folding) on the
defaults of the settings; stock is ``create_agent`` with the same tools, streamed, on one of the
stock savers. What is compared takes turns in one run, because machines are noisy.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from langchain.agents import create_agent
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.mongodb import MongoDBSaver
from langgraph.checkpoint.redis.aio import AsyncRedisSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from pydantic import SecretStr
from pymongo import AsyncMongoClient, MongoClient
from redis.asyncio import Redis

from memory.events import MESSAGE
from memory.keys import message_key, new_id
from memory.records import Message, Run
from memory.times import now
from server.resources import Resources, open_resources
from server.settings import Settings
from tests.services.mongo import MongoServer
from tests.services.openai_server import OpenAIServer
from tests.services.openai_wire import JSON, Reply
from tests.services.process import ServerProcess
from tests.services.redis import MODULES, RedisServer

OWNER = "user_bench"
CHARACTERS = 300
SAMPLES = 10
"""How many turns a median is of."""
EARLY = 10

Count = Callable[[], Awaitable[int]]
Ask = Callable[[str, str], Awaitable[float]]
"""Ask a room; the seconds until its answer is whole and stored."""


@dataclass
class Subject:
    """A stack under test: how to make a room and ask it, what its stores hold and were told."""

    new_room: Callable[[], Awaitable[str]]
    ask: Ask
    stored: Count
    written: Count
    resources: Resources | None = None


@dataclass
class Figures:
    """One backend's row; latencies in milliseconds, by turn."""

    name: str
    turns: int
    stored: float = 0.0
    stock_stored: float = 0.0
    written: dict[int, float] = field(default_factory=dict)
    latency: dict[int, float] = field(default_factory=dict)
    early: dict[str, float] = field(default_factory=dict)
    opening: dict[str, float] = field(default_factory=dict)


def text(number: int) -> str:
    """Words that do not compress into nothing."""
    chosen = random.Random(number)
    words = ("".join(chosen.choices("abcdefghijklmnop가나다라", k=6)) for _ in range(60))
    return " ".join(words)[:CHARACTERS]


def _answer(request: JSON) -> Reply:
    if request.get("stream"):
        return Reply(text=text(len(str(request["messages"][-1]["content"]))))
    return Reply(data={"summary": text(7)})


def _serve_model(told: Connection) -> None:
    server = OpenAIServer(script=_answer)
    server.start()
    told.send(server.base_url)
    told.recv()
    server.stop()


@contextmanager
def model_server() -> Iterator[str]:
    """The base URL of a model server in a process of its own."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve_model, args=[theirs])
    process.start()
    try:
        yield ours.recv()
        ours.send(None)
    finally:
        process.join()


@contextmanager
def running(server: ServerProcess) -> Iterator[Any]:
    server.folder.mkdir()
    server.start()
    try:
        yield server
    finally:
        server.kill()


def _sum(*counts: Count) -> Count:
    async def total() -> int:
        return sum([await count() for count in counts])

    return total


def folder_counts(folder: Path) -> tuple[Count, Count]:
    async def stored() -> int:
        return _database_bytes(folder)

    async def written() -> int:
        return _process_bytes()

    return stored, written


def _database_bytes(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("*.db*"))


def _process_bytes() -> int:
    """What this process has written to files so far, its log and its pages (Linux)."""
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def mongo_counts(client: "AsyncMongoClient[dict[str, Any]]", name: str) -> tuple[Count, Count]:
    async def stored() -> int:
        return int((await client[name].command("dbStats"))["dataSize"])

    async def written() -> int:
        return int((await client.admin.command("serverStatus"))["network"]["bytesIn"])

    return stored, written


def redis_counts(client: Redis, pattern: str) -> tuple[Count, Count]:
    async def stored() -> int:
        keys = [key async for key in client.scan_iter(match=pattern, count=1000)]
        pipe = client.pipeline(transaction=False)
        for key in keys:
            pipe.memory_usage(key, samples=0)
        return sum(size or 0 for size in await pipe.execute())

    async def written() -> int:
        return int((await client.info("stats"))["total_net_input_bytes"])

    return stored, written


@asynccontextmanager
async def ours(kind: str, base_url: str, servers: dict[str, Any]) -> AsyncIterator[Subject]:
    """Tomato as the settings build it, without HTTP."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        name = f"ours_{time.time_ns()}"
        stores: dict[str, Any] = {"OPENAI_API_KEY": "key", "OPENAI_BASE_URL": base_url}
        stored, written = folder_counts(folder)
        if kind != "sqlite":
            stores["MONGODB_URL"] = servers["mongo"].url(name)
            client = await stack.enter_async_context(
                AsyncMongoClient[dict[str, Any]](servers["mongo"].url())
            )
            stored, written = mongo_counts(client, name)
        if kind == "redis":
            stores["REDIS_URL"] = servers["redis"].url
            fast = await stack.enter_async_context(Redis.from_url(servers["redis"].url))
            # Kept for an hour after a run, its events are no part of what is remembered.
            more, told = redis_counts(fast, "tomato:checkpoints*")
            stored, written = _sum(stored, more), _sum(written, told)
        settings = Settings(data=folder, model="openai:test-model", **stores)
        resources = await stack.enter_async_context(open_resources(settings))

        async def new_room() -> str:
            return (await resources.rooms.create(OWNER, "room")).id

        async def ask(room: str, message: str) -> float:
            began = time.perf_counter()
            run = await resources.turns.start(OWNER, room, message)
            took = 0.0
            async for events in resources.runs.follow(OWNER, run.id):
                if any(event.name == MESSAGE for event in events):
                    took = time.perf_counter() - began
            if not took:
                raise RuntimeError("a turn was not answered")
            return took

        yield Subject(new_room, ask, stored, written, resources)


@asynccontextmanager
async def stock(
    kind: str, base_url: str, servers: dict[str, Any], tools: Any
) -> AsyncIterator[Subject]:
    """An agent as LangChain's guides build it, on the stock saver of ``kind``."""
    async with AsyncExitStack() as stack:
        saver: Any
        if kind == "sqlite":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            opening = AsyncSqliteSaver.from_conn_string(str(folder / "stock.db"))
            saver = await stack.enter_async_context(opening)
            stored, written = folder_counts(folder)
        elif kind == "mongo":
            name, url = f"stock_{time.time_ns()}", servers["mongo"].url()
            client = await stack.enter_async_context(AsyncMongoClient[dict[str, Any]](url))
            saver = MongoDBSaver(stack.enter_context(MongoClient(url)), name)
            stored, written = mongo_counts(client, name)
        else:
            url = servers["modules"].url
            fast = await stack.enter_async_context(Redis.from_url(url))
            saver = await stack.enter_async_context(AsyncRedisSaver.from_conn_string(url))
            await saver.asetup()
            stored, written = redis_counts(fast, "*")
        model = ChatOpenAI(
            model="test-model",
            base_url=base_url,
            api_key=SecretStr("key"),
            streaming=True,
            stream_usage=True,
        )
        agent: Any = create_agent(
            model, tools, system_prompt="You are a helpful assistant.", checkpointer=saver
        )

        async def new_room() -> str:
            return new_id("room")

        async def ask(room: str, message: str) -> float:
            began = time.perf_counter()
            asked = {"messages": [{"role": "user", "content": message}]}
            config = {"configurable": {"thread_id": room}}
            async for _ in agent.astream(asked, config, stream_mode="messages"):
                pass
            return time.perf_counter() - began

        yield Subject(new_room, ask, stored, written)


async def grow(subject: Subject, room: str, turns: int) -> None:
    for turn in range(turns):
        await subject.ask(room, text(turn))


async def keep(subject: Subject, turns: int) -> tuple[str, float]:
    """One long talk; its room, and bytes stored by byte of text."""
    before, room = await subject.stored(), await subject.new_room()
    await grow(subject, room, turns)
    letters = turns * (len(text(1).encode()) + len(text(CHARACTERS).encode()))
    return room, (await subject.stored() - before) / letters


async def sample(subject: Subject, room: str, count: int = SAMPLES) -> tuple[float, float]:
    """Medians of a few turns of one room: seconds, bytes written."""
    spent, told = [], []
    for number in range(count):
        before = await subject.written()
        spent.append(await subject.ask(room, text(number)))
        told.append(await subject.written() - before)
    return statistics.median(spent), statistics.median(told)


async def young(subject: Subject) -> str:
    """A room that is about to have its tenth turn in the middle of what is measured."""
    room = await subject.new_room()
    await grow(subject, room, EARLY - SAMPLES // 2)
    return room


async def compare(figures: Figures, subject: Subject, other: Subject, old: str) -> None:
    """An old room, young rooms and the stock saver's young rooms take turns."""
    spent: dict[str, list[float]] = {"old": [], "young": [], "stock": []}
    told: dict[str, list[float]] = {"old": [], "young": []}
    for _ in range(3):
        for name, one, room in (
            ("old", subject, old),
            ("young", subject, await young(subject)),
            ("stock", other, await young(other)),
        ):
            seconds, written = await sample(one, room)
            spent[name].append(seconds * 1000)
            told.setdefault(name, []).append(written)
    figures.latency = {
        EARLY: statistics.median(spent["young"]),
        figures.turns: statistics.median(spent["old"]),
    }
    figures.written = {
        EARLY: statistics.median(told["young"]),
        figures.turns: statistics.median(told["old"]),
    }
    figures.early = {
        "ours": statistics.median(spent["young"]),
        "stock": statistics.median(spent["stock"]),
    }


async def seed(resources: Resources, room: str, turns: int) -> None:
    """Messages straight into the history."""
    for number in range(1, turns + 1):
        run = Run(
            id=new_id("run"),
            owner=OWNER,
            room_id=room,
            turn=None,
            status="running",
            started_at=now(),
        )
        turn = await resources.history.begin(run, text(number))
        answer = Message(
            key=message_key(turn.number, 1),
            turn=turn.number,
            role="assistant",
            content=text(-number),
            created_at=now(),
        )
        await resources.history.end(turn, [answer], status="complete")


async def fold_all(resources: Resources, room: str) -> None:
    """Fold what a talk of this length would have folded on its way."""
    pending = None
    while (seen := await resources.rooms.get(OWNER, room)).pending_tokens != pending:
        pending = seen.pending_tokens
        await resources.upkeep.fold(seen)


async def openings(figures: Figures, subject: Subject, sizes: tuple[int, int]) -> None:
    """The first page and a new turn, of rooms whose state is in no checkpoint."""
    resources = subject.resources
    assert resources is not None
    rooms = {size: await subject.new_room() for size in sizes}
    spent: dict[int, list[float]] = {size: [] for size in sizes}
    for size, room in rooms.items():
        await seed(resources, room, size // 2)
        await fold_all(resources, room)
        await grow(subject, room, 1)
    for _ in range(SAMPLES):
        for size, room in rooms.items():
            await resources.checkpointer.adelete_thread(room)
            began = time.perf_counter()
            await resources.rooms.get(OWNER, room)
            await resources.history.page(OWNER, room, limit=20)
            paged = time.perf_counter() - began
            spent[size].append(1000 * (paged + await subject.ask(room, text(1))))
    figures.opening = {f"{size:,}": statistics.median(took) for size, took in spent.items()}


async def measure(
    kind: str, base_url: str, servers: dict[str, Any], turns: int, messages: tuple[int, int]
) -> Figures:
    figures = Figures(NAMES[kind], turns)
    async with ours(kind, base_url, servers) as subject:
        assert subject.resources is not None
        tools = list(subject.resources.tools)
        async with stock(kind, base_url, servers, tools) as other:
            old, figures.stored = await keep(subject, turns)
            _, figures.stock_stored = await keep(other, turns // 5)
            await compare(figures, subject, other, old)
            print(f"{figures}", flush=True)
        await openings(figures, subject, messages)
    return figures


NAMES = {"sqlite": "SQLite", "mongo": "MongoDB", "redis": "MongoDB + Redis"}


def show(rows: list[Figures]) -> None:
    busy = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    print(f"\n{platform.machine()}, {os.cpu_count()} cores, load {busy}\n")
    print("| | " + " | ".join(row.name for row in rows) + " |")
    print("| --- |" + " --- |" * len(rows))
    turns = rows[0].turns
    lines: list[tuple[str, Callable[[Figures], str]]] = [
        (f"stored : text, {turns:,} turns", lambda row: f"{row.stored:.1f}"),
        (f"stock saver, {turns // 5} turns", lambda row: f"{row.stock_stored:.0f}"),
        (
            f"bytes written in turn {EARLY} / {turns:,}",
            lambda row: f"{row.written[EARLY]:,.0f} / {row.written[turns]:,.0f}",
        ),
        (
            f"ms a turn at {EARLY} / {turns:,}",
            lambda row: (
                f"{row.latency[EARLY]:.1f} / {row.latency[turns]:.1f}"
                f" = 1 : {row.latency[turns] / row.latency[EARLY]:.2f}"
            ),
        ),
        (
            f"ms at turn {EARLY}, ours / stock",
            lambda row: (
                f"{row.early['ours']:.1f} / {row.early['stock']:.1f}"
                f" = {row.early['ours'] / row.early['stock']:.2f}"
            ),
        ),
        (
            f"ms to open a room of {' / '.join(rows[0].opening)} messages",
            lambda row: " / ".join(f"{took:.1f}" for took in row.opening.values()),
        ),
    ]
    for name, cell in lines:
        print(f"| {name} | " + " | ".join(cell(row) for row in rows) + " |")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="a tenth of the turns")
    options.add_argument("--only", default="sqlite,mongo,redis")
    given = options.parse_args()
    turns, messages = (100, (100, 1000)) if given.quick else (1000, (100, 10_000))
    with (
        tempfile.TemporaryDirectory() as folder,
        model_server() as base_url,
        running(MongoServer(Path(folder) / "mongo")) as mongo,
        running(RedisServer(Path(folder) / "redis")) as redis,
        running(RedisServer(Path(folder) / "modules", MODULES)) as modules,
    ):
        servers = {"mongo": mongo, "redis": redis, "modules": modules}
        rows = []
        for kind in given.only.split(","):
            rows.append(asyncio.run(measure(kind, base_url, servers, turns, messages)))
            show(rows[-1:])
        if len(rows) > 1:
            show(rows)


if __name__ == "__main__":
    main()
