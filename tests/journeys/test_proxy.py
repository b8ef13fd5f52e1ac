"""The proxy of `infra/`, run for real: streams pass as they come, the operator's pages don't."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.services.process import ServerProcess, free_ports

CADDY = Path(sys.executable).with_name("caddy")
CADDYFILE = Path(__file__).parents[2] / "infra/Caddyfile"


class Caddy(ServerProcess):
    """The proxy before ``upstream``, without TLS: its own domain is asked for in production."""

    def __init__(self, folder: Path, upstream: int) -> None:
        super().__init__(folder)
        self.port = free_ports(1)[0]
        folder.mkdir()
        text = CADDYFILE.read_text()
        assert "dynamic a tomato 8000" in text
        text = text.replace("dynamic a tomato 8000", f"dynamic a localhost {upstream}")
        text = text.replace("{$DOMAIN}", f"http://127.0.0.1:{self.port}")
        (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str | Path]:
        here = [f"HOME={self.folder}", f"XDG_DATA_HOME={self.folder}"]
        run: list[str | Path] = [CADDY, "run", "--adapter", "caddyfile", "--config", "Caddyfile"]
        return ["env", *here, *run]

    def ready(self) -> bool:
        with socket.create_connection(("127.0.0.1", self.port)):
            return True


class Upstream:
    """Answers /stream with one event, and the other only when it is let go; all else with 200."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.asked: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        path = head.split()[1]
        self.asked.append(path)
        kind = "text/event-stream" if path == "/stream" else "application/json"
        begin = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n\r\n"
        first, rest = b"data: 1\n\n", b"data: 2\n\n" * 200
        if path == "/stream":
            writer.write(begin.encode() + first)
            await writer.drain()
            await self.go_on.wait()
            writer.write(rest)
        else:  # at once: a proxy compresses by what comes first
            writer.write(begin.encode() + first + rest)
        await writer.drain()
        writer.close()
        await writer.wait_closed()


@pytest.fixture
async def upstream() -> Upstream:
    return Upstream()


@pytest.fixture
async def proxy(tmp_path: Path, upstream: Upstream) -> AsyncIterator[Caddy]:
    server = await asyncio.start_server(upstream, "127.0.0.1", 0)
    caddy = Caddy(tmp_path / "caddy", server.sockets[0].getsockname()[1])
    await asyncio.to_thread(caddy.start)
    try:
        yield caddy
    finally:
        await asyncio.to_thread(caddy.kill)
        server.close()
        await server.wait_closed()


async def test_a_stream_passes_as_it_comes(proxy: Caddy, upstream: Upstream) -> None:
    async with (
        asyncio.timeout(30),
        httpx.AsyncClient(base_url=proxy.address) as client,
        client.stream("GET", "/stream", headers={"Accept-Encoding": "gzip"}) as answer,
    ):
        assert "content-encoding" not in answer.headers
        pieces = answer.aiter_raw()
        assert await anext(pieces) == b"data: 1\n\n"  # while the rest is not even written
        upstream.go_on.set()
        assert b"".join([piece async for piece in pieces]) == b"data: 2\n\n" * 200


async def test_what_is_for_the_operator_does_not_pass(proxy: Caddy, upstream: Upstream) -> None:
    async with httpx.AsyncClient(base_url=proxy.address) as client:
        for path in ("/metrics", "/readyz"):
            assert (await client.get(path)).status_code == 404
        page = await client.get("/api/rooms", headers={"Accept-Encoding": "gzip"})
    assert (page.status_code, page.headers["content-encoding"]) == (200, "gzip")
    assert upstream.asked == ["/api/rooms"]
