"""Servers under load, Tomato and two yardsticks, and one round of load on one of them."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.services.process import free_ports
from tests.services.tomato_server import TOMATO

ROOT = Path(__file__).parents[3]


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
        """Where to send the messages of so many new rooms."""
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
    """One subject's measured rounds of load."""

    cpu_ms: list[float] = field(default_factory=list)
    written_kb: list[float] = field(default_factory=list)
    rate: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    wholes: list[float] = field(default_factory=list)
    client_cpu: list[float] = field(default_factory=list)
    rss: float = 0.0


def load(
    subject: Subject, paths: list[str], turns: int, message: str, figures: Figures | None = None
) -> None:
    """So many turns in each room, all rooms at once; measured into ``figures``."""
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
    count = len(paths) * turns
    figures.cpu_ms.append((subject.cpu() - before) * 1000 / count)
    figures.written_kb.append((subject.written() - written) / 1000 / count)
    figures.rate.append(count / result["seconds"])
    figures.firsts.extend(result["firsts"])
    figures.wholes.extend(result["wholes"])
    figures.client_cpu.append(result["cpu"] / result["seconds"])
    figures.rss = subject.process.memory_info().rss / 2**20


@contextmanager
def process(command: list[Any], environment: dict[str, str], ready: str) -> Iterator[psutil.Popen]:
    """A process that is ready once it has printed a line, ``first``, or answers at a URL."""
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


def tomato(
    stack: ExitStack, name: str, data: Path, base_url: str, stores: dict[str, str]
) -> Subject:
    """A server of ours with a user who has signed in; on the embedded file without ``stores``."""
    (port,) = free_ports(1)
    served = stack.enter_context(
        process(
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
    return Subject(name, served, port, "tomato", header)


def yardstick(stack: ExitStack, name: str, base_url: str, more: list[str]) -> Subject:
    """FastAPI + create_agent + ChatOpenAI, with or without a saver."""
    (port,) = free_ports(1)
    command = [
        *(sys.executable, "-m", "tests.benchmarks.speed.yardstick"),
        *("--port", port, "--model", base_url, *more),
    ]
    served = stack.enter_context(process(command, {}, f"http://127.0.0.1:{port}/docs"))
    return Subject(name, served, port, "yardstick")


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
