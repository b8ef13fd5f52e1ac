"""The web server around the application: its socket, its signals, its orderly end."""

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

import uvicorn
from fastapi import FastAPI

from memory.errors import Unavailable
from server.app import create_app
from server.logs import configure_logging
from server.opening import Opening
from server.settings import Settings, read_settings
from server.wire import Protocol

GC_THRESHOLDS = (100_000, 20, 50)


class ListenError(Exception):
    """The address can't be used; ``str(error)`` is one sentence that says why."""


def listen(host: str, port: int) -> socket.socket:
    """A socket on this address; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ListenError(
            f"Can't listen on {host} port {port}: {reason}; choose another with --host or --port."
        ) from error


class Server(uvicorn.Server):
    """Serves one application, and ends its runs before its connections."""

    def __init__(self, app: FastAPI, on_listening: Callable[[], None]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="none",
                http=Protocol,
                ws="none",
                lifespan="off",
                log_config=None,  # they go where ours go
                log_level="warning",
                access_log=False,
                forwarded_allow_ips=app.state.settings.trusted_proxies,
                server_header=False,
                timeout_graceful_shutdown=int(app.state.settings.grace_seconds) + 5,
            )
        )
        self._app = app
        self._opening: Opening = app.state.opening
        self._opening.on_failure = self.stop
        self._on_listening = on_listening

    def stop(self) -> None:
        """Begin an orderly end; from any thread."""
        self.should_exit = True

    async def live(self, listener: socket.socket) -> None:
        """Open the application, serve it until it is told to stop, close it."""
        async with self._app.router.lifespan_context(self._app):
            settling = asyncio.create_task(self._settle())
            await self.serve([listener])
            settling.cancel()
        if self._opening.state == "down":
            raise Unavailable("The agent could not be started; the log above says why.")

    async def _settle(self) -> None:
        """Once all is loaded, spare the garbage collector what lives as long as the process.

        Looking through the libraries' objects again and again took a quarter of each turn.
        """
        with suppress(Unavailable):
            await self._opening.resources()
            gc.freeze()
            gc.set_threshold(*GC_THRESHOLDS)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # Streams end when their runs do; only then can the connections close by themselves.
        await asyncio.gather(self._opening.end_runs(), super().shutdown(sockets))


async def serve(
    settings: Settings, listener: socket.socket, on_listening: Callable[[], None]
) -> None:
    """Serve until a signal comes.

    Raises memory.errors.StoreError if the data can't be used, before anything is answered.
    """
    configure_logging(as_json=settings.logs_json, level=settings.least_log_level)
    server = Server(create_app(settings), on_listening)
    for number in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises a signal again when it has ended; the resources still have to close.
        signal.signal(number, server.handle_exit)
    await server.live(listener)


def app_from_environment() -> FastAPI:
    """For servers that import an application by its name."""
    return create_app(read_settings())
