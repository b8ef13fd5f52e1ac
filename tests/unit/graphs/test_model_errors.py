"""How the errors of model libraries are told apart."""

import inspect
import json
import time
from collections.abc import Mapping
from email.utils import formatdate

import httpx
import httpx2
import openai
import pytest
from langchain_core import exceptions

from graphs import model_errors
from graphs.model_errors import (
    ModelBroken,
    ModelError,
    ModelRateLimited,
    ModelRefused,
    ModelUnavailable,
    classify,
)

REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1/chat/completions")
SECRET = "sk-secret"


def answered(
    status: int, *, code: str | None = None, headers: Mapping[str, str] | None = None
) -> openai.APIStatusError:
    response = httpx2.Response(status, request=REQUEST, headers=dict(headers or {}))
    return openai.APIStatusError(SECRET, response=response, body={"code": code})


def told(body: object) -> openai.APIError:
    return openai.APIError(SECRET, REQUEST, body=body)


ERRORS: list[tuple[BaseException, type[ModelError]]] = [
    (answered(400), ModelRefused),
    (answered(401), ModelRefused),
    (answered(403), ModelRefused),
    (answered(404), ModelRefused),
    (answered(408), ModelUnavailable),
    (answered(409), ModelUnavailable),
    (answered(413), ModelRefused),
    (answered(422), ModelRefused),
    (answered(429), ModelRateLimited),
    (answered(429, code="rate_limit_exceeded"), ModelRateLimited),
    (answered(429, code="insufficient_quota"), ModelRefused),
    (answered(500), ModelUnavailable),
    (answered(503), ModelUnavailable),
    (answered(529), ModelUnavailable),
    (told(None), ModelUnavailable),
    (told({"code": "server_error"}), ModelUnavailable),
    (told({"code": 429}), ModelRateLimited),
    (told({"code": "400"}), ModelRefused),
    (told({"code": 7}), ModelUnavailable),
    (openai.APIConnectionError(request=REQUEST), ModelUnavailable),
    (openai.APITimeoutError(REQUEST), ModelUnavailable),
    (exceptions.ModelAuthenticationError(SECRET), ModelRefused),
    (exceptions.ModelPermissionDeniedError(SECRET), ModelRefused),
    (exceptions.ModelInvalidRequestError(SECRET), ModelRefused),
    (exceptions.ModelNotFoundError(SECRET), ModelRefused),
    (exceptions.ContextOverflowError(SECRET), ModelRefused),
    (exceptions.ModelRateLimitError(SECRET), ModelRateLimited),
    (exceptions.ModelAPIError(SECRET), ModelUnavailable),
    (exceptions.ModelConnectionError(SECRET), ModelUnavailable),
    (exceptions.ModelTimeoutError(SECRET), ModelUnavailable),
    (httpx.ConnectError(SECRET), ModelUnavailable),
    (httpx.RemoteProtocolError(SECRET), ModelUnavailable),
    (httpx2.ReadTimeout(SECRET), ModelUnavailable),
    (TimeoutError(SECRET), ModelUnavailable),
    (ConnectionResetError(SECRET), ModelUnavailable),
    (json.JSONDecodeError(SECRET, "{", 1), ModelBroken),
    (UnicodeDecodeError("utf-8", b"\xed", 0, 1, SECRET), ModelBroken),
]


@pytest.mark.parametrize(("error", "kind"), ERRORS, ids=lambda one: repr(one)[:60])
def test_each_error_has_its_kind(error: BaseException, kind: type[ModelError]) -> None:
    mapped = classify(error)
    assert type(mapped) is kind
    assert SECRET not in str(mapped)


@pytest.mark.parametrize(
    "error",
    [ValueError(SECRET), KeyError("status_code"), OSError(28, SECRET), KeyboardInterrupt()],
    ids=repr,
)
def test_what_no_model_said_is_not_mapped(error: BaseException) -> None:
    assert classify(error) is None


def test_a_mapped_error_stays_itself() -> None:
    error = ModelRateLimited(3.0)
    assert classify(error) is error


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "-1"}, 0.0),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "1e999"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Mon, 99 Nov 99999 99:99:99 GMT"}, None),
        ({"Retry-After": ""}, None),
        ({"Retry-After": formatdate(0, usegmt=True)}, 0.0),
        ({"Retry-After": "3", "Retry-After-Ms": "250"}, 0.25),
        ({"Retry-After": "3", "Retry-After-Ms": "x"}, 3.0),
    ],
)
def test_the_wait_that_a_server_asks_for(
    status: int, headers: dict[str, str], seconds: float | None
) -> None:
    mapped = classify(answered(status, headers=headers))
    assert mapped is not None
    assert mapped.retry_after == seconds


def test_a_wait_may_be_a_date() -> None:
    date = formatdate(time.time() + 60, usegmt=True)
    mapped = classify(answered(429, headers={"Retry-After": date}))
    assert mapped is not None
    assert mapped.retry_after == pytest.approx(60, abs=30)


def test_codes_and_sentences_are_told_apart() -> None:
    kinds = [
        kind
        for _, kind in inspect.getmembers(model_errors, inspect.isclass)
        if issubclass(kind, ModelError)
    ]
    assert {kind.code for kind in kinds if kind is not ModelError} == {
        "model_unavailable",
        "model_rate_limited",
        "model_refused",
        "model_interrupted",
    }
    assert len({str(kind()) for kind in kinds}) == len(kinds) == 5
