"""Around every request: its time and its end, counted for Prometheus and told in the log."""

import logging
import time
from typing import TYPE_CHECKING

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.logs import request_id_now

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

        async def send_measured(message: Message) -> None:
            if message["type"] == "http.response.start":
                _measured(scope, message["status"], time.perf_counter() - began)
            await send(message)

        await self._app(scope, receive, send_measured)


def _measured(scope: Scope, status: int, seconds: float) -> None:
    route, method = _route(scope), scope["method"]
    opening: Opening = scope["app"].state.opening
    if opening.opened is not None:
        opening.opened.metrics.answered(method, route, status, seconds)
    if log.isEnabledFor(logging.INFO):
        extra = {
            "uid": scope["state"].get("uid"),
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
        log.info("answered", extra=extra)


def _route(scope: Scope) -> str:
    """The template of the path that answered, or its mount; never what a client made up."""
    path = getattr(scope.get("route"), "path", None)
    return str(path or scope.get("root_path") or "none")
