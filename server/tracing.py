"""OpenTelemetry traces of requests and runs, sent where the standard variables say; ids only.

The instrumentation that there is for FastAPI puts whole addresses on its spans, and with them what
people search for and how they call their files. So the spans are made here.
"""

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, use_span
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memory.events import NOTICE, TOOL_END, TOOL_START
from memory.records import Run
from memory.records import Status as RunEnd
from memory.runs import Emit, Work
from server.request_names import method_of, route_of

UNTRACED = ("/healthz", "/readyz", "/metrics", "/web")


class Tracing:
    """Makes spans and sends them in the background, from a thread of its own."""

    def __init__(self) -> None:
        # Where to, how often, how many and under which name are the library's own OTEL_* variables.
        named = Resource({"service.name": "tomato"}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=Resource.create().merge(named))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("tomato")

    def add_to(self, app: FastAPI) -> None:
        """A span for each request, under the route's template."""
        app.add_middleware(_RequestSpans, tracer=self._tracer)

    def traced(self, tools: Collection[str], run: Run, work: Work) -> Work:
        """``work`` in a span within its request's, with a span for each call of these tools."""
        attributes = {"tomato.run_id": run.id, "tomato.room_id": run.room_id}
        span = self._tracer.start_span("run", attributes=attributes)

        async def trace(emit: Emit) -> RunEnd:
            calls: dict[str, Span] = {}

            def heard(name: str, data: Mapping[str, Any]) -> None:
                if name == TOOL_START:
                    # A model may make up any name, out of what it was told.
                    tool = data["name"] if data["name"] in tools else "unknown"
                    calls[data["id"]] = self._tracer.start_span(f"tool {tool}")
                elif name == TOOL_END and data["id"] in calls:
                    call = calls.pop(data["id"])
                    call.set_attribute("tomato.ok", data["ok"])
                    call.end()
                elif name == NOTICE:
                    span.add_event(data["kind"])
                emit(name, data)

            status: RunEnd = "failed"
            with use_span(
                span, end_on_exit=True, record_exception=False, set_status_on_exception=False
            ):
                try:
                    status = await work(heard)
                finally:
                    _end(span, status, calls)
                return status

        return trace

    async def close(self) -> None:
        """Send what is left."""
        await asyncio.to_thread(self._provider.shutdown)


def _end(span: Span, status: RunEnd, calls: Mapping[str, Span]) -> None:
    for call in calls.values():  # cut off
        call.end()
    span.set_attribute("tomato.status", status)
    if status == "failed":
        span.set_status(Status(StatusCode.ERROR))


class _RequestSpans:
    """Pure ASGI, around all others; a stream's span ends when it begins, as its run has one."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app = app
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(UNTRACED):
            await self._app(scope, receive, send)
            return
        above = extract(Headers(scope=scope))
        span = self._tracer.start_span(method_of(scope), above, SpanKind.SERVER)

        async def send_traced(message: Message) -> None:
            if message["type"] == "http.response.start":
                _tell(span, scope, message["status"])
            await send(message)

        with use_span(
            span, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            await self._app(scope, receive, send_traced)


def _tell(span: Span, scope: Scope, status: int) -> None:
    method, route = method_of(scope), route_of(scope)
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "tomato.request_id": scope["state"]["request_id"],
        }
    )
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
