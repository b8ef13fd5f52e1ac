"""Events as a `text/event-stream` response; knows the wire, nothing of runs or rooms."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

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


class EventStream(Response):
    """Sends events as they come, and a comment every so often to keep the connection.

    A client that goes away, or ``until`` when it yields, ends the following of the events, not
    what makes them.
    """

    def __init__(
        self,
        events: AsyncIterator[Event],
        *,
        until: AsyncIterator[None] | None = None,
        encode: Callable[[Event], bytes] = encode,
        keep_alive_seconds: float = KEEP_ALIVE_SECONDS,
    ) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._events = events
        self._until = until
        self._encode = encode
        self._keep_alive_seconds = keep_alive_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )
        sending = asyncio.create_task(self._send_events(send))
        beside = [
            asyncio.create_task(_gone(receive)),
            asyncio.create_task(self._send_comments(send)),
        ]
        over = None
        if self._until is not None:
            over = asyncio.ensure_future(anext(self._until, None))
            beside.append(over)
        try:
            await asyncio.wait([sending, *beside], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in beside:
                task.cancel()
            if not sending.done():
                sending.cancel()
            await asyncio.gather(sending, *beside, return_exceptions=True)
        if over is not None and over.done() and not over.cancelled():
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        elif not sending.cancelled():
            sending.result()

    async def _send_events(self, send: Send) -> None:
        try:
            async for event in self._events:
                body = self._encode(event)
                await send({"type": "http.response.body", "body": body, "more_body": True})
        finally:
            if isinstance(self._events, AsyncGenerator):
                await self._events.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_comments(self, send: Send) -> None:
        while True:
            await asyncio.sleep(self._keep_alive_seconds)
            await send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
