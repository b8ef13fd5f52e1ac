"""The one form of errors and the table from our errors to HTTP."""

from typing import Annotated

import httpx
import orjson
import pytest
from fastapi import FastAPI, Query

import memory.errors
from memory.errors import Conflict, Invalid, NotFound, StoreError, Unavailable
from server.bodies import JSONRoute
from server.errors import APIError, add_error_handlers, documented, error_response, status_of
from server.request_ids import RequestIds
from server.schemas.chat import ChatIn

SECRET = "the text of an unknown exception"


@pytest.fixture
def failing() -> FastAPI:
    app = FastAPI(redirect_slashes=False)
    app.add_middleware(RequestIds)
    app.router.route_class = JSONRoute
    add_error_handlers(app)

    @app.get("/store/{code}")
    async def store(code: str) -> None:
        raise {
            "busy": Conflict("busy", code="room_busy", details={"run_id": "r1"}),
            "away": Unavailable("away"),
            "none": NotFound.of("room"),
        }[code]

    @app.get("/unknown")
    async def unknown() -> None:
        raise RuntimeError(SECRET)

    @app.get("/limited")
    async def limited(limit: Annotated[int, Query(ge=1)]) -> int:
        return limit

    @app.post("/chat")
    async def chat(asked: ChatIn) -> str:
        return asked.message

    return app


@pytest.fixture
def asking(failing: FastAPI) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(failing), base_url="http://127.0.0.1")


def test_every_error_of_memory_has_a_status() -> None:
    kinds = [
        kind
        for kind in vars(memory.errors).values()
        if isinstance(kind, type) and issubclass(kind, StoreError)
    ]
    assert len(kinds) >= 8
    statuses = {kind.__name__: status_of(kind("x")) for kind in kinds}
    assert statuses["NotFound"] == 404
    assert set(statuses.values()) <= {404, 409, 412, 413, 422, 429, 503}


async def test_a_store_error_keeps_its_code_and_details(asking: httpx.AsyncClient) -> None:
    answer = await asking.get("/store/busy")
    assert answer.status_code == 409
    error = answer.json()["error"]
    assert (error["code"], error["details"]) == ("room_busy", {"run_id": "r1"})
    assert error["request_id"] == answer.headers["x-request-id"]


async def test_a_store_that_is_away_says_when_to_come_back(asking: httpx.AsyncClient) -> None:
    answer = await asking.get("/store/away")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_an_unknown_error_never_shows_its_text(
    asking: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await asking.get("/unknown", headers={"X-Request-ID": "mine-1"})
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert SECRET not in answer.text
    assert "mine-1" in caplog.text
    assert SECRET in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/chat/", 404, "not_found"),
        ("DELETE", "/chat", 405, "method_not_allowed"),
    ],
)
async def test_unknown_addresses_and_methods_answer_in_the_form(
    asking: httpx.AsyncClient, method: str, path: str, status: int, code: str
) -> None:
    answer = await asking.request(method, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert ("allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "message"),
        ({"message": ""}, "message"),
        ({"message": "x" * 32_001}, "message"),
        ({"message": "a\0b"}, "message"),
        ({"message": {"$ne": 1}}, "message"),
        ({"message": "안녕", "tools": "archive_save"}, "tools"),
        ({"message": "안녕", "tools": [1]}, "tools.0"),
        ({"message": "안녕", "strem": True}, "strem"),
        ([], "body"),
    ],
)
async def test_an_invalid_field_is_named_and_its_value_is_not_shown(
    asking: httpx.AsyncClient, body: object, field: str
) -> None:
    answer = await asking.post("/chat", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, "invalid_field")
    assert error["details"]["field"] == field
    assert error["details"]["errors"][0] == {
        "field": field,
        "reason": error["details"]["reason"],
    }
    assert len(answer.content) < 2_000


async def test_an_invalid_query_is_named(asking: httpx.AsyncClient) -> None:
    error = (await asking.get("/limited?limit=0")).json()["error"]
    assert error["details"]["field"] == "limit"


async def test_the_longest_message_may_come(asking: httpx.AsyncClient) -> None:
    message = "가" * 32_000
    assert (await asking.post("/chat", json={"message": message})).json() == message


def test_details_may_hold_anything() -> None:
    body = error_response("id", 422, "c", "m", details={"known": {1: object}}).body
    assert orjson.loads(bytes(body))["error"]["details"]


def test_every_documented_status_has_its_meaning() -> None:
    assert set(documented(404, 409, 413, 415)) >= {400, 401, 403, 404, 409, 413, 415, 422, 503}
    assert str(APIError(401, "c", "m")) == "401: m"
    assert status_of(Invalid.field("a", "b")) == 422
