"""OpenTelemetry traces of requests and runs, sent where the standard variables say; ids only."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, Status, StatusCode

from memory.events import NOTICE, TOOL_END, TOOL_START
from memory.records import Run
from memory.records import Status as RunEnd
from memory.runs import Emit, Work

UNTRACED = "/healthz,/readyz,/metrics,/web"


class Tracing:
    """Makes spans and sends them in the background, from a thread of its own."""

    def __init__(self) -> None:
        # Where to, how often and how many are the library's own OTEL_* variables.
        self._provider = TracerProvider(resource=Resource.create({"service.name": "tomato"}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("tomato")

    def add_to(self, app: FastAPI) -> None:
        """A span for each request, under the route's template."""
        FastAPIInstrumentor.instrument_app(
            app,
            tracer_provider=self._provider,
            excluded_urls=UNTRACED,
            exclude_spans=["send", "receive"],
        )

    def traced(self, run: Run, work: Work) -> Work:
        """``work`` in a span of its own, with a span for each of its tool calls."""

        async def trace(emit: Emit) -> RunEnd:
            attributes = {"tomato.run_id": run.id, "tomato.room_id": run.room_id}
            with self._tracer.start_as_current_span("run", attributes=attributes) as span:
                tools: dict[str, Span] = {}

                def heard(name: str, data: Mapping[str, Any]) -> None:
                    self._hear(span, tools, name, data)
                    emit(name, data)

                status = await work(heard)
                span.set_attribute("tomato.status", status)
                if status == "failed":
                    span.set_status(Status(StatusCode.ERROR))
                return status

        return trace

    def _hear(self, span: Span, tools: dict[str, Span], name: str, data: Mapping[str, Any]) -> None:
        if name == TOOL_START:
            tools[data["id"]] = self._tracer.start_span(f"tool {data['name'][:64]}")
        elif name == TOOL_END and data["id"] in tools:
            tool = tools.pop(data["id"])
            tool.set_attribute("tomato.ok", data["ok"])
            tool.end()
        elif name == NOTICE:
            span.add_event(data["kind"])

    async def close(self) -> None:
        """Send what is left."""
        await asyncio.to_thread(self._provider.shutdown)
