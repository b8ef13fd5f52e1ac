"""The event stream on the wire."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from memory.records import Event
from server.client import read_events
from server.sse import EventStream, StreamsOutside, encode

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.integers(1, 2**40), st.dictionaries(texts, texts, max_size=4))
def test_what_is_sent_is_read_again(number: int, data: dict[str, str]) -> None:
    wire = encode(Event(number, "token", data)).decode()
    assert wire.count("\n") == 4
    (event,) = read_events(wire.split("\n"))
    assert (event.id, event.name, event.data) == (number, "token", data)


def test_an_event_is_three_lines() -> None:
    event = Event(7, "token", {"text": "한\n줄\r\n둘"})
    assert encode(event) == 'id: 7\nevent: token\ndata: {"text":"한\\n줄\\r\\n둘"}\n\n'.encode()


class Wire:
    """The other end of a response: what came, and whether the client is still there."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.left = asyncio.Event()
        self.got_body = asyncio.Event()

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.messages.append(message)
        if message.get("body"):
            self.got_body.set()


async def two() -> AsyncIterator[Sequence[Event]]:
    yield [Event(1, "run", {"run_id": "r"})]
    yield [Event(2, "token", {"text": "a"}), Event(3, "done", {"run_id": "r"})]


async def test_a_stream_has_its_headers_its_events_and_an_end() -> None:
    wire = Wire()
    await EventStream(two())({"type": "http"}, wire.receive, wire.send)
    headers = dict(wire.messages[0]["headers"])
    assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert headers[b"cache-control"] == b"no-cache"
    assert headers[b"x-accel-buffering"] == b"no"
    assert b"content-length" not in headers
    names = [event.name for event in read_events(wire.body.decode().split("\n"))]
    assert names == ["run", "token", "done"]
    assert len(wire.messages) == 4  # what comes together goes in one piece
    assert wire.messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_quiet_stream_is_kept_alive_by_comments() -> None:
    wire, quiet = Wire(), asyncio.Event()

    async def waiting() -> AsyncIterator[Sequence[Event]]:
        await quiet.wait()
        yield [Event(1, "done", {})]

    stream = EventStream(waiting(), keep_alive_seconds=0.001)
    sending = asyncio.create_task(stream({"type": "http"}, wire.receive, wire.send))
    await wire.got_body.wait()
    quiet.set()
    await sending
    assert wire.body.startswith(b": keep-alive\n\n")
    assert b"event: done" in wire.body


async def test_a_client_that_goes_away_ends_the_following() -> None:
    wire, ended = Wire(), asyncio.Event()

    async def endless() -> AsyncIterator[Sequence[Event]]:
        try:
            yield [Event(1, "run", {})]
            await asyncio.Event().wait()
        finally:
            ended.set()

    sending = asyncio.create_task(EventStream(endless())({"type": "http"}, wire.receive, wire.send))
    await wire.got_body.wait()
    wire.left.set()
    await sending
    assert ended.is_set()


async def test_a_session_that_is_over_ends_the_stream_in_order() -> None:
    wire, ends = Wire(), list[Callable[[], None]]()

    @contextmanager
    def session(over: Callable[[], None]) -> Iterator[None]:
        ends.append(over)
        yield
        ends.clear()

    async def endless() -> AsyncIterator[Sequence[Event]]:
        yield [Event(1, "run", {})]
        await asyncio.Event().wait()

    stream = EventStream(endless(), session=session)
    sending = asyncio.create_task(stream({"type": "http"}, wire.receive, wire.send))
    await wire.got_body.wait()
    for over in ends * 2:
        over()
    await sending
    assert not ends
    assert wire.messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


async def test_a_follower_that_breaks_is_not_hidden() -> None:
    wire = Wire()

    async def broken() -> AsyncIterator[Sequence[Event]]:
        yield [Event(1, "run", {})]
        raise RuntimeError("the store went away")

    with pytest.raises(RuntimeError, match="went away"):
        await EventStream(broken())({"type": "http"}, wire.receive, wire.send)


async def test_events_are_sent_when_all_around_the_route_has_returned() -> None:
    wire, order = Wire(), list[str]()

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            message["headers"].append((b"x-marked", b"yes"))
            await send(message)

        await EventStream(told())(scope, receive, marked)
        order.append("returned")

    async def told() -> AsyncIterator[Sequence[Event]]:
        order.append("told")
        yield [Event(1, "done", {})]

    await StreamsOutside(guarded)({"type": "http"}, wire.receive, wire.send)
    assert order == ["returned", "told"]
    assert (b"x-marked", b"yes") in wire.messages[0]["headers"]
    assert wire.body.startswith(b"id: 1\nevent: done\n")
    assert wire.messages[-1] == {"type": "http.response.body", "body": b"", "more_body": False}


def test_comments_and_half_an_event_are_passed_over() -> None:
    lines = [
        ": keep-alive",
        "",
        "id: 3",
        "event: done",
        f"data: {orjson.dumps({}).decode()}",
        "",
        "id: 4",
        "event: token",
    ]
    assert [(event.id, event.name) for event in read_events(lines)] == [(3, "done")]
