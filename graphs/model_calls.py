"""Calling a model: its stream, tried again while that is safe, its errors mapped once."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
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


async def stream_model(
    model: Runnable[LanguageModelInput, AIMessage],
    messages: Sequence[AnyMessage],
    *,
    deadline: float,
) -> AsyncIterator[AIMessageChunk]:
    """The chunks of a model's reply; raises ModelError.

    A call is tried again only while nothing of its answer has come, and only if the pause that
    the server asks for ends before ``deadline``, a moment of the event loop's clock. Whoever stops
    listening closes the connection.
    """
    loop = asyncio.get_running_loop()
    for attempt in range(1, TRIES + 1):
        begun = False
        try:
            async with aclosing(_chunks(model, messages)) as chunks:
                async for chunk in chunks:
                    begun = begun or bool(chunk.content or chunk.tool_call_chunks)
                    yield chunk
            return
        except ModelError as error:
            if begun:
                raise ModelBroken from error
            pause = _pause(error, attempt)
            if pause is None or attempt == TRIES or loop.time() + pause >= deadline:
                raise
        await asyncio.sleep(pause)


async def _chunks(
    model: Runnable[LanguageModelInput, AIMessage], messages: Sequence[AnyMessage]
) -> AsyncGenerator[AIMessageChunk, None]:
    """The model's stream with its library's errors mapped."""
    stream = cast("Any", model.astream(list(messages)))
    try:
        async with aclosing(stream):
            async for chunk in stream:
                yield chunk
    except (TimeoutError, asyncio.CancelledError, GeneratorExit):
        raise
    except Exception as error:
        mapped = classify(error)
        if mapped is None:
            raise
        raise mapped from error


def _pause(error: ModelError, attempt: int) -> float | None:
    """Seconds to wait before another try, None if that would be in vain."""
    if isinstance(error, ModelRateLimited) and error.retry_after is not None:
        return error.retry_after
    if isinstance(error, ModelRateLimited | ModelUnavailable):
        return float(FIRST_PAUSE * 2 ** (attempt - 1))
    return None
