"""Strict JSON: what is read, what is refused, and that nothing else ever comes out."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.types import Message

from server.bodies import MAX_DEPTH, JSONRequest, parse
from server.errors import APIError

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@given(values)
def test_what_json_can_say_is_read_as_it_was_said(value: Any) -> None:
    try:
        body = json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return
    assert parse(body) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    refused = None
    try:
        parse(body)
    except APIError as error:
        refused = (error.status_code, error.code)
    assert refused in (None, (400, "malformed_json"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": }',
        b"{'a': 1}",
        b'{"a": 1} {"b": 2}',
        b'"\xff"',
        b"\xff\xfe{\x00}\x00",
        '﻿{"a": 1}'.encode(),
        b'{"a": NaN}',
        b"[Infinity]",
        b"[-Infinity]",
        b'{"a": 1, "a": 2}',
        b'{"x": {"a": 1, "\\u0061": 2}}',
        b'"\\ud800"',
        b'{"\\udfff": 1}',
        b'"\n"',
        nested(MAX_DEPTH + 2),
        nested(100_000),
        b'{"a":' * 100_000,
        b"9" * 5_000,
    ],
)
def test_what_is_not_strict_json_is_malformed(body: bytes) -> None:
    with pytest.raises(APIError) as refused:
        parse(body)
    assert (refused.value.status_code, refused.value.code) == (400, "malformed_json")


def test_the_deepest_allowed_and_huge_numbers_are_read() -> None:
    assert json.dumps(parse(nested(MAX_DEPTH + 1))) == nested(MAX_DEPTH + 1).decode()
    assert parse(b"123456789012345678901234567890") == 123456789012345678901234567890
    assert parse(b'"\\ud55c\\uae00 \\ud83c\\udf45"') == "한글 🍅"


def request(*chunks: bytes, **headers: str) -> JSONRequest:
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        return messages.pop(0)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return JSONRequest(Request({"type": "http", "headers": raw}, receive), max_bytes=10)


async def test_a_body_in_pieces_is_read_once() -> None:
    asked = request(b'{"a"', b": 1}", content_type="application/json")
    assert await asked.json() == {"a": 1}
    assert await asked.json() == {"a": 1}


async def test_no_body_needs_no_type() -> None:
    assert await request().body() == b""


@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"'],
)
async def test_json_in_utf8_may_come(kind: str) -> None:
    assert await request(b"{}", content_type=kind).json() == {}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content_type": "text/plain"},
        {"content_type": "application/jsonp"},
        {"content_type": "multipart/form-data; boundary=x"},
        {"content_type": "application/json; charset=euc-kr"},
        {"content_type": "application/json", "content_encoding": "gzip"},
    ],
)
async def test_another_type_is_unsupported(headers: dict[str, str]) -> None:
    with pytest.raises(APIError) as refused:
        await request(b"{}", **headers).body()
    assert (refused.value.status_code, refused.value.code) == (415, "unsupported_content_type")


@pytest.mark.parametrize(
    "asked",
    [
        request(b"[", b"1" * 5, b"1" * 5, content_type="application/json"),
        request(b"{}", content_type="application/json", content_length="11"),
        request(b"{}", content_type="application/json", content_length="9" * 500),
    ],
)
async def test_a_body_over_the_limit_is_too_large_however_it_comes(asked: JSONRequest) -> None:
    with pytest.raises(APIError) as refused:
        await asked.body()
    assert (refused.value.status_code, refused.value.code) == (413, "too_large")
    assert refused.value.details == {"max_bytes": 10}
