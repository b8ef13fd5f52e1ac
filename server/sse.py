"""Events as a `text/event-stream` response; knows the wire, nothing of runs or rooms."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress

import orjson
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from memory.events import DONE, ERROR, MESSAGE, NOTICE, RUN, TOKEN, TOOL_END, TOOL_START
from memory.records import Event

KEEP_ALIVE_SECONDS = 15.0
KEEP_ALIVE = b": keep-alive\n\n"

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}


CONTENT = {
    "text/event-stream": {
        "schema": {
            "title": "Event",
            "description": "One event of the stream; its data is JSON.",
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "Grows; send it as `Last-Event-ID`."},
                "event": {
                    "type": "string",
                    "enum": [RUN, TOKEN, TOOL_START, TOOL_END, NOTICE, MESSAGE, ERROR, DONE],
                },
                "data": {"type": "string", "examples": ['{"text": "Hello"}']},
            },
            "required": ["id", "event", "data"],
        }
    }
}
"""What OpenAPI says of a stream of events."""


def encode(event: Event) -> bytes:
    """An event on the wire; JSON keeps its data on one line."""
    return b"id: %d\nevent: %s\ndata: %s\n\n" % (
        event.id,
        event.name.encode(),
        orjson.dumps(event.data, default=dict),
    )


Watched = Callable[[Callable[[], None]], AbstractContextManager[None]]
"""Given a callback, a context within which it is called when the session is over."""


class EventStream(Response):
    """Sends events as they come, those that come together in one piece, and a comment every so
    often to keep the connection.

    A client that goes away, or a ``session`` that is over, ends the following of the events, not
    what makes them.
    """

    def __init__(
        self,
        events: AsyncIterator[Sequence[Event]],
        *,
        session: Watched | None = None,
        encode: Callable[[Event], bytes] = encode,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._events = events
        self._session = session
        self._encode = encode
        self._keep_alive_seconds = keep_alive_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        if HANDED_OVER in scope:
            scope[HANDED_OVER].append(self)
        else:
            await self.stream(receive, send)

    async def stream(self, receive: Receive, send: Send) -> None:
        """Send the events; the headers are sent."""
        loop = asyncio.get_running_loop()
        following = asyncio.timeout(None)

        def leave() -> None:
            with suppress(RuntimeError):  # it has ended already
                following.reschedule(loop.time())

        listening = asyncio.create_task(_gone(receive, leave))
        alive = _KeptAlive(send, self._keep_alive_seconds)
        with nullcontext() if self._session is None else self._session(leave):
            try:
                async with following:
                    await self._send_events(send)
            except TimeoutError:
                if not following.expired():
                    raise
            finally:
                listening.cancel()
                await alive.stop()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_events(self, send: Send) -> None:
        try:
            async for events in self._events:
                if body := b"".join(map(self._encode, events)):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
        finally:
            if isinstance(self._events, AsyncGenerator):
                await self._events.aclose()


HANDED_OVER = "tomato.streams"


class StreamsOutside:
    """Pure ASGI: sends a stream's events when all that stood around its route has returned.

    What routes and guards hold for a request is more than its stream takes. They have seen its
    headers and have nothing to do with its events.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        streams: list[EventStream] = []
        # A scope of their own, which goes with them.
        await self._app({**scope, HANDED_OVER: streams}, receive, send)
        for stream in streams:
            await stream.stream(receive, send)


class _KeptAlive:
    """Comments at intervals; a task stands only while one is sent."""

    def __init__(self, send: Send, seconds: float) -> None:
        self._send = send
        self._seconds = seconds
        self._sending: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(seconds, self._comment)

    async def stop(self) -> None:
        self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.gather(self._sending, return_exceptions=True)

    def _comment(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._seconds, self._comment)
        if self._sending is None or self._sending.done():
            self._sending = loop.create_task(self._send_comment())

    async def _send_comment(self) -> None:
        await self._send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})


async def _gone(receive: Receive, leave: Callable[[], None]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    leave()
