"""Request ids and safe headers on every response."""

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from server.request_ids import RequestIds


async def answered(response: Response, **headers: str) -> tuple[dict[str, str], Scope]:
    """The headers that a client gets when the application answers with ``response``."""
    raw = [
        (name.replace("_", "-").encode(), value.encode("latin-1"))
        for name, value in headers.items()
    ]
    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": raw}
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    await RequestIds(response)(scope, receive, send)
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}, scope


async def test_a_sane_id_of_the_client_is_kept() -> None:
    headers, scope = await answered(Response(), x_request_id="Trace.1_a-b")
    assert headers["x-request-id"] == Request(scope).state.request_id == "Trace.1_a-b"


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "a\tb", "é", "<script>", "a;b"])
async def test_any_other_id_is_replaced(given: str) -> None:
    headers, _ = await answered(Response(), x_request_id=given)
    assert headers["x-request-id"] != given
    assert len(headers["x-request-id"]) == 16


async def test_each_request_has_an_id_of_its_own() -> None:
    ids = {(await answered(Response()))[0]["x-request-id"] for _ in range(50)}
    assert len(ids) == 50


async def test_data_gets_the_strictest_policy_and_pages_may_have_their_own() -> None:
    data, _ = await answered(JSONResponse({}))
    page, _ = await answered(PlainTextResponse("", headers={"X-Frame-Options": "SAMEORIGIN"}))
    assert data["content-security-policy"].startswith("default-src 'none'")
    assert data["cache-control"] == "no-store"
    assert data["x-content-type-options"] == page["x-content-type-options"] == "nosniff"
    assert page["x-frame-options"] == "SAMEORIGIN"
    assert "content-security-policy" not in page


async def test_an_answer_that_breaks_off_is_not_answered_twice(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sent: list[Message] = []

    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError("half way")

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    with pytest.raises(RuntimeError, match="half way"):
        await RequestIds(broken)({"type": "http", "headers": []}, receive, send)
    assert len(sent) == 1
    assert "half way" in caplog.text


async def test_what_is_not_http_passes() -> None:
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    async def send(message: Message) -> None:
        raise AssertionError("nothing is sent")

    await RequestIds(app)({"type": "lifespan"}, receive, send)
    assert seen == ["lifespan"]
