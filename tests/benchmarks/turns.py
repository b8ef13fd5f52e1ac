"""What a turn costs: CPU, turns a second, time to the first token, beside two yardsticks.

    python -m tests.benchmarks.turns [--quick] [--picture FILE]

All in one run: Tomato on MongoDB and Redis, Tomato on its embedded file, N = FastAPI +
create_agent + ChatOpenAI with nothing stored, M = the same with the stock MongoDB saver. The model
is a fast fake in another process, the load client in a third; the client's own CPU is shown, to
prove that it is not the bottleneck. Rounds of the four take turns, because machines are noisy.
"""

import argparse
import itertools
import os
import platform
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import psutil

from tests.benchmarks.speed.picture import bars
from tests.benchmarks.speed.subjects import Figures, Subject, load, process, tomato, yardstick
from tests.services.mongo import MongoServer
from tests.services.redis import RedisServer

MESSAGE = "Tell me something about tomatoes, please. " * 3
TOOL_MESSAGE = "use the tool: what did I save about redis?"
NAMES = {
    "tomato": "Tomato, MongoDB + Redis",
    "embedded": "Tomato, one file",
    "N": "N: nothing stored",
    "M": "M: with a stock saver",
}


def _open(stack: ExitStack, pace: float) -> list[Subject]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    mongo = stack.enter_context(MongoServer(folder / "mongo"))
    redis = stack.enter_context(RedisServer(folder / "redis"))
    model = stack.enter_context(
        process(
            [sys.executable, "-m", "tests.benchmarks.speed.model_server", "--pace", pace],
            {},
            "line",
        )
    )
    base_url = f"http://127.0.0.1:{int(model.first)}/v1"
    on_servers = {"MONGODB_URL": mongo.url("bench"), "REDIS_URL": redis.url}
    subjects = [
        tomato(stack, "tomato", folder / "tomato", base_url, on_servers),
        tomato(stack, "embedded", folder / "embedded", base_url, {}),
        yardstick(stack, "N", base_url, []),
        yardstick(stack, "M", base_url, ["--mongodb", mongo.url()]),
    ]
    stores = [psutil.Process(one.process.pid) for one in (mongo, redis) if one.process]
    for subject in (subjects[0], subjects[3]):
        subject.stores = stores
    return subjects


def _percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def _measure(
    subjects: list[Subject], rooms: int, turns: int, rounds: int, message: str
) -> dict[str, Figures]:
    figures = {subject.name: Figures() for subject in subjects}
    for subject in subjects:
        load(subject, subject.paths(min(rooms, 4)), 3, message)
    for _ in range(rounds):
        for subject in subjects:
            load(subject, subject.paths(rooms), turns, message, figures[subject.name])
    return figures


def _table(title: str, figures: dict[str, Figures]) -> None:
    print(f"\n{title}\n")
    print(
        "| | CPU ms/turn | turns/s | first token p50 ms | turn p50/p95/p99 ms | written kB/turn"
        " | RSS MB | client CPU |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, one in figures.items():
        wholes = "/".join(
            f"{_percentile(one.wholes, part) * 1000:.0f}" for part in (0.5, 0.95, 0.99)
        )
        print(
            f"| {name} | {statistics.median(one.cpu_ms):.1f} | {statistics.median(one.rate):.0f} |"
            f" {statistics.median(one.firsts) * 1000:.1f} | {wholes} |"
            f" {statistics.median(one.written_kb):.1f} | {one.rss:.0f} |"
            f" {statistics.median(one.client_cpu):.0%} |"
        )
    for ours, name in itertools.product(("tomato", "embedded"), ("N", "M")):
        one, other = figures[ours], figures[name]
        cpu = statistics.median(one.cpu_ms) / statistics.median(other.cpu_ms)
        rate = statistics.median(one.rate) / statistics.median(other.rate)
        first = statistics.median(one.firsts) / statistics.median(other.firsts)
        print(f"\n{ours} : {name} = CPU {cpu:.2f}, turns/s {rate:.2f}, first token {first:.2f}")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--quick", action="store_true", help="one short round of each")
    options.add_argument("--picture", type=Path, help="draw the CPU of a turn into this SVG file")
    given = options.parse_args()
    rounds = 1 if given.quick else 3
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    groups: dict[str, dict[str, float]] = {}

    def measured(title: str, subjects: list[Subject], rooms: int, turns: int, text: str) -> None:
        figures = _measure(subjects, rooms, turns, rounds, text)
        _table(title, figures)
        groups[title] = {
            NAMES[name]: statistics.median(one.cpu_ms) for name, one in figures.items()
        }

    with ExitStack() as stack:
        subjects = _open(stack, 0.0)
        measured("1 room", subjects, 1, 40, MESSAGE)
        measured("16 rooms", subjects, 16, 8, MESSAGE)
        measured("64 rooms", subjects, 64, 4, MESSAGE)
        measured("16 rooms, one tool call", subjects, 16, 6, TOOL_MESSAGE)
    with ExitStack() as stack:
        subjects = _open(stack, 0.01)
        measured("64 rooms, a token each 10 ms", subjects, 64, 6, MESSAGE)
    if given.picture:
        given.picture.write_text(bars("CPU of one turn, in milliseconds: less is better", groups))


if __name__ == "__main__":
    main()
