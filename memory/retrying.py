"""Changes that are made again, as others may come between; knows no store."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from memory.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

ATTEMPTS = 50
STEP_SECONDS = 0.002


def retried(change: Callable[P, Awaitable[T | None]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Make a change until it is not None, which stands for an entry that another just changed.

    What is asked for still holds then. Unavailable if others come first time after time.
    """

    @wraps(change)
    async def made(*args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(ATTEMPTS):
            done = await change(*args, **kwargs)
            if done is not None:
                return done
            await asyncio.sleep(attempt * random.uniform(0, STEP_SECONDS))  # noqa: S311
        raise Unavailable("The entry is being changed from many places at once.")

    return made
