"""Ours beside LangGraph's stock savers: what is stored, what is written, how long a turn takes.

    python -m tests.benchmarks.checkpointers

Each turn appends two messages of 300 characters, and nothing but the saver does any work. The
stock savers run twice: as they come (an unbounded list, a checkpoint after every step) and on the
very graph and durability of ours, with its bounded window.
"""

import asyncio
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.mongodb import MongoDBSaver
from langgraph.checkpoint.redis.aio import AsyncRedisSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES, add_messages
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Durability
from pymongo import AsyncMongoClient, MongoClient
from pymongo.asynchronous.collection import AsyncCollection
from redis.asyncio import Redis

from memory.checkpoints import Keep
from memory.mongo.checkpoints import MongoSaver
from memory.redis.checkpoints import RedisSaver
from memory.sqlite.checkpoints import SQLiteSaver
from memory.sqlite.database import Database
from tests.services.mongo import MongoServer
from tests.services.redis import MODULES, RedisServer

CHARACTERS = 300
WINDOW = 40
OURS_TURNS = 1000
STOCK_TURNS = 200
LOOKED_AT = (10, 200, 1000)
AROUND = 10
"""How many turns a median is of."""


class Talk(TypedDict):
    messages: Annotated[list[AnyMessage], add_messages]


@dataclass
class Store:
    """A saver, and what its store says: bytes kept, bytes it was ever told to write."""

    saver: "BaseCheckpointSaver[Any] | None"
    stored: Callable[[], Awaitable[int]]
    written: Callable[[], Awaitable[int]]
    by_hand: "ByHand | None" = None


@dataclass
class Measured:
    """One row of the table; by turn: milliseconds, and bytes written."""

    name: str
    turns: int
    stored: int = 0
    latency: dict[int, float] = field(default_factory=dict)
    written: dict[int, float] = field(default_factory=dict)


def build(saver: "BaseCheckpointSaver[Any] | None", *, window: int | None) -> Any:
    """A graph that does nothing but answer."""

    async def answer(state: Talk) -> dict[str, Any]:
        reply = AIMessage(text(len(state["messages"])), id=f"{state['messages'][-1].id}-a")
        if window is None:
            return {"messages": [reply]}
        kept = [*state["messages"], reply][-window:]
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), *kept]}

    graph: CompiledStateGraph[Any, Any, Any, Any] = (
        StateGraph(Talk).add_node("answer", answer).add_edge(START, "answer").compile(saver)
    )
    return graph


def text(number: int) -> str:
    return f"{number} ".ljust(CHARACTERS, "abcdefghi "[number % 10])


class ByHand:
    """No graph and no saver: the last messages read, two documents written."""

    def __init__(self, messages: AsyncCollection[dict[str, Any]]) -> None:
        self._messages = messages

    async def ainvoke(self, state: dict[str, Any], *_: Any, **__: Any) -> None:
        cursor = self._messages.find({"room": "talk"}).sort("_id", -1).limit(WINDOW)
        await cursor.to_list()
        question = state["messages"][0]
        await self._messages.insert_one({"room": "talk", "content": question.content})
        await self._messages.insert_one({"room": "talk", "content": text(1)})


async def measure(
    name: str, store: Store, *, turns: int, window: int | None, durability: Durability
) -> Measured:
    """Run one talk; around the turns that are looked at, look."""
    graph = store.by_hand or build(store.saver, window=window)
    measured = Measured(name, turns)
    config: RunnableConfig = {"configurable": {"thread_id": "talk"}}
    options: dict[str, Any] = {"durability": durability} if store.saver is not None else {}
    spent: list[float] = []
    told: list[int] = []
    for turn in range(1, turns + 1):
        question = HumanMessage(text(turn), id=f"t{turn:08}")
        looking = any(0 <= later - turn < AROUND for later in LOOKED_AT)
        before = await store.written() if looking else 0
        start = time.perf_counter()
        await graph.ainvoke({"messages": [question]}, config, **options)
        spent.append((time.perf_counter() - start) * 1000)
        if looking:
            told.append(await store.written() - before)
        if turn in LOOKED_AT:
            measured.latency[turn] = statistics.median(spent[-AROUND:])
            measured.written[turn] = statistics.median(told[-AROUND:])
    measured.stored = await store.stored()
    return measured


async def _nothing() -> int:
    return 0


@asynccontextmanager
async def no_saver() -> AsyncIterator[Store]:
    yield Store(None, _nothing, _nothing)


def _process_bytes() -> int:
    """What this process has written so far (Linux)."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["wchar"])


def _folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


@asynccontextmanager
async def sqlite(keep: Keep | None) -> AsyncIterator[Store]:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path = folder / "bench.db"
        saver: BaseCheckpointSaver[Any]
        if keep is None:
            saver = await stack.enter_async_context(AsyncSqliteSaver.from_conn_string(str(path)))
        else:
            database = await Database.open(path)
            stack.push_async_callback(database.close)
            saver = SQLiteSaver(database, keep=keep)

        async def stored() -> int:
            return _folder_bytes(folder)

        async def written() -> int:
            return _process_bytes()

        yield Store(saver, stored, written)


@asynccontextmanager
async def mongo(keep: Keep | None, server: MongoServer) -> AsyncIterator[Store]:
    name = f"bench_{keep}_{time.time_ns()}"
    async with AsyncMongoClient[dict[str, Any]](server.url()) as client:
        saver: BaseCheckpointSaver[Any]
        if keep is None:
            saver = MongoDBSaver(MongoClient(server.url()), name)
        else:
            ours = MongoSaver(client[name], keep=keep)
            await ours.prepare()
            saver = ours

        async def stored() -> int:
            return int((await client[name].command("dbStats"))["dataSize"])

        async def written() -> int:
            return int((await client.admin.command("serverStatus"))["network"]["bytesIn"])

        yield Store(saver, stored, written)
        await client.drop_database(name)


@asynccontextmanager
async def by_hand(server: MongoServer) -> AsyncIterator[Store]:
    async with (
        mongo("latest", server) as store,
        AsyncMongoClient[dict[str, Any]](server.url()) as client,
    ):
        messages = client["by_hand"]["messages"]
        await messages.create_index([("room", 1), ("_id", -1)])
        yield Store(None, store.stored, store.written, ByHand(messages))
        await client.drop_database("by_hand")


@asynccontextmanager
async def redis(keep: Keep | None, server: RedisServer) -> AsyncIterator[Store]:
    async with Redis.from_url(server.url) as client:
        saver: BaseCheckpointSaver[Any]
        if keep is None:
            stock = AsyncRedisSaver(redis_url=server.url)
            await stock.asetup()
            saver = stock
        else:
            saver = RedisSaver(client, keep=keep)

        async def stored() -> int:
            pipe = client.pipeline(transaction=False)
            for key in await client.keys():
                pipe.memory_usage(key, samples=0)
            return sum(await pipe.execute())

        async def written() -> int:
            return int((await client.info("stats"))["total_net_input_bytes"])

        yield Store(saver, stored, written)
        await client.flushdb()


async def measure_all(servers: dict[str, Any]) -> list[Measured]:
    rows = []
    async with no_saver() as store:
        rows.append(
            await measure("no saver", store, turns=OURS_TURNS, window=None, durability="exit")
        )
    async with by_hand(servers["mongo"]) as store:
        rows.append(
            await measure(
                "MongoDB by hand, no graph", store, turns=OURS_TURNS, window=None, durability="exit"
            )
        )
    openings: dict[str, Callable[[Keep | None], Any]] = {
        "SQLite": sqlite,
        "MongoDB": lambda keep: mongo(keep, servers["mongo"]),
        "Redis": lambda keep: redis(keep, servers["redis" if keep else "redis_modules"]),
    }
    for name, opening in openings.items():
        async with opening(None) as store:
            rows.append(
                await measure(
                    f"{name} stock", store, turns=STOCK_TURNS, window=None, durability="async"
                )
            )
        async with opening(None) as store:
            rows.append(
                await measure(
                    f"{name} stock, our graph",
                    store,
                    turns=STOCK_TURNS,
                    window=WINDOW,
                    durability="exit",
                )
            )
        for keep in ("all", "latest"):
            async with opening(keep) as store:
                rows.append(
                    await measure(
                        f"{name} ours, keep={keep}",
                        store,
                        turns=OURS_TURNS,
                        window=WINDOW,
                        durability="exit",
                    )
                )
    return rows


def show(rows: list[Measured]) -> None:
    head = "".join(f"{f'ms at {turn}':>12}" for turn in LOOKED_AT)
    head += "".join(f"{f'B/turn {turn}':>14}" for turn in LOOKED_AT)
    print(f"{'saver':28}{'turns':>6}{'stored':>14}{'/ text':>8}{head}")
    for row in rows:
        share = row.stored / (row.turns * 2 * CHARACTERS)
        line = f"{row.name:28}{row.turns:6}{row.stored:14,}{share:8.2f}"
        line += "".join(_cell(row.latency, turn, 12, ".2f") for turn in LOOKED_AT)
        print(line + "".join(_cell(row.written, turn, 14, ",.0f") for turn in LOOKED_AT))


def _cell(values: dict[int, float], turn: int, width: int, form: str) -> str:
    return f"{values[turn]:{width}{form}}" if turn in values else " " * width


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        servers = {
            "mongo": MongoServer(Path(folder) / "mongo"),
            "redis": RedisServer(Path(folder) / "redis"),
            "redis_modules": RedisServer(Path(folder) / "redis_modules", MODULES),
        }
        try:
            for server in servers.values():
                server.start()
            show(asyncio.run(measure_all(servers)))
        finally:
            for server in servers.values():
                server.kill()


if __name__ == "__main__":
    main()
