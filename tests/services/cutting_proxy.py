"""A TCP proxy before a server, which cuts connections after so many bytes of an answer."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class CuttingProxy:
    """``cuts`` says, for each coming connection, after how many bytes it is cut; then none is."""

    target: str
    cuts: deque[int] = field(default_factory=deque)
    made: int = 0
    address: str = ""
    _ends: set[asyncio.StreamWriter] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["CuttingProxy"]:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.address = f"http://127.0.0.1:{port}"
        async with server:
            yield self
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut_all(self) -> None:
        """Cut every connection that is open now."""
        for end in self._ends:
            end.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        place = urlsplit(self.target)
        assert place.hostname is not None
        there, back = await asyncio.open_connection(place.hostname, place.port)
        self.made += 1
        ends = {writer, back}
        self._ends |= ends
        left = self.cuts.popleft() if self.cuts else None
        up = asyncio.create_task(_pump(reader, back, None))
        try:
            await _pump(there, writer, left)
        finally:
            up.cancel()
            await asyncio.gather(up, return_exceptions=True)
            self._ends -= ends
            for end in ends:
                end.transport.abort()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, left: int | None
) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536 if left is None else max(left, 0)):
            writer.write(data)
            await writer.drain()
            if left is not None:
                left -= len(data)
