"""The one form of every error, and the one table from our errors to HTTP."""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from graphs.model_errors import ModelError, ModelRateLimited
from memory.errors import (
    Conflict,
    Invalid,
    Newer,
    NotFound,
    Stale,
    StoreError,
    TooLarge,
    TooMany,
    Unavailable,
)
from server.schemas.errors import ErrorOut

log = logging.getLogger("tomato.server")

RETRY_SECONDS = 5
MAX_FIELDS = 20

STATUS: Mapping[type[StoreError], int] = {
    NotFound: 404,
    Conflict: 409,
    Stale: 412,
    Invalid: 422,
    TooLarge: 413,
    TooMany: 429,
    Newer: 503,
    Unavailable: 503,
}

_PLACES = frozenset({"body", "query", "path", "header", "cookie"})
"""Where a field was sent in, as FastAPI has it before the field; LangServe's have none."""

_BRANCH = re.compile(r"(none|constrained-\w+|[\w-]+\[.*\])\Z", re.DOTALL)
"""What pydantic calls the kinds that a field may be of, among the names of fields."""

_OWN_WORDS = {
    404: ("not_found", "There is nothing here."),
    405: ("method_not_allowed", "This address does not answer to that method."),
}

_MEANINGS = {
    400: "Malformed",
    401: "No session, or an expired one",
    403: "Not allowed",
    404: "Not there, or not yours",
    409: "A conflict with what is there",
    412: "Changed since you read it",
    413: "Too large",
    415: "The body is not application/json",
    429: "Too many requests, or the day's tokens are spent; Retry-After says when to try again",
    422: "A field is invalid; details name it",
    503: "A dependency is down; Retry-After says when to try again",
}


class APIError(HTTPException):
    """An error of the HTTP side itself: what a route, a guard or a body check refuses."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, dict(headers or {}))
        self.code = code
        self.message = message
        self.details = dict(details or {})


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of these statuses, beside those that every route may answer."""
    every = {400, 401, 403, 422, 503, *statuses}
    return {
        status: {"model": ErrorOut, "description": _MEANINGS[status]} for status in sorted(every)
    }


def error_response(
    request_id: str,
    status: int,
    code: str,
    message: str,
    *,
    details: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An error in the one form."""
    error: dict[str, Any] = {"code": code, "message": message, "request_id": request_id}
    if details:
        error["details"] = dict(details)
    sent = dict(headers or {})
    if status in (429, 503):
        sent.setdefault("Retry-After", str(RETRY_SECONDS))
    body = orjson.dumps({"error": error}, default=str, option=orjson.OPT_NON_STR_KEYS)
    return Response(body, status, sent, media_type="application/json")


def add_error_handlers(app: FastAPI) -> None:
    """Let every error of the app's routes leave in the one form."""
    app.add_exception_handler(StoreError, _store_error)
    app.add_exception_handler(ModelError, _model_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(HTTPException, _http_error)


def status_of(error: StoreError) -> int:
    """The HTTP status of one of memory's errors."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 503)


def request_id_of(request: Request) -> str:
    """The id under which this request is logged."""
    return str(request.state.request_id)


async def _store_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreError)  # noqa: S101 - registered for this type
    status = status_of(error)
    if status == 503:
        log.warning("%s", error, exc_info=error)
    return _refusal(request, status, error.code, str(error), details=error.details)


async def _model_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ModelError)  # noqa: S101 - registered for this type
    log.warning("%s", error.code, exc_info=error)
    wait = error.retry_after if isinstance(error, ModelRateLimited) else None
    headers = {"Retry-After": str(math.ceil(wait))} if wait else {}
    return _refusal(request, 503, error.code, str(error), headers=headers)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type
    if isinstance(error, APIError):
        code, message, details = error.code, error.message, error.details
    else:
        code, message = _OWN_WORDS.get(
            error.status_code, ("malformed", "This request can't be read.")
        )
        details = {}
    return _refusal(
        request, error.status_code, code, message, details=details, headers=error.headers
    )


async def _validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type
    found = error.errors()
    # Of a field that may be absent, pydantic says beside what is wrong that null would do.
    told = [one for one in found if one["type"] != "none_required"] or found
    errors = [_field_error(one) for one in told[:MAX_FIELDS]]
    message = f"{errors[0]['field']}: {errors[0]['reason']}"
    return _refusal(request, 422, "invalid_field", message, details={**errors[0], "errors": errors})


def _refusal(request: Request, status: int, code: str, message: str, **more: Any) -> Response:
    request.state.error_code = code  # for the log and the metrics
    return error_response(request_id_of(request), status, code, message, **more)


def _field_error(error: Mapping[str, Any]) -> dict[str, str]:
    """One field and what is wrong with it; never the value, which may be huge or secret."""
    location: Sequence[object] = error["loc"] or ("body",)
    sent_in = len(location) > 1 and location[0] in _PLACES
    first, *inner = map(str, location[1:] if sent_in else location)
    path = [first, *(part for part in inner if not _BRANCH.match(part))]
    reason = str(error["msg"]).removeprefix("Value error, ")
    return {"field": ".".join(part[:64] for part in path), "reason": reason[:300]}
