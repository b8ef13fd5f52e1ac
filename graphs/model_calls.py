"""Calling a model: its stream, tried again while that is safe, its errors mapped once."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage
from langchain_core.runnables import Runnable

from graphs.model_errors import (
    ModelBroken,
    ModelError,
    ModelRateLimited,
    ModelUnavailable,
    classify,
)

TRIES = 3
FIRST_PAUSE = 0.5
"""Seconds before the second try, doubled for the third, unless the server says how long."""

Model = Runnable[LanguageModelInput, AIMessage]

_log = logging.getLogger(__name__)


async def stream_model(
    model: Model,
    messages: Sequence[AnyMessage],
    *,
    deadline: float,
    first_pause: float = FIRST_PAUSE,
) -> AsyncGenerator[AIMessageChunk, None]:
    """The chunks of a model's reply; raises ModelError, and TimeoutError at ``deadline``.

    A call is tried again only while nothing of its answer has come, and only if the pause before
    it ends before ``deadline``, a moment of the event loop's clock. Whoever stops listening closes
    the connection.
    """
    loop = asyncio.get_running_loop()
    for attempt in range(1, TRIES + 1):
        begun = False
        try:
            async with aclosing(_chunks(model, messages, deadline)) as chunks:
                async for chunk in chunks:
                    begun = begun or bool(chunk.content or chunk.tool_call_chunks)
                    yield chunk
            return
        except ModelError as error:
            if begun:
                raise ModelBroken from error
            pause = pause_after(error, attempt, first_pause)
            if pause is None or attempt == TRIES or loop.time() + pause >= deadline:
                raise
        await asyncio.sleep(pause)


async def _chunks(
    model: Model, messages: Sequence[AnyMessage], deadline: float
) -> AsyncGenerator[AIMessageChunk, None]:
    """The model's stream with its library's errors mapped."""
    end = _End()
    async with aclosing(cast("Any", model.astream(list(messages)))) as stream:
        while True:
            # Only a wait may be cut by the timer, never what is done with a chunk.
            timer = asyncio.timeout_at(deadline)
            try:
                async with timer:
                    chunk = await anext(stream, None)
            except Exception as error:
                if timer.expired() and isinstance(error, TimeoutError):
                    raise
                raise _mapped(error) from error
            if chunk is None:
                break
            end.take(chunk)
            yield chunk
    if not end.reached:
        raise ModelUnavailable


class _End:
    """Whether a stream is whole: a connection may also end early without any error."""

    def __init__(self) -> None:
        self._told = False
        self._expected = False

    def take(self, chunk: AIMessageChunk) -> None:
        metadata = chunk.response_metadata
        self._told |= "finish_reason" in metadata or "status" in metadata
        self._expected |= metadata.get("model_provider") == "openai"

    @property
    def reached(self) -> bool:
        return self._told or not self._expected


def _mapped(error: Exception) -> ModelError:
    known = classify(error)
    if known is None:
        # A library that trips over an answer raises anything; only the log can tell it from a bug.
        _log.error("model call failed: %s", type(error).__name__, exc_info=error)
    return known or ModelBroken()


def pause_after(error: ModelError, attempt: int, first_pause: float) -> float | None:
    """Seconds to wait before another try, None if that would be in vain."""
    if not isinstance(error, ModelRateLimited | ModelUnavailable):
        return None
    if error.retry_after is not None:
        return error.retry_after
    # Callers that failed together must not come back together.
    spread = random.uniform(0.75, 1.25)  # noqa: S311 - no secret
    return first_pause * float(2 ** (attempt - 1)) * spread
