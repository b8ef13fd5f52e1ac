"""An event loop whose clock jumps to the next timer when nothing else is to be done.

Hours of waiting take no time, so that tests of time limits wait for nothing and never hang. Only
for code that stays in one thread: the clock does not wait for others.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

THREAD_SECONDS = 30.0


class _JumpingSelector(selectors.DefaultSelector):
    """Never blocks: what would have been waited for is added to ``ahead``, in seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            # Only another thread, such as one that ends with the loop, can still bring something.
            ready = super().select(THREAD_SECONDS)
            if not ready:
                raise RuntimeError("nothing is left to wait for: this would hang for ever")
            return ready
        self.ahead += max(timeout, 0.0)
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumps = _JumpingSelector()
        super().__init__(self._jumps)

    def time(self) -> float:
        return super().time() + self._jumps.ahead


def run_jumping(work: Coroutine[Any, Any, T]) -> T:
    """``asyncio.run`` on a jumping clock."""
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        return runner.run(work)
