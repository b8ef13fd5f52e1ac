"""A chat model whose answers wait in their middle until a test lets them go on."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from pydantic import PrivateAttr

BEFORE, AFTER = "첫째 ", "second"


class GatedModel(BaseChatModel):
    """Says BEFORE, waits for ``go_on()``, says AFTER.

    It keeps what it was asked and counts how often it was cut off.
    """

    _gate: asyncio.Event = PrivateAttr(default_factory=asyncio.Event)
    _cut: int = PrivateAttr(default=0)
    _asked: list[list[BaseMessage]] = PrivateAttr(default_factory=list)

    def go_on(self) -> None:
        self._gate.set()

    @property
    def asked(self) -> Sequence[list[BaseMessage]]:
        return self._asked

    @property
    def cut(self) -> int:
        return self._cut

    @property
    def _llm_type(self) -> str:
        return "gated"

    def bind_tools(
        self, tools: Sequence[BaseTool | Any], **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        return self

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("it only streams")

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        self._asked.append(messages)
        yield ChatGenerationChunk(message=AIMessageChunk(content=BEFORE))
        try:
            await self._gate.wait()
        except asyncio.CancelledError:
            self._cut += 1
            raise
        yield ChatGenerationChunk(message=AIMessageChunk(content=AFTER))
