"""Opens the resources beside the first answers, and closes them at the end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Literal

from memory.errors import Unavailable
from server.data_folder import held
from server.resources import Resources, open_agent
from server.settings import Settings
from server.stores import Stores, open_stores

if TYPE_CHECKING:
    from server.tracing import Tracing

log = logging.getLogger("tomato.server")

State = Literal["opening", "ok", "down"]


class Opening:
    """The way from settings to open resources; ``given`` ones are used as they are.

    ``on_failure`` is called if they can't be opened after all.
    """

    def __init__(
        self,
        settings: Settings,
        given: Resources | None = None,
        tracing: "Tracing | None" = None,
    ) -> None:
        self._settings = settings
        self._given = given
        self._tracing = tracing
        self._opened: asyncio.Future[Resources] | None = None
        self.on_failure: Callable[[], None] = lambda: None

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Open storage now and the rest in the background.

        Raises memory.errors.StoreError if the storage can't be used.
        """
        self._opened = asyncio.get_running_loop().create_future()
        if self._given is not None:
            self._opened.set_result(self._given)
            yield
            return
        with held(self._settings.data) if self._settings.uses_file else nullcontext():
            async with open_stores(self._settings) as stores:
                await _close_cut_turns(stores)
                async with self._in_background(stores, self._opened):
                    yield

    @asynccontextmanager
    async def _in_background(
        self, stores: Stores, opened: "asyncio.Future[Resources]"
    ) -> AsyncIterator[None]:
        closing = asyncio.Event()
        holding = asyncio.create_task(self._hold(stores, opened, closing))
        try:
            yield
        finally:
            closing.set()
            await holding

    async def resources(self) -> Resources:
        """The resources, once they are open; Unavailable if they could not be opened."""
        if self._opened is None:
            raise Unavailable("The server has not started.")
        if not self._opened.done():
            return await asyncio.shield(self._opened)
        return self._opened.result()

    @property
    def opened(self) -> Resources | None:
        """The resources, if they are open by now."""
        return self._opened.result() if self._opened is not None and self.state == "ok" else None

    async def end_runs(self) -> None:
        """Let what runs come to its end, within the grace time; nothing new is started."""
        if self._opened is not None and self.state == "ok":
            grace = self._settings.grace_seconds
            await self._opened.result().runs.close(grace_seconds=grace)

    @property
    def state(self) -> State:
        if self._opened is None or not self._opened.done():
            return "opening"
        return "down" if self._opened.exception() else "ok"

    async def _hold(
        self, stores: Stores, opened: asyncio.Future[Resources], closing: asyncio.Event
    ) -> None:
        """Keep the agent open, in one task, from its opening to its closing."""
        try:
            async with open_agent(self._settings, stores, tracing=self._tracing) as resources:
                opened.set_result(resources)
                await closing.wait()
        except Exception as error:
            log.exception("the agent could not be opened")
            if opened.done():
                return
            refused = Unavailable("The agent could not be started.")
            refused.__cause__ = error
            opened.set_exception(refused)
            opened.exception()  # seen here, so that asyncio does not complain that nobody asked
            self.on_failure()


async def _close_cut_turns(stores: Stores) -> None:
    """Nobody works any more on what ran when the server before us was killed.

    Where others may be at work, a turn is closed by the next one in its room, once it is too old.
    """
    if stores.shared:
        return
    for run in await stores.run_records.unfinished():
        await stores.history.abandon(run)
