"""Strict JSON bodies: what they may be, read once; knows bytes, no fields."""

import json
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, NoReturn

from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from server.errors import APIError

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32


class JSONRoute(APIRoute):
    """A route whose body, if it has one, is strict JSON of at most ``max_bytes``."""

    max_bytes = MAX_BYTES

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(JSONRequest(request, self.max_bytes))

        return handle_strictly


class JSONRequest(Request):
    """A request that refuses a body which is too large, of another type, or not strict JSON."""

    def __init__(self, request: Request, max_bytes: int = MAX_BYTES) -> None:
        super().__init__(request.scope, request.receive)
        self._max_bytes = max_bytes

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await self._read()
            if self._body:
                _check_type(self)
        return self._body

    async def json(self) -> Any:
        if not hasattr(self, "_json"):
            self._json = parse(await self.body())
        return self._json

    async def _read(self) -> bytes:
        declared = self.headers.get("content-length", "0")
        if declared.isascii() and declared.isdigit() and int(declared[:20]) > self._max_bytes:
            raise _too_large(self._max_bytes)
        body = bytearray()
        async for chunk in self.stream():
            body += chunk
            if len(body) > self._max_bytes:
                raise _too_large(self._max_bytes)
        return bytes(body)


def parse(body: bytes) -> Any:
    """The value of a strict JSON text: UTF-8, no duplicate names, no NaN, bounded in depth.

    Raises APIError 400 ``malformed_json`` otherwise.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _malformed(f"byte {error.start} is not UTF-8") from error
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg} at line {error.lineno} column {error.colno}") from error
    except RecursionError as error:
        raise _malformed(f"it is nested deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:  # an integer of thousands of digits
        raise _malformed("a number has too many digits") from error
    _check_depth_and_text(value)
    return value


def _check_type(request: Request) -> None:
    kind, *parameters = request.headers.get("content-type", "").lower().split(";")
    charsets = [part.strip() for part in parameters if part.strip().startswith("charset=")]
    encoded = request.headers.get("content-encoding", "identity").lower()
    utf8 = all(charset.split("=")[1].strip('"') in ("utf-8", "utf8") for charset in charsets)
    if kind.strip() != "application/json" or not utf8 or encoded != "identity":
        raise APIError(
            415,
            "unsupported_content_type",
            "Send the body as application/json in UTF-8, not compressed.",
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise _malformed("an object has the same name twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is not JSON")


def _check_depth_and_text(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return
    raise _malformed(f"it is nested deeper than {MAX_DEPTH} levels")


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, dict):
        for name in value:
            _check_text(name)
        return value.values()
    elif isinstance(value, list):
        return value
    return ()


def _check_text(text: str) -> None:
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError as error:
        raise _malformed("a text has half of a surrogate pair") from error


def _malformed(reason: str) -> APIError:
    return APIError(400, "malformed_json", f"The body is not JSON that can be read: {reason}.")


def _too_large(limit: int) -> APIError:
    return APIError(
        413,
        "too_large",
        f"The body is over {limit:,} bytes.",
        details={"max_bytes": limit},
        headers={"Connection": "close"},
    )
