"""Around every request: its time and its end, counted for Prometheus and told in the log."""

import logging
import time
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.context import request_id_now, run_id_now, uid_now
from server.request_names import method_of, route_of

if TYPE_CHECKING:
    from server.opening import Opening

log = logging.getLogger("tomato.requests")


class RequestMeasures:
    """Pure ASGI. A stream is counted when it begins; its end is its run's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id_now.set(scope["state"]["request_id"])
        run_id_now.set(None)
        uid_now.set(None)

        started = False

        async def send_measured(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _measured(scope, message["status"], time.perf_counter() - began)
            await send(message)

        try:
            await self._app(scope, receive, send_measured)
        except Exception:
            if not started:  # answered by who stands before us
                scope["state"]["error_code"] = "internal"
                _measured(scope, 500, time.perf_counter() - began)
            raise


def _measured(scope: Scope, status: int, seconds: float) -> None:
    method, route, code = method_of(scope), route_of(scope), scope["state"].get("error_code")
    opening: Opening = scope["app"].state.opening
    if opening.opened is not None:
        opening.opened.metrics.answered(method, route, status, seconds)
        if status == 429 and code is not None:
            opening.opened.metrics.limited(code)
    if log.isEnabledFor(logging.INFO):
        extra = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
            "code": code,
        }
        log.info("answered", extra=extra)
