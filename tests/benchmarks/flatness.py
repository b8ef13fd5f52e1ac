"""Whether a turn costs the same in a long talk, and beside many other rooms.

    python -m tests.benchmarks.flatness [--turns 1000] [--rooms 100000]

Tomato on MongoDB and Redis over HTTP: new rooms and one of so many turns by turns, then new rooms
before and after so many rooms of the same user stand in the store.
"""

import argparse
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pymongo import MongoClient

from tests.benchmarks.speed.subjects import Figures, Subject, load, process, tomato
from tests.benchmarks.turns import MESSAGE
from tests.services.mongo import MongoServer
from tests.services.redis import RedisServer

ROUNDS, TURNS = 6, 40


def _crowd(url: str, rooms: int) -> None:
    """So many rooms more, like one that is there."""
    with MongoClient[dict[str, Any]](url) as client:
        kept = client.get_default_database()["rooms"]
        one = kept.find_one()
        assert one is not None
        for start in range(0, rooms, 10_000):
            ids = [f"room_{number:024x}" for number in range(start, min(start + 10_000, rooms))]
            kept.insert_many([one | {"_id": room, "open": None, "recent": []} for room in ids])


def _long_talk(subject: Subject, turns: int) -> None:
    """The turns 11 to 50 of new rooms, and by turns those of a room past its first ``turns``."""
    (old,) = subject.paths(1)
    load(subject, [old], turns, MESSAGE)
    early, late = Figures(), Figures()
    for _ in range(ROUNDS):
        new = subject.paths(1)
        load(subject, new, 10, MESSAGE)
        load(subject, new, TURNS, MESSAGE, early)
        load(subject, [old], TURNS, MESSAGE, late)
    _print({"past 10 turns": early, f"past {turns:,} turns": late})


def _many_rooms(subject: Subject, url: str, rooms: int) -> None:
    before, after = Figures(), Figures()
    for _ in range(ROUNDS):
        load(subject, subject.paths(1), TURNS, MESSAGE, before)
    _crowd(url, rooms)
    load(subject, subject.paths(1), TURNS, MESSAGE)
    for _ in range(ROUNDS):
        load(subject, subject.paths(1), TURNS, MESSAGE, after)
    _print({"few rooms": before, f"{rooms:,} rooms": after})


def _print(figures: dict[str, Figures]) -> None:
    rows = {
        name: (statistics.median(one.cpu_ms), statistics.median(one.wholes) * 1000)
        for name, one in figures.items()
    }
    for name, (cpu, whole) in rows.items():
        print(f"{name}: {cpu:.2f} ms of CPU a turn, {whole:.1f} ms until it has ended")
    first, second = rows.values()
    print(f"  CPU {second[0] / first[0]:.2f}, time {second[1] / first[1]:.2f} of the first\n")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--turns", type=int, default=1_000)
    options.add_argument("--rooms", type=int, default=100_000)
    given = options.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        mongo = stack.enter_context(MongoServer(folder / "mongo"))
        redis = stack.enter_context(RedisServer(folder / "redis"))
        served = [sys.executable, "-m", "tests.benchmarks.speed.model_server", "--pace", 0.0]
        model = stack.enter_context(process(served, {}, "line"))
        base_url = f"http://127.0.0.1:{int(model.first)}/v1"
        url = mongo.url("bench")
        stores = {"MONGODB_URL": url, "REDIS_URL": redis.url}
        subject = tomato(stack, "tomato", folder / "tomato", base_url, stores)
        _long_talk(subject, given.turns)
        _many_rooms(subject, url, given.rooms)


if __name__ == "__main__":
    main()
