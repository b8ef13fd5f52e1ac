"""The guard against other sites and rebound names, as a table."""

from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from server.origins import OriginGuard
from server.settings import Settings

DEV = Settings(data=Path("unused"), origins=("https://app.example.com",))
NO_LOCAL_USER = Settings(data=Path("unused"), local_user=False)


async def status(settings: Settings, method: str, **headers: str) -> int:
    """What a request with these headers is answered: 200 is the application's own answer."""
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "headers": raw, "state": {"request_id": "r"}}
    await OriginGuard(app, settings)(scope, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("POST", {"host": "127.0.0.1:8000"}, 200),
        ("POST", {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:8000"}, 200),
        ("POST", {"host": "localhost:8000", "origin": "http://localhost:8000"}, 200),
        ("POST", {"host": "localhost:8000", "origin": "https://app.example.com"}, 200),
        ("POST", {"host": "localhost:8000", "origin": "HTTPS://APP.example.com"}, 200),
        ("OPTIONS", {"host": "localhost:8000", "origin": "https://app.example.com"}, 200),
        ("GET", {"host": "localhost:8000", "origin": "https://evil.example"}, 200),
        ("GET", {"host": "[::1]:8000"}, 200),
        ("GET", {"host": "192.168.0.7:8000"}, 200),
        ("GET", {"host": "tomato.localhost"}, 200),
        ("GET", {"host": "app.example.com"}, 200),
        ("POST", {"host": "127.0.0.1:8000", "origin": "https://evil.example"}, 403),
        ("POST", {"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:9000"}, 403),
        ("POST", {"host": "127.0.0.1:8000", "origin": "null"}, 403),
        ("POST", {"host": "127.0.0.1:8000", "origin": ""}, 403),
        ("POST", {"host": "127.0.0.1:8000", "origin": "file://127.0.0.1:8000"}, 403),
        ("POST", {"host": "127.0.0.1:8000", "sec_fetch_site": "cross-site"}, 403),
        ("DELETE", {"host": "127.0.0.1:8000", "origin": "https://evil.example"}, 403),
        ("PATCH", {"host": "127.0.0.1:8000", "origin": "https://evil.example"}, 403),
        ("OPTIONS", {"host": "127.0.0.1:8000", "origin": "https://evil.example"}, 403),
        ("GET", {"host": "evil.example:8000"}, 403),
        ("GET", {"host": "127.0.0.1.evil.example"}, 403),
        ("GET", {"host": "evillocalhost"}, 403),
        ("GET", {"host": "[::1"}, 403),
        ("GET", {"host": ""}, 403),
        ("GET", {}, 403),
    ],
)
async def test_who_may_talk_to_the_local_user(
    method: str, headers: dict[str, str], expected: int
) -> None:
    assert await status(DEV, method, **headers) == expected


async def test_without_a_local_user_any_name_may_lead_here_but_other_sites_change_nothing() -> None:
    assert await status(NO_LOCAL_USER, "GET", host="tomato.example.com") == 200
    headers = {"host": "tomato.example.com", "origin": "https://evil.example"}
    assert await status(NO_LOCAL_USER, "POST", **headers) == 403
