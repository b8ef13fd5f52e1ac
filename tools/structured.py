"""Asking a model for one structured answer; knows no provider and no subject."""

import asyncio
import logging
from collections.abc import Mapping
from typing import TypeVar

import orjson
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from pydantic import BaseModel

Answer = TypeVar("Answer", bound=BaseModel)

_log = logging.getLogger(__name__)

# What the model says here is nobody's answer in a chat: it must not be streamed as one.
_CONFIG = RunnableConfig(tags=["nostream"])


async def ask(
    model: BaseChatModel,
    schema: type[Answer],
    *,
    system: str,
    data: Mapping[str, object],
    seconds: float,
) -> Answer | None:
    """The model's answer about ``data``, which reaches it as one JSON object; None on any failure.

    Whatever is asked here has a way to go on without an answer, so that no failure is raised.
    """
    try:
        messages = [SystemMessage(system), HumanMessage(orjson.dumps(data).decode())]
        async with asyncio.timeout(seconds):
            asked = model.with_structured_output(schema)
            answer = await asked.ainvoke(messages, _CONFIG)
    except Exception as error:  # noqa: BLE001 - every provider fails in its own ways
        # Its text may hold what the person wrote, so that only its kind is told.
        _log.warning("no %s from the model: %s", schema.__name__, type(error).__name__)
        return None
    return answer if isinstance(answer, schema) else None
