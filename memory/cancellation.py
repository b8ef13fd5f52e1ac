"""Cancellations that a driver swallows, heard all the same."""

import asyncio
from types import TracebackType


class hears_cancellation:
    """Raise CancelledError at the end of a block in which its task was cancelled.

    Up to Python 3.11 ``asyncio.wait_for`` returns the result instead where that came in the same
    step of the loop. The drivers send each command through it: without this, a stop or a timeout
    that comes while a database is asked is lost in one of three cases.
    """

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._before = self._task.cancelling() if self._task else 0

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        task = self._task
        # A generator may be closed by another task than the one that went in.
        if task is None or task is not asyncio.current_task():
            return
        if task.cancelling() > self._before and not isinstance(error, asyncio.CancelledError):
            raise asyncio.CancelledError from error
