"""Asking a model for one structured answer; knows no provider and no subject."""

import asyncio
import logging
from collections.abc import Mapping
from typing import TypeVar

import orjson
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel, ValidationError

Answer = TypeVar("Answer", bound=BaseModel)

_log = logging.getLogger(__name__)

# What the model says here is nobody's answer in a chat: it must not be streamed as one.
_CONFIG = RunnableConfig(tags=["nostream"])

_PROBLEMS_TOLD = 5
_AGAIN = "Answer once more, with nothing but one JSON object of the form that is asked for."


class _Malformed(Exception):
    """An answer of another form than the one asked for; its text is fit for the model."""


async def ask(
    model: BaseChatModel,
    schema: type[Answer],
    *,
    system: str,
    data: Mapping[str, object],
    seconds: float,
) -> Answer | None:
    """The model's answer about ``data``, which reaches it as one JSON object; None on any failure.

    An answer of another form is asked for once more, with what was wrong with it; ``seconds`` is
    the time for both. Whatever is asked here has a way to go on without an answer, so that no
    failure is raised.
    """
    try:
        said = HumanMessage(orjson.dumps(data).decode())
        async with asyncio.timeout(seconds):
            try:
                return await _once(model, schema, [SystemMessage(system), said])
            except _Malformed as problem:
                _log.info("asking again for a %s that could not be read", schema.__name__)
                told = f"{system}\n\nYour last answer could not be read: {problem}. {_AGAIN}"
            return await _once(model, schema, [SystemMessage(told), said])
    except Exception as error:  # noqa: BLE001 - every provider fails in its own ways
        # Its text may hold what the person wrote, so that only its kind is told.
        _log.warning("no %s from the model: %s", schema.__name__, type(error).__name__)
        return None


async def _once(model: BaseChatModel, schema: type[Answer], asked: list[BaseMessage]) -> Answer:
    try:
        answer = await model.with_structured_output(schema).ainvoke(asked, _CONFIG)
    except ValueError as error:
        # What parsers raise; none of what goes wrong on the way to a model is one.
        raise _Malformed(_told(error)) from error
    if not isinstance(answer, schema):
        raise _Malformed("it was not the JSON object that is asked for")
    return answer


def _told(error: ValueError) -> str:
    """What was wrong, by the names of fields and never with what stood in them."""
    if not isinstance(error, ValidationError):
        return "it was not the JSON object that is asked for"
    found = error.errors(include_input=False, include_context=False, include_url=False)
    told = (
        ": ".join([*map(str, one["loc"]), one["msg"].partition(":")[0]])
        for one in found[:_PROBLEMS_TOLD]
    )
    return "; ".join(told)
