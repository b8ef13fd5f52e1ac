"""Around every request: an id, safe headers, and the one form for what nobody foresaw."""

import logging
import re
import secrets

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memory.events import INTERNAL
from server.errors import error_response

log = logging.getLogger("tomato.server")

_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")

SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-site",
}
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"


class RequestIds:
    """Pure ASGI, so that streams pass through as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        started = False

        async def send_marked(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                _mark(MutableHeaders(scope=message), request_id)
            await send(message)

        try:
            await self._app(scope, receive, send_marked)
        except Exception:
            log.exception("request %s failed", request_id)
            if started:
                raise
            response = error_response(request_id, 500, *INTERNAL)
            await response(scope, receive, send_marked)


def _request_id(headers: Headers) -> str:
    """The client's own id if it is a sane one."""
    given = headers.get("x-request-id", "")
    return given if _SANE.match(given) else secrets.token_hex(8)


def _mark(headers: MutableHeaders, request_id: str) -> None:
    headers["X-Request-ID"] = request_id
    for name, value in SAFE_HEADERS.items():
        headers.setdefault(name, value)
    if headers.get("content-type", "").startswith(("application/json", "text/event-stream")):
        headers.setdefault("Content-Security-Policy", DATA_POLICY)
        headers.setdefault("Cache-Control", "no-store")
