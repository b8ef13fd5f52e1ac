"""A typed client of the HTTP interface, blocking or async, from one definition of its calls.

>>> with Client("http://127.0.0.1:8000") as tomato:
...     room = tomato.create_room()
...     for event in tomato.chat(room.id, "hello"):
...         print(event.name, event.data)
"""

import asyncio
import json
import secrets
import time
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from types import TracebackType
from typing import Any, Generic, ParamSpec, Self, TypeVar, cast, overload

import httpx
from pydantic import TypeAdapter

from server import calls
from server.calls import Call

P = ParamSpec("P")
T = TypeVar("T")

# The server's keep-alive comments come every 15 s: a stream that is silent for longer is cut.
TIMEOUT = httpx.Timeout(60, connect=10)
STREAM_TIMEOUT = httpx.Timeout(45, connect=10)
PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0)


class Refused(Exception):
    """The server refused; ``str(error)`` is its sentence, ``code`` its word for it."""

    def __init__(
        self, status: int, code: str, message: str, details: Mapping[str, Any], request_id: str
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = dict(details)
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class ServerSent:
    """One event of a run's stream."""

    id: int
    name: str
    data: dict[str, Any]


@dataclass(slots=True)
class EventReader:
    """Lines of a stream to events; comments are passed over."""

    _fields: dict[str, str] = field(default_factory=dict)

    def take(self, line: str) -> ServerSent | None:
        """The event that this line completes, if any."""
        name, _, value = line.partition(":")
        if name:
            self._fields[name] = value.removeprefix(" ")
            return None
        fields, self._fields = self._fields, {}
        if line or "event" not in fields:
            return None
        return ServerSent(int(fields["id"]), fields["event"], json.loads(fields["data"]))


def read_events(lines: Iterable[str]) -> Iterator[ServerSent]:
    """The events of a whole stream."""
    reader = EventReader()
    return (event for line in lines if (event := reader.take(line)))


@dataclass(slots=True)
class Following:
    """Where the reading of a run's events stands, so that a cut stream goes on where it was."""

    first: Call[None]
    run_id: str | None = None
    last_id: int = 0
    finished: bool = False
    _failures: int = 0
    _reader: EventReader = field(default_factory=EventReader)

    def call(self) -> Call[None]:
        """The request that brings the rest."""
        if self.run_id is None:
            return self.first
        return calls.events(self.run_id, self.last_id)

    def take(self, line: str) -> ServerSent | None:
        """The event that this line of the stream completes, if any."""
        event = self._reader.take(line)
        if event is not None:
            self.last_id = event.id
            self.run_id = self.run_id or event.data.get("run_id")
            self.finished = event.name == "done"
            self._failures = 0
        return event

    def pause(self, error: httpx.TransportError | None) -> float:
        """Seconds to wait before the next try; raises the error after the last."""
        self._reader = EventReader()  # half an event may have come
        if self._failures >= len(PAUSES):
            raise error or httpx.RemoteProtocolError("the stream ends before its last event")
        self._failures += 1
        return PAUSES[self._failures - 1]


def new_key() -> str:
    """A key under which a message runs once, however often it is sent."""
    return secrets.token_hex(16)


class Endpoint(Generic[P, T]):
    """A call as a method of both clients: one answers, the other is awaited."""

    def __init__(self, make: Callable[P, Call[T]]) -> None:
        self._make = make

    @overload
    def __get__(self, client: "Client", kind: type) -> Callable[P, T]: ...

    @overload
    def __get__(self, client: "AsyncClient", kind: type) -> Callable[P, Awaitable[T]]: ...

    def __get__(self, client: Any, kind: type) -> Callable[P, Any]:
        def ask(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client.ask(self._make(*args, **kwargs))

        return ask


class Endpoints:
    """What both clients can ask for; see server/calls.py for each."""

    register = Endpoint(calls.register)
    login = Endpoint(calls.login)
    me = Endpoint(calls.me)
    logout = Endpoint(calls.logout)
    logout_all = Endpoint(calls.logout_all)
    delete_account = Endpoint(calls.delete_account)
    create_room = Endpoint(calls.create_room)
    rooms = Endpoint(calls.rooms)
    room = Endpoint(calls.room)
    rename_room = Endpoint(calls.rename_room)
    make_title = Endpoint(calls.make_title)
    delete_room = Endpoint(calls.delete_room)
    messages = Endpoint(calls.messages)
    delete_messages = Endpoint(calls.delete_messages)
    context = Endpoint(calls.context)
    answer = Endpoint(calls.answer)
    cancel = Endpoint(calls.cancel)
    tools = Endpoint(calls.tools)
    draft = Endpoint(calls.draft)
    save = Endpoint(calls.save)
    archive = Endpoint(calls.archive)
    search = Endpoint(calls.search)
    entry = Endpoint(calls.entry)
    change_entry = Endpoint(calls.change_entry)
    delete_entry = Endpoint(calls.delete_entry)
    categories = Endpoint(calls.categories)


class Client(Endpoints):
    """The blocking client. Raises Refused, or httpx.TransportError where no answer comes."""

    def __init__(self, address: str, *, sid: str | None = None) -> None:
        self._http = httpx.Client(**_options(address, sid))

    def ask(self, call: Call[T]) -> T:
        return _answer(call, self._http.send(_request(self._http, call)))

    def chat(
        self, room_id: str, message: str, tools: Sequence[str] | None = None
    ) -> Iterator[ServerSent]:
        """Ask, and follow the answer to ``done``, through cut connections; it runs once."""
        return self.follow(Following(calls.chat(room_id, message, tools, new_key())))

    def events(self, run_id: str, after: int = 0) -> Iterator[ServerSent]:
        """The rest of a run's events."""
        return self.follow(Following(calls.events(run_id, after), run_id, after))

    def follow(self, following: Following) -> Iterator[ServerSent]:
        while not following.finished:
            error: httpx.TransportError | None = None
            try:
                response = self._http.send(_stream(self._http, following.call()), stream=True)
                try:
                    if response.is_error:
                        response.read()
                        raise _refusal(response)
                    for line in response.iter_lines():
                        if event := following.take(line):
                            yield event
                finally:
                    response.close()
            except httpx.TransportError as lost:
                error = lost
            if not following.finished:
                time.sleep(following.pause(error))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._http.close()


class AsyncClient(Endpoints):
    """The same, awaited."""

    def __init__(self, address: str, *, sid: str | None = None) -> None:
        self._http = httpx.AsyncClient(**_options(address, sid))

    async def ask(self, call: Call[T]) -> T:
        return _answer(call, await self._http.send(_request(self._http, call)))

    def chat(
        self, room_id: str, message: str, tools: Sequence[str] | None = None
    ) -> AsyncIterator[ServerSent]:
        """Ask, and follow the answer to ``done``, through cut connections; it runs once."""
        return self.follow(Following(calls.chat(room_id, message, tools, new_key())))

    def events(self, run_id: str, after: int = 0) -> AsyncIterator[ServerSent]:
        """The rest of a run's events."""
        return self.follow(Following(calls.events(run_id, after), run_id, after))

    async def follow(self, following: Following) -> AsyncIterator[ServerSent]:
        while not following.finished:
            error: httpx.TransportError | None = None
            try:
                response = await self._http.send(_stream(self._http, following.call()), stream=True)
                try:
                    if response.is_error:
                        await response.aread()
                        raise _refusal(response)
                    async for line in response.aiter_lines():
                        if event := following.take(line):
                            yield event
                finally:
                    await response.aclose()
            except httpx.TransportError as lost:
                error = lost
            if not following.finished:
                await asyncio.sleep(following.pause(error))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()


class _NoCookies(CookieJar):
    """The sid that a client was given is the only one that it sends."""

    def set_cookie(self, cookie: Any) -> None:
        """Keep none."""


def _options(address: str, sid: str | None) -> dict[str, Any]:
    headers = {} if sid is None else {"Authorization": f"Bearer {sid}"}
    return {
        "base_url": address,
        "timeout": TIMEOUT,
        "trust_env": False,
        "headers": headers,
        "cookies": _NoCookies(),
    }


def _request(http: httpx.Client | httpx.AsyncClient, call: Call[Any]) -> httpx.Request:
    return http.build_request(
        call.method, call.path, json=call.json, params=call.params, headers=call.headers
    )


def _stream(http: httpx.Client | httpx.AsyncClient, call: Call[Any]) -> httpx.Request:
    request = _request(http, call)
    request.extensions["timeout"] = STREAM_TIMEOUT.as_dict()
    return request


def _answer(call: Call[T], response: httpx.Response) -> T:
    if response.is_error:
        raise _refusal(response)
    if call.answer is None:
        return cast(T, None)
    return cast(T, TypeAdapter(call.answer).validate_json(response.content))


def _refusal(response: httpx.Response) -> Refused:
    try:
        error = response.json()["error"]
        return Refused(
            response.status_code,
            error["code"],
            error["message"],
            error.get("details", {}),
            error["request_id"],
        )
    except (ValueError, KeyError, TypeError):
        words = f"The server answered {response.status_code}."
        return Refused(response.status_code, "unreadable", words, {}, "")
