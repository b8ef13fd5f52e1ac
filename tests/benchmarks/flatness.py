"""Whether a turn costs the same in a long talk, and beside many other rooms.

    python -m tests.benchmarks.flatness [--turns 1000] [--rooms 100000]

Tomato on MongoDB and Redis over HTTP: new rooms and one of so many turns, then new rooms of two
servers, of which one has so many rooms of the same user in its store. The two take turns, and what
counts is the ratio in each round: machines are noisy.
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

ROUNDS, TURNS = 10, 40


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


def _many_rooms(few: Subject, many: Subject, rooms: int) -> None:
    figures = {"few rooms": Figures(), f"{rooms:,} rooms": Figures()}
    for subject in (few, many):
        load(subject, subject.paths(1), TURNS, MESSAGE)
    for _ in range(ROUNDS):
        for subject, measured in zip((few, many), figures.values(), strict=True):
            load(subject, subject.paths(1), TURNS, MESSAGE, measured)
    _print(figures)


def _print(figures: dict[str, Figures]) -> None:
    first, second = figures.values()
    for name, one in figures.items():
        cpu, whole = statistics.median(one.cpu_ms), statistics.median(one.wholes) * 1000
        print(f"{name}: {cpu:.2f} ms of CPU a turn, {whole:.1f} ms until it has ended")
    cpu = _ratio(first.cpu_ms, second.cpu_ms)
    time = _ratio(_by_round(first.wholes), _by_round(second.wholes))
    print(f"  CPU {cpu:.2f}, time {time:.2f} of the first\n")


def _ratio(first: list[float], second: list[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(b / a for a, b in zip(first, second, strict=True))


def _by_round(seconds: list[float]) -> list[float]:
    """The median of each round's turns."""
    size = len(seconds) // ROUNDS
    return [statistics.median(seconds[at : at + size]) for at in range(0, len(seconds), size)]


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
        few, many = (
            tomato(
                stack,
                name,
                folder / name,
                base_url,
                {"MONGODB_URL": mongo.url(name), "REDIS_URL": f"{redis.url[:-1]}{number}"},
            )
            for number, name in enumerate(("few", "many"))
        )
        _long_talk(few, given.turns)
        load(many, many.paths(1), 1, MESSAGE)
        _crowd(mongo.url("many"), given.rooms)
        _many_rooms(few, many, given.rooms)


if __name__ == "__main__":
    main()
