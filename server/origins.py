"""Which pages may talk to us: a guard against other sites and against DNS rebinding.

The local user needs no session, so that without it any page open in the same browser could act
as that user.
"""

import ipaddress
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from server.context import request_id_now
from server.errors import error_response
from server.settings import Settings

READING = frozenset({"GET", "HEAD"})


class OriginGuard:
    """Refuses what comes from pages that are neither our own nor allowed in the settings."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._origins = frozenset(settings.origins)
        self._guards_host = settings.local_user_on
        allowed = (urlsplit(origin).hostname or "" for origin in settings.origins)
        self._hosts = frozenset({"localhost", settings.host.lower(), *allowed})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        code, message = refusal
        response = error_response(scope["state"]["request_id"], 403, code, message)
        await response(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[str, str] | None:
        headers = Headers(scope=scope)
        if self._guards_host and not self._is_ours(headers.get("host", "")):
            return "host_refused", "This server does not answer to that host name."
        if scope["method"] not in READING and not self._may_change(headers):
            return "origin_refused", "Pages of this origin may not change anything here."
        return None

    def _is_ours(self, host: str) -> bool:
        """A rebound name is never an address, localhost, or a name from the settings."""
        name = _hostname(host)
        return name in self._hosts or name.endswith(".localhost") or _is_address(name)

    def _may_change(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None:
            # Browsers send an Origin with whatever changes something; only older forms do not.
            return headers.get("sec-fetch-site", "none") != "cross-site"
        if origin.lower() in self._origins:
            return True
        scheme, _, place = origin.lower().partition("://")
        return scheme in ("http", "https") and place == headers.get("host", "").lower()


class AllowedPages(CORSMiddleware):
    """Lets the pages that are allowed in the settings read what they are answered."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        super().__init__(
            app,
            allow_origins=settings.origins,
            allow_methods=["*"],
            allow_headers=["*"],
            allow_credentials=True,
            expose_headers=["X-Request-ID", "X-Room-ID", "Retry-After", "ETag"],
        )

    def is_allowed_origin(self, origin: str) -> bool:
        return super().is_allowed_origin(origin.lower())

    def preflight_response(self, request_headers: Headers) -> Response:
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        return error_response(
            request_id_now.get() or "",
            403,
            "origin_refused",
            "Pages of this origin may not send such a request here.",
            headers={"Vary": "Origin"},
        )


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
