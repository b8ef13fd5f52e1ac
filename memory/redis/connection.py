"""A connection to Redis or Valkey as the stores use it."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import hiredis
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.exceptions import ConnectionError, InvalidResponse, TimeoutError

from memory.errors import Invalid
from memory.redis.faults import mapped_errors

WAIT_SECONDS = 1.0
"""How long one answer may take; a turn asks several times and must not wait long for a copy.

A command that waits on the server has to wait for less.
"""

Client = Redis
"""What the stores on Redis are handed."""

_BLOCKING = frozenset(("XREAD", "SUBSCRIBE", "PSUBSCRIBE"))


class _Again(Retry):
    """What is asked by the library's own ways, pipelines above all, is asked once more.

    The server may have been started anew since a connection was put back into the pool. So all
    that the stores ask has to be safe to be asked twice.
    """

    def __init__(self) -> None:
        super().__init__(NoBackoff(), 1, (ConnectionError,))

    def __deepcopy__(self, _: object) -> "_Again":
        return self  # one for all connections, so that all can be told to end

    def end(self) -> None:
        """From here on nothing is asked again, not even what is under way."""
        self._retries = 0


class Gathering(Redis):
    """Redis' own client, whose commands leave together where they are asked for together.

    Each write and each answer costs the system more than the command itself. So what is asked for
    in one step of the event loop, or while an answer is awaited, goes in one write over one
    connection, whoever asks; a command that fails fails alone. Whatever is asked is asked once more
    if its connection was lost.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._packer = HiredisRespSerializer()
        self._connection: Any = None
        self._shared: SharedConnection | None = None
        self._opening: asyncio.Task[SharedConnection] | None = None
        self._closed = False
        self._again = _Again()
        self.set_retry(self._again)

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close all connections; what is under way, or is asked from here on, is refused."""
        self._closed = True
        self._again.end()
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        await super().aclose(close_connection_pool)

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        if args[0] in _BLOCKING and not self._closed:
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        # Packed here, so that what can't be sent is refused to who asked for it alone.
        packed = b"".join(self._packer.pack(*args))
        try:
            reply = await (await self._open()).ask(packed)
        except ConnectionError:  # the server may have been started anew since the last time
            reply = await (await self._open()).ask(packed)
        return await self.parse_response(cast("Any", _Answered(reply)), args[0], **options)

    async def _open(self) -> "SharedConnection":
        if self._closed:
            raise ConnectionError("the client is closed")
        shared = self._shared
        if shared is not None and not shared.closed:
            return shared
        if self._opening is None:
            self._opening = asyncio.create_task(self._connect())
        return await asyncio.shield(self._opening)

    async def _connect(self) -> "SharedConnection":
        try:
            async with asyncio.timeout(WAIT_SECONDS) as late:
                if self._connection is None:
                    self._connection = await self.connection_pool.get_connection()  # type: ignore[no-untyped-call]
                else:
                    await self._connection.disconnect(nowait=True)
                    await self._connection.connect()
        except asyncio.CancelledError as error:
            if self._closed:  # told to those who wait for it, whom nobody has cancelled
                raise ConnectionError("the client is closed") from error
            raise
        except OSError as error:
            if late.expired():
                raise TimeoutError("no answer in time") from error
            raise
        finally:
            self._opening = None
        # Greeted by the library, from here on it is ours.
        transport, parser = self._connection._writer.transport, self._connection._parser
        self._shared = SharedConnection(transport, parser.parse_error)
        return self._shared


class _Answered:
    """A connection that has but one reply, for the library to make of it what it is."""

    def __init__(self, reply: Any) -> None:
        self._reply = reply

    async def read_response(self, **_: Any) -> Any:
        if isinstance(self._reply, Exception):
            raise self._reply
        return self._reply


class SharedConnection(asyncio.Protocol):
    """A connection on which many ask; the answers come in the order of the commands.

    Once one is late, or the connection is lost, whoever waits is told so.
    """

    def __init__(self, transport: asyncio.Transport, error_of: Callable[[str], Exception]) -> None:
        self.closed = False
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader(protocolError=InvalidResponse, replyError=error_of)
        self._held: list[bytes] = []
        self._asked: deque[asyncio.Future[Any]] = deque()
        self._sent_at = 0.0
        self._watch: asyncio.TimerHandle | None = None
        self._before = transport.get_protocol()
        transport.set_protocol(self)

    def ask(self, packed: bytes) -> "asyncio.Future[Any]":
        """Send a command; its reply, which may be an error of the server.

        ConnectionError or TimeoutError if there is none.
        """
        if self.closed:
            raise ConnectionError("the connection was lost")
        reply = self._loop.create_future()
        if not self._asked:
            self._loop.call_soon(self._send)
        self._held.append(packed)
        self._asked.append(reply)
        return reply

    def data_received(self, data: bytes) -> None:
        try:
            self._reader.feed(data)
            while (reply := self._reader.gets()) is not False:
                if isinstance(reply, hiredis.PushNotification):
                    continue
                waiting = self._asked.popleft()
                if not waiting.done():  # else nobody waits for it any more
                    waiting.set_result(reply)
            if self._asked and len(self._asked) == len(self._held):
                self._loop.call_soon(self._send)
        except (InvalidResponse, IndexError) as error:
            self._close(ConnectionError(f"the server does not speak Redis' language: {error}"))

    def connection_lost(self, error: Exception | None) -> None:
        self._before.connection_lost(error)
        self._close(ConnectionError("the connection was lost"))

    def _send(self) -> None:
        held, self._held = self._held, []
        if self.closed:
            return
        self._transport.write(b"".join(held))
        # The time counts from here: what was not sent, since the loop was busy, can't be answered.
        self._sent_at = self._loop.time()
        if self._watch is None:
            self._watch = self._loop.call_later(WAIT_SECONDS, self._look)

    def _look(self) -> None:
        """Give up once what was sent last has waited too long; the next leave after its answers."""
        self._watch = None
        if len(self._asked) == len(self._held):
            return
        left = self._sent_at + WAIT_SECONDS - self._loop.time()
        if left > 0:
            self._watch = self._loop.call_later(left, self._look)
        else:
            self._close(TimeoutError("no answer in time"))

    def _close(self, error: Exception) -> None:
        self.closed = True
        self._transport.abort()
        while self._asked:
            waiting = self._asked.popleft()
            if not waiting.done():
                waiting.set_exception(error)


@asynccontextmanager
async def open_redis(url: str) -> AsyncIterator[Redis]:
    """A client that hands out bytes.

    Raises Invalid for a URL that is none, Unavailable if nothing answers.
    """
    try:
        client = Gathering.from_url(
            url, socket_timeout=WAIT_SECONDS, socket_connect_timeout=WAIT_SECONDS
        )
    except ValueError as error:
        raise Invalid.field("REDIS_URL", "it must be a redis:// or rediss:// URL") from error
    try:
        with mapped_errors():
            await client.ping()
        yield client
    finally:
        await client.aclose()
