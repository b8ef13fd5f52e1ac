"""Bad input: the one form of errors, never a 500, nothing stored."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st

from memory.cursors import encode_cursor
from server.settings import Settings
from tests.services.tomato_server import TomatoServer

JSON = {"Content-Type": "application/json"}
PREFLIGHT = {"Access-Control-Request-Method": "POST"}


@pytest.fixture
async def room(client: httpx.AsyncClient) -> str:
    return str((await client.post("/api/rooms")).json()["id"])


async def stored(client: httpx.AsyncClient) -> Any:
    """All there is: rooms with their counts, and the archive."""
    rooms = (await client.get("/api/rooms", params={"limit": 100})).json()["items"]
    return rooms, (await client.get("/api/archive")).json()["items"]


def check(answer: httpx.Response, status: int, code: str | None = None) -> None:
    """The answer is an error in the one form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    error = body["error"]
    assert set(error) - {"details"} == {"code", "message", "request_id"}
    assert error["request_id"] == answer.headers["x-request-id"]
    if code is not None:
        assert error["code"] == code


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_field"),
        (b"{", 400, "malformed_json"),
        (b'{"message": "\xff\xfe"}', 400, "malformed_json"),
        (b'{"message": "\\ud800"}', 400, "malformed_json"),
        (b'{"message": "a", "message": "b"}', 400, "malformed_json"),
        (b'{"message": NaN}', 400, "malformed_json"),
        (b"[" * 50_000, 400, "malformed_json"),
        (b'{"message":' + b"[" * 500 + b"]" * 500 + b"}", 400, "malformed_json"),
        (b"null", 422, "invalid_field"),
        (b"[]", 422, "invalid_field"),
        (b'"message"', 422, "invalid_field"),
        (b"{}", 422, "invalid_field"),
        (b'{"message": ""}', 422, "invalid_field"),
        (b'{"message": 1}', 422, "invalid_field"),
        (b'{"message": null}', 422, "invalid_field"),
        (b'{"message": "a\\u0000b"}', 422, "invalid_field"),
        (b'{"message": {"$gt": ""}}', 422, "invalid_field"),
        (b'{"message": "' + b"a" * 33_000 + b'"}', 422, "invalid_field"),
        ('{"message": "%s"}' % ("가" * 33_000), 422, "invalid_field"),
        (b'{"message": "a", "stream": "maybe"}', 422, "invalid_field"),
        (b'{"message": "a", "tools": "archive_save"}', 422, "invalid_field"),
        (b'{"message": "a", "tools": ["archive_drop"]}', 422, "unknown_tool"),
        ('{"message": "a", "tools": ["도구"]}', 422, "unknown_tool"),
        (b'{"message": "a", "user": "someone"}', 422, "invalid_field"),
        (b'{"message": 1' + b"0" * 6_000 + b"}", 400, "malformed_json"),
        (b'{"message": "' + b"a" * 1_100_000 + b'"}', 413, "too_large"),
    ],
)
async def test_a_bad_message_is_refused_and_nothing_is_stored(
    client: httpx.AsyncClient, room: str, body: bytes | str, status: int, code: str
) -> None:
    before = await stored(client)
    check(await client.post(f"/api/rooms/{room}/chat", content=body, headers=JSON), status, code)
    assert await stored(client) == before


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "", "a/b/c;;="]
)
async def test_another_content_type_is_refused(
    client: httpx.AsyncClient, room: str, kind: str
) -> None:
    before = await stored(client)
    answer = await client.post(
        f"/api/rooms/{room}/chat", content=b'{"message": "a"}', headers={"Content-Type": kind}
    )
    check(answer, 415, "unsupported_content_type")
    assert await stored(client) == before


async def test_a_body_in_endless_pieces_is_cut_off(client: httpx.AsyncClient, room: str) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1_000):
            sent += 1
            yield b"x" * 65_536

    check(
        await client.post(f"/api/rooms/{room}/chat", content=pieces(), headers=JSON),
        413,
        "too_large",
    )
    assert sent < 100


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/api/rooms/{}", None),
        ("PATCH", "/api/rooms/{}", {"title": "x"}),
        ("DELETE", "/api/rooms/{}", None),
        ("POST", "/api/rooms/{}/title", None),
        ("POST", "/api/rooms/{}/chat", {"message": "안녕"}),
        ("GET", "/api/rooms/{}/messages", None),
        ("DELETE", "/api/rooms/{}/messages", {"keys": ["t00000001-0000"]}),
        ("GET", "/api/rooms/{}/context", None),
        ("GET", "/api/runs/{}/events", None),
        ("POST", "/api/runs/{}/cancel", None),
    ],
)
@pytest.mark.parametrize(
    "unknown", ["none", "방", "%00", "%FF%FE", "$gt", "';--", "..%2F..%2Fetc", "room_" + "0" * 24]
)
async def test_what_is_unknown_is_not_found(
    client: httpx.AsyncClient, method: str, path: str, body: object, unknown: str
) -> None:
    check(await client.request(method, path.format(unknown), json=body), 404)


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/rooms?limit=0", "limit"),
        ("/api/rooms?limit=101", "limit"),
        ("/api/rooms?limit=ten", "limit"),
        ("/api/rooms?limit=" + "9" * 400, "limit"),
        ("/api/rooms?cursor=garbage", "cursor"),
        ("/api/rooms?cursor=%00", "cursor"),
        ("/api/rooms?cursor=%ED%86%A0", "cursor"),
        ("/api/rooms?cursor=WzEsMl0", "cursor"),
        ("/api/rooms?cursor=" + encode_cursor(2**63, "x"), "cursor"),
        ("/api/rooms?cursor=" + encode_cursor(-1, "x"), "cursor"),
        ("/api/rooms?cursor=" + "a" * 501, "cursor"),
        ("/api/rooms/{}/messages?cursor=garbage", "cursor"),
        ("/api/rooms/{}/messages?cursor=", "cursor"),
        ("/api/rooms/{}/messages?cursor=t٠٠٠٠٠٠٠١-٠٠٠٠", "cursor"),
        ("/api/rooms/{}/messages?limit=-1", "limit"),
    ],
)
async def test_a_bad_query_is_named(
    client: httpx.AsyncClient, room: str, path: str, field: str
) -> None:
    answer = await client.get(path.format(room))
    check(answer, 422, "invalid_field")
    assert answer.json()["error"]["details"]["field"] == field


@pytest.mark.parametrize("title", ["", "   ", "x" * 201, "a\nb", "a\0b", "\u2028", 7, None, ["a"]])
async def test_a_bad_title_is_refused(client: httpx.AsyncClient, room: str, title: object) -> None:
    check(await client.patch(f"/api/rooms/{room}", json={"title": title}), 422, "invalid_field")
    if title is not None:
        check(await client.post("/api/rooms", json={"title": title}), 422, "invalid_field")
    assert (await client.get(f"/api/rooms/{room}")).json()["title"] is None


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "키".encode(), "é".encode("latin-1")])
async def test_a_bad_idempotency_key_is_refused(
    client: httpx.AsyncClient, room: str, key: str | bytes
) -> None:
    answer = await client.post(
        f"/api/rooms/{room}/chat",
        json={"message": "안녕"},
        headers=httpx.Headers(
            [(b"Idempotency-Key", key.encode() if isinstance(key, str) else key)]
        ),
    )
    check(answer, 422, "invalid_field")
    assert answer.json()["error"]["details"]["field"] == "Idempotency-Key"


@pytest.mark.parametrize("number", ["-1", "x", "", "1.5", "9" * 400])
async def test_a_bad_event_id_is_refused(client: httpx.AsyncClient, room: str, number: str) -> None:
    run = (
        await client.post(f"/api/rooms/{room}/chat", json={"message": "안녕", "stream": False})
    ).json()["run_id"]
    path = f"/api/runs/{run}/events"
    check(await client.get(path, headers={"Last-Event-ID": number}), 422, "invalid_field")
    check(await client.get(path, params={"after": number}), 422, "invalid_field")


@pytest.mark.parametrize("keys", [[], ["k"] * 101, "t00000001-0000", [1], None])
async def test_bad_keys_are_refused(client: httpx.AsyncClient, room: str, keys: object) -> None:
    answer = await client.request("DELETE", f"/api/rooms/{room}/messages", json={"keys": keys})
    check(answer, 422, "invalid_field")


async def test_another_site_changes_nothing(client: httpx.AsyncClient) -> None:
    evil = {"Origin": "https://evil.example"}
    check(await client.post("/api/rooms", headers=evil), 403, "origin_refused")
    check(await client.get("/api/rooms", headers={"Host": "evil.example"}), 403, "host_refused")
    assert await stored(client) == ([], [])


class TestFromAnAllowedPage:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"origins": ("https://app.example.com",)})

    @pytest.mark.parametrize("origin", ["https://app.example.com", "https://App.Example.COM"])
    async def test_it_is_served(self, client: httpx.AsyncClient, origin: str) -> None:
        page = {"Origin": origin}
        asked = await client.options("/api/rooms", headers=page | PREFLIGHT)
        assert asked.status_code == 200
        answer = await client.post("/api/rooms", headers=page)
        for one in (asked, answer):
            assert one.headers["access-control-allow-origin"] == origin
        assert "X-Room-ID" in answer.headers["access-control-expose-headers"]

    @pytest.mark.parametrize(
        "refused",
        [{"Origin": "http://127.0.0.1"}, {"Access-Control-Request-Method": "BREW"}],
    )
    async def test_a_preflight_is_refused_in_the_one_form(
        self, client: httpx.AsyncClient, refused: dict[str, str]
    ) -> None:
        headers = {"Origin": "https://app.example.com"} | PREFLIGHT | refused
        check(await client.options("/api/rooms", headers=headers), 403, "origin_refused")


@bounds(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
    path=st.sampled_from(
        ["/api/rooms", "/api/rooms/x", "/api/rooms/x/chat", "/api/rooms/x/messages", "/api/tools"]
    ),
    body=st.binary(max_size=100),
    query=st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
async def test_no_input_is_a_server_error(
    client: httpx.AsyncClient, method: str, path: str, body: bytes, query: str
) -> None:
    answer = await client.request(
        method, path, content=body, params={"cursor": query, "limit": query}, headers=JSON
    )
    assert answer.status_code < 500
    if answer.status_code >= 400:
        check(answer, answer.status_code)


BROKEN = [
    b"GET /api/rooms/\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /api/rooms?cursor=\xed\xa0\x80 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"POST /api/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
    b"POST /api/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
    b"GET /api/rooms HTTP/1.1\r\nConnection: close\r\nHost: \xff\xff\r\n\r\n",
    b"GET /api/rooms HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    b"X-Request-ID: \xf0\x9f\x8d\x85\r\n\r\n",
    b"\x16\x03\x01\x00\xa5\x01\x00\x00",
    b"GET http://[ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /api/archive?q=" + b"%EA%B0%80" * 10_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"GET /" + b"a" * 3_000_000,
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X-Filler: %s\r\n" % (b"a" * 1_000) * 3_000,
]


def check_on_the_wire(answer: bytes) -> None:
    """An orderly answer, or an error in the one form."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    assert status < 500, answer
    if status >= 400:
        error = json.loads(body)["error"]
        assert set(error) - {"details"} == {"code", "message", "request_id"}
        assert f"x-request-id: {error['request_id']}" in head.decode().lower()


async def test_broken_bytes_on_the_wire_break_nothing(live_server: TomatoServer) -> None:
    host, port = live_server.address.removeprefix("http://").split(":")
    for sent in BROKEN:
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        await writer.drain()
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        check_on_the_wire(answer)
    async with httpx.AsyncClient(base_url=live_server.address) as client:
        assert (await client.get("/healthz")).status_code == 200
    assert "Traceback" not in live_server.log()
