"""What Prometheus is told, of work, limits, stores and backups; never who or what."""

import asyncio
import math
import time
from collections.abc import Callable, Collection, Mapping
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from graphs.limits import StopKind
from memory.events import MESSAGE, NOTICE, TOKEN, TOOL_END
from memory.records import Run, Status
from memory.runs import Emit, Work

S = TypeVar("S")

LIMITS = frozenset(get_args(StopKind))
"""The notices of a turn that tell of a limit."""

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Counters of one process, in a registry of their own.

    ``price_input`` and ``price_output`` are what a million tokens of ``model`` cost.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(
        self,
        model: str,
        tools: Collection[str],
        *,
        price_input: float = 0.0,
        price_output: float = 0.0,
    ) -> None:
        self.registry = registry = CollectorRegistry()
        self._model = model
        self._known_tools = frozenset(tools)
        self._prices = {"input": price_input, "output": price_output}
        self._requests = Counter(
            "tomato_http_requests",
            "HTTP requests by route and status.",
            ("method", "route", "status"),
            registry=registry,
        )
        self._request_seconds = Histogram(
            "tomato_http_request_seconds",
            "Time to the first byte of an answer.",
            ("route",),
            buckets=SECONDS,
            registry=registry,
        )
        self._runs = Counter(
            "tomato_runs", "Runs by how they ended.", ("status",), registry=registry
        )
        self._waiting = Gauge(
            "tomato_runs_waiting", "Runs in the line for a slot.", registry=registry
        )
        self._running = Gauge("tomato_runs_running", "Runs under way.", registry=registry)
        self._run_seconds = Histogram(
            "tomato_run_seconds", "Time of whole runs.", buckets=SECONDS, registry=registry
        )
        self._first_token = Histogram(
            "tomato_first_token_seconds",
            "Time from a run's start to its first text.",
            buckets=SECONDS,
            registry=registry,
        )
        self._tokens = Counter(
            "tomato_model_tokens",
            "Tokens that the model counted.",
            ("model", "kind"),
            registry=registry,
        )
        self._cost = Counter(
            "tomato_model_cost", "What they cost, by the set prices.", ("model",), registry=registry
        )
        self._tools = Counter(
            "tomato_tool_calls", "Tool calls by result.", ("tool", "result"), registry=registry
        )
        self._limits = Counter(
            "tomato_limits_hit",
            "Turns that a limit ended, and requests that one refused.",
            ("kind",),
            registry=registry,
        )
        self._store_seconds = Histogram(
            "tomato_store_seconds",
            "Time of single operations of the stores.",
            ("store", "operation"),
            buckets=SECONDS,
            registry=registry,
        )
        self._backup_age = Gauge(
            "tomato_backup_age_seconds",
            "Age of the last good backup; NaN if none is known of.",
            registry=registry,
        )
        self._backup_late = Gauge(
            "tomato_backup_late", "Whether a scheduled backup is missing.", registry=registry
        )
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def exposition(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self.registry)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; ``route`` is the template of its path, never the path."""
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def limited(self, code: str) -> None:
        """Count a request that was refused for a limit, by its error's code."""
        self._limits.labels(code).inc()

    def count_waiting(self, waiting: Callable[[], float]) -> None:
        """Ask ``waiting`` how many runs are in the line, each time that somebody looks."""
        self._waiting.set_function(waiting)

    def backed_up(self, age_seconds: float | None, *, late: bool) -> None:
        """How old the last good backup is now."""
        self._backup_age.set(math.nan if age_seconds is None else age_seconds)
        self._backup_late.set(late)

    def timed(self, store: S, name: str) -> S:
        """``store`` as it is, its operations timed."""
        return cast("S", _TimedStore(store, name, self._store_seconds))

    def watched(self, run: Run, work: Work) -> Work:
        """``work``, what it says counted."""
        return lambda emit: self._watch(work, emit)

    async def _watch(self, work: Work, emit: Emit) -> Status:
        began = time.perf_counter()
        seen_text = False

        def counted(name: str, data: Mapping[str, Any]) -> None:
            nonlocal seen_text
            if name == TOKEN:
                if not seen_text:
                    seen_text = True
                    self._first_token.observe(time.perf_counter() - began)
            else:
                self._count(name, data)
            emit(name, data)

        self._running.inc()
        status: Status = "failed"
        try:
            status = await work(counted)
        except asyncio.CancelledError:
            status = "stopped"
            raise
        finally:
            self._running.dec()
            self._runs.labels(status).inc()
            self._run_seconds.observe(time.perf_counter() - began)
        return status

    def _count(self, name: str, data: Mapping[str, Any]) -> None:
        if name == TOOL_END:
            # A model may make up any number of names.
            tool = data["name"] if data["name"] in self._known_tools else "unknown"
            self._tools.labels(tool, "ok" if data["ok"] else "failed").inc()
        elif name == NOTICE and data["kind"] in LIMITS:
            self._limits.labels(data["kind"]).inc()
        elif name == MESSAGE and data["usage"]:
            for kind, price in self._prices.items():
                tokens = data["usage"][f"{kind}_tokens"]
                self._tokens.labels(self._model, kind).inc(tokens)
                self._cost.labels(self._model).inc(tokens * price / 1_000_000)


class _TimedStore:
    def __init__(self, store: Any, name: str, seconds: Histogram) -> None:
        self._store = store
        self._name = name
        self._seconds = seconds

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._store, operation)
        if not iscoroutinefunction(method):
            return method
        seconds = self._seconds.labels(self._name, operation)

        async def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                return await method(*args, **kwargs)
            finally:
                seconds.observe(time.perf_counter() - began)

        self.__dict__[operation] = timed  # made once
        return timed
