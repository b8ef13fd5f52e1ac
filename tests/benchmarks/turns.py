"""What a turn costs: CPU, turns a second, time to the first token, beside two yardsticks.

    python -m tests.benchmarks.turns [--quick]

All in one run: Tomato on MongoDB and Redis, Tomato on its embedded file, N = FastAPI +
create_agent + ChatOpenAI with nothing stored, M = the same with the stock MongoDB saver. The model
is a fast fake in another process, the load client in a third; the client's own CPU is shown, to
prove that it is not the bottleneck. Rounds of the four take turns, because machines are noisy.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.services.mongo import MongoServer
from tests.services.process import free_ports
from tests.services.redis import RedisServer
from tests.services.tomato_server import TOMATO

ROOT = Path(__file__).parents[2]
MESSAGE = "Tell me something about tomatoes, please. " * 3
TOOL_MESSAGE = "use the tool: what did I save about redis?"


@dataclass
class Subject:
    """One server under load: its process, its port, how a room's path is made."""

    name: str
    process: psutil.Process
    port: int
    kind: str
    header: list[str] = field(default_factory=list)
    stores: list[psutil.Process] = field(default_factory=list)

    def paths(self, rooms: int) -> list[str]:
        if self.kind == "yardstick":
            mark = time.monotonic_ns()
            return [f"/chat/{mark}-{number}" for number in range(rooms)]
        return [f"/api/rooms/{self._room()}/chat" for _ in range(rooms)]

    def _room(self) -> str:
        headers = {"Content-Type": "application/json"}
        for line in self.header:
            name, _, value = line.partition(": ")
            headers[name] = value
        # A title of its own: making one is not part of a turn.
        body = json.dumps({"title": "room"}).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/rooms", body, headers, method="POST"
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
            return str(json.load(answer)["id"])

    def cpu(self) -> float:
        """Seconds of CPU that all of the server's processes have used."""
        used = [self.process, *self.process.children(recursive=True)]
        return float(sum(one.cpu_times().user + one.cpu_times().system for one in used))

    def written(self) -> int:
        """Bytes that the server and its stores have given to the disk."""
        return sum(one.io_counters().write_bytes for one in (self.process, *self.stores))


@dataclass
class Figures:
    """One subject's measured rounds at one number of rooms."""

    cpu_ms: list[float] = field(default_factory=list)
    written_kb: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    wholes: list[float] = field(default_factory=list)
    client_cpu: list[float] = field(default_factory=list)
    rss: float = 0.0


def _round(subject: Subject, rooms: int, turns: int, message: str, figures: Figures | None) -> None:
    paths = subject.paths(rooms)
    before, written = subject.cpu(), subject.written()
    command = [
        *(sys.executable, "-m", "tests.benchmarks.speed.load", "--port", str(subject.port)),
        *("--paths", json.dumps(paths), "--turns", str(turns)),
        *("--body", json.dumps({"message": message})),
        *(part for line in subject.header for part in ("--header", line)),
    ]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    if figures is None:
        return
    result = json.loads(ended.stdout)
    count = rooms * turns
    figures.cpu_ms.append((subject.cpu() - before) * 1000 / count)
    figures.written_kb.append((subject.written() - written) / 1000 / count)
    figures.rate.append(count / result["seconds"])
    figures.firsts.extend(result["firsts"])
    figures.wholes.extend(result["wholes"])
    figures.client_cpu.append(result["cpu"] / result["seconds"])
    figures.rss = subject.process.memory_info().rss / 2**20


@contextmanager
def _process(command: list[Any], environment: dict[str, str], ready: str) -> Iterator[psutil.Popen]:
    process = psutil.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": "/tmp", **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if ready == "line":
            process.first = process.stdout.readline()
        else:
            _await(ready)
        yield process
    finally:
        process.terminate()
        process.wait()


def _await(url: str) -> None:
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=2).close()  # noqa: S310 - our own server
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"{url} does not answer")


def _open(stack: ExitStack, pace: float) -> list[Subject]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    mongo = stack.enter_context(MongoServer(folder / "mongo"))
    redis = stack.enter_context(RedisServer(folder / "redis"))
    model = stack.enter_context(
        _process(
            [sys.executable, "-m", "tests.benchmarks.speed.model_server", "--pace", pace],
            {},
            "line",
        )
    )
    base_url = f"http://127.0.0.1:{int(model.first)}/v1"
    on_servers = {"MONGODB_URL": mongo.url("bench"), "REDIS_URL": redis.url}
    subjects = [
        _tomato(stack, "tomato", folder / "tomato", base_url, on_servers),
        _tomato(stack, "embedded", folder / "embedded", base_url, {}),
        _yardstick(stack, "N", base_url, []),
        _yardstick(stack, "M", base_url, ["--mongodb", mongo.url()]),
    ]
    stores = [psutil.Process(one.process.pid) for one in (mongo, redis) if one.process]
    for subject in (subjects[0], subjects[3]):
        subject.stores = stores
    return subjects


def _tomato(
    stack: ExitStack, name: str, data: Path, base_url: str, stores: dict[str, str]
) -> Subject:
    (port,) = free_ports(1)
    process = stack.enter_context(
        _process(
            [TOMATO, "serve", "--port", port],
            {
                "TOMATO_DATA": str(data),
                "TOMATO_MODEL": "openai:fake",
                "OPENAI_API_KEY": "key",
                "OPENAI_BASE_URL": base_url,
                "TOMATO_RATE_CHAT": "1000000 per minute",  # counted, as for everybody
                "TOMATO_RUNS_PER_USER": "1000",
                **stores,
            },
            f"http://127.0.0.1:{port}/readyz",
        )
    )
    header = [f"Authorization: Bearer {_sign_in(port)}"]
    return Subject(name, process, port, "tomato", header)


def _yardstick(stack: ExitStack, name: str, base_url: str, more: list[str]) -> Subject:
    (port,) = free_ports(1)
    command = [
        *(sys.executable, "-m", "tests.benchmarks.speed.yardstick"),
        *("--port", port, "--model", base_url, *more),
    ]
    process = stack.enter_context(_process(command, {}, f"http://127.0.0.1:{port}/docs"))
    return Subject(name, process, port, "yardstick")


def _sign_in(port: int) -> str:
    """The sid of a new user."""
    person = json.dumps({"username": "runner", "password": "correct horse battery"}).encode()
    for path in ("register", "login"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/auth/{path}",
            person,
            {"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - our own server
            told = json.load(answer)
    return str(told["sid"])


def _percentile(values: list[float], part: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def _measure(
    subjects: list[Subject], rooms: int, turns: int, rounds: int, message: str
) -> dict[str, Figures]:
    figures = {subject.name: Figures() for subject in subjects}
    for subject in subjects:
        _round(subject, min(rooms, 4), 3, message, None)
    for _ in range(rounds):
        for subject in subjects:
            _round(subject, rooms, turns, message, figures[subject.name])
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
    given = options.parse_args()
    rounds = 1 if given.quick else 3
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with ExitStack() as stack:
        subjects = _open(stack, 0.0)
        for rooms, turns in ((1, 40), (16, 8), (64, 4)):
            figures = _measure(subjects, rooms, turns, rounds, MESSAGE)
            _table(f"{rooms} rooms, tokens at once", figures)
        _table("16 rooms, one tool call", _measure(subjects, 16, 6, rounds, TOOL_MESSAGE))
    with ExitStack() as stack:
        subjects = _open(stack, 0.01)
        _table("64 rooms, a token each 10 ms", _measure(subjects, 64, 3, rounds, MESSAGE))


if __name__ == "__main__":
    main()
