"""Traces as a collector receives them: switched on by the standard variable, ids only."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.services.tomato_server import TomatoServer

WORDS = "와이파이 비밀번호는 tomato2026"


class Collector(ThreadingHTTPServer):
    """Takes spans as an OTLP collector does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Receiver)
        self.bodies: list[bytes] = []

    @property
    def spans(self) -> list[Span]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        assert isinstance(self.server, Collector)
        self.server.bodies.append(body)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
async def traced(live_server: TomatoServer, collector: Collector) -> AsyncIterator[TomatoServer]:
    await live_server.stop()
    address = f"http://127.0.0.1:{collector.server_port}"
    live_server.settings = {"OTEL_EXPORTER_OTLP_ENDPOINT": address}
    await live_server.start()
    yield live_server
    await live_server.kill()


async def test_a_turn_is_traced(traced: TomatoServer, collector: Collector) -> None:
    async with httpx.AsyncClient(base_url=traced.address, timeout=30) as client:
        room = (await client.post("/api/rooms")).json()["id"]
        body = {"message": f"기억해: {WORDS}"}
        streamed = await client.post(f"/api/rooms/{room}/chat", json=body)
        assert "event: done" in streamed.text
        await client.get("/healthz")
    await traced.stop()
    spans = await asyncio.to_thread(lambda: collector.spans)
    names = [span.name for span in spans]
    assert "POST /api/rooms/{room_id}/chat" in names
    assert "tool archive_save" in names
    (run,) = [span for span in spans if span.name == "run"]
    attributes = {one.key: one.value.string_value for one in run.attributes}
    assert attributes["tomato.status"] == "complete"
    assert attributes["tomato.room_id"] == room
    assert not any("healthz" in name for name in names)
    assert WORDS.encode() not in b"".join(collector.bodies)
