"""An OpenAI-compatible server for tests, on a real port: it answers what a test has scripted."""

import asyncio
import json
import logging
import socket
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn
from pydantic import SecretStr
from starlette.types import Message, Receive, Scope, Send

from server.settings import Settings
from tests.services import openai_wire as wire
from tests.services.openai_wire import JSON, MODEL, Call, Reply

__all__ = ["Call", "OpenAIServer", "Reply", "openai_server"]

PATIENCE_SECONDS = 20.0

Script = Callable[[JSON], Reply]


class ScriptedLoss(Exception):
    """Makes the server close the connection."""


@dataclass
class OpenAIServer:
    """Runs on a thread of its own, so that tests with and without an event loop can use it.

    ``reply(...)`` queues answers to chat requests; when none is left, ``script`` answers. What
    came in is in ``requests`` and ``headers``, bodies and headers in the same order;
    ``disconnects`` counts the clients that went away before their answer was whole, ``holding`` the
    answers that were held so far, each until ``release()``; ``faults`` are errors of a script or of
    this server itself.
    """

    script: Script = wire.echo
    models: list[str] = field(default_factory=lambda: [MODEL])
    requests: list[JSON] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    disconnects: int = 0
    holding: int = 0
    faults: list[Exception] = field(default_factory=list)
    base_url: str = ""
    _replies: deque[Reply] = field(default_factory=deque)
    _held: list[Callable[[], object]] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _stop: Callable[[], object] | None = None
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Answer on a free port of 127.0.0.1 from now on."""
        listening = socket.create_server(("127.0.0.1", 0))
        # Else each answer of more than one write waits 40 ms for the client's acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.base_url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        self._thread = threading.Thread(target=asyncio.run, args=[self._serve(listening)])
        self._thread.start()
        with self._changed:
            assert self._changed.wait_for(lambda: self._stop, PATIENCE_SECONDS)

    def stop(self) -> None:
        """End every answer that is under way, and the server; its port refuses from now on."""
        if self._thread is not None and self._stop is not None:
            self._stop()
            self._thread.join(PATIENCE_SECONDS)
            assert not self._thread.is_alive(), "the OpenAI test server did not end"
            self._thread = self._stop = None

    def asked_by(self, settings: Settings, **more: Any) -> Settings:
        """``settings`` of a server whose model is this one, with ``more`` of them changed."""
        ours = {
            "model": "openai:test",
            "openai_api_key": SecretStr("key"),
            "openai_base_url": self.base_url,
        }
        return settings.model_copy(update=ours | more)

    def reply(self, *replies: Reply) -> None:
        """Queue answers for the next chat requests."""
        self._replies.extend(replies)

    async def received(self, count: int = 1) -> None:
        """Wait until so many chat requests have come."""
        await self._until(lambda: len(self.requests) >= count, f"{count} requests")

    async def disconnected(self, count: int = 1) -> None:
        """Wait until so many clients have gone away early."""
        await self._until(lambda: self.disconnects >= count, f"{count} disconnects")

    async def held(self, count: int = 1) -> None:
        """Wait until so many answers have come to where they are held."""
        await self._until(lambda: self.holding >= count, f"{count} held answers")

    def release(self) -> None:
        """Let the answers that are held go on; later ones are held again."""
        while self._held:
            self._held.pop()()

    async def _until(self, ready: Callable[[], bool], what: str) -> None:
        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(ready, PATIENCE_SECONDS)

        assert await asyncio.to_thread(wait), f"no {what} in {PATIENCE_SECONDS} s"

    async def _serve(self, listening: socket.socket) -> None:
        self._closing = asyncio.Event()
        config = uvicorn.Config(
            self._app, interface="asgi3", lifespan="off", log_config=None, access_log=False
        )
        server = uvicorn.Server(config)
        # Each scripted loss of a connection would be told as a fault of the application.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        loop = asyncio.get_running_loop()

        def close() -> None:
            server.should_exit = True
            self._closing.set()

        with self._changed:
            self._stop = lambda: loop.call_soon_threadsafe(close)
            self._changed.notify_all()
        with listening:
            await server.serve(sockets=[listening])

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._route(scope, receive, send)
        except Exception as error:
            if not isinstance(error, ScriptedLoss):
                self.faults.append(error)
            raise

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return
        match scope["method"], scope["path"]:
            case "GET", "/v1/models":
                await _send_json(send, 200, wire.models(self.models))
            case "POST", "/v1/embeddings":
                await _send_json(send, 200, wire.embeddings(json.loads(body)))
            case "POST", "/v1/chat/completions":
                request = json.loads(body)
                reply = self._take(request, scope)
                await self._while_listened_to(self._answer(reply, request, send), receive)
            case _:
                await _send_json(send, 404, wire.failure(Reply(status=404)))

    def _take(self, request: JSON, scope: Scope) -> Reply:
        with self._changed:
            self.requests.append(request)
            self.headers.append({name.decode(): one.decode() for name, one in scope["headers"]})
            self._changed.notify_all()
        return self._replies.popleft() if self._replies else self.script(request)

    async def _answer(self, reply: Reply, request: JSON, send: Send) -> None:
        if reply.hang:
            await self._closing.wait()
        await asyncio.sleep(reply.delay)
        if reply.status >= 400 and reply.raw is None:
            await _send_json(send, reply.status, wire.failure(reply), reply.headers)
            return
        streamed = bool(request.get("stream"))
        kind = "text/event-stream" if streamed else "application/json"
        await send(_start(reply.status, {"content-type": kind, **reply.headers}))
        pieces = _pieces(reply, request)
        hold_at = None if reply.hold_at is None else reply.hold_at % len(pieces)
        for number, piece in enumerate(pieces):
            if number == hold_at:
                await self._hold()
            if number == reply.cut_after:
                raise ScriptedLoss
            if number == reply.hang_after:
                await self._closing.wait()
            if number and reply.pause:
                await asyncio.sleep(reply.pause)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _hold(self) -> None:
        loop, released = asyncio.get_running_loop(), asyncio.Event()
        with self._changed:
            self._held.append(lambda: loop.call_soon_threadsafe(released.set))
            self.holding += 1
            self._changed.notify_all()
        await released.wait()

    async def _while_listened_to(self, work: Coroutine[Any, Any, None], receive: Receive) -> None:
        """Answer until it is done, the client goes away or the server ends."""
        answering, leaving, _ = tasks = [
            asyncio.ensure_future(one) for one in (work, _gone(receive), self._closing.wait())
        ]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done() and leaving.done():
            with self._changed:
                self.disconnects += 1
                self._changed.notify_all()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        if not answering.cancelled():
            answering.result()


@pytest.fixture
def openai_server() -> Iterator[OpenAIServer]:
    """An OpenAI-compatible server of this test alone, that echoes until it is told better."""
    server = OpenAIServer()
    server.start()
    yield server
    server.stop()
    assert not server.faults


def _pieces(reply: Reply, request: JSON) -> list[bytes]:
    if reply.raw is not None:
        return list(reply.raw)
    if request.get("stream"):
        return wire.stream(reply, request)
    return [json.dumps(wire.completion(reply, request), ensure_ascii=False).encode()]


def _start(status: int, headers: Mapping[str, str]) -> Message:
    sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http.response.start", "status": status, "headers": sent}


async def _send_json(
    send: Send, status: int, data: JSON, headers: Mapping[str, str] | None = None
) -> None:
    await send(_start(status, {"content-type": "application/json", **(headers or {})}))
    await send({"type": "http.response.body", "body": json.dumps(data).encode()})


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None if its client went away, killed perhaps, before it was sent."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
