"""A chat model that gives structured answers from a script, and remembers what it was asked."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import BaseModel, PrivateAttr

Answer = Mapping[str, object] | Exception | Callable[[object], Awaitable[object]]


class StructuredModel(BaseChatModel):
    """Answers each schema, by its name, with the next of its answers; the last one stays."""

    _answers: dict[str, list[Answer]] = PrivateAttr(default_factory=dict)
    _asked: dict[str, list[dict[str, Any]]] = PrivateAttr(default_factory=dict)
    _systems: dict[str, list[str]] = PrivateAttr(default_factory=dict)

    def __init__(self, **answers: Answer | Sequence[Answer]) -> None:
        super().__init__()
        for schema, given in answers.items():
            self._answers[schema] = list(given) if isinstance(given, Sequence) else [given]

    def asked(self, schema: str) -> list[dict[str, Any]]:
        """The JSON objects that were sent for a schema, in their order."""
        return self._asked.get(schema, [])

    def system(self, schema: str) -> str:
        return self._systems[schema][-1]

    def systems(self, schema: str) -> list[str]:
        """The system prompts that were sent for a schema, in their order."""
        return self._systems.get(schema, [])

    def with_structured_output(
        self, schema: dict[str, Any] | type[Any], **kwargs: Any
    ) -> Runnable[Any, Any]:
        assert isinstance(schema, type)
        assert issubclass(schema, BaseModel)

        async def answer(messages: list[BaseMessage]) -> object:
            system, human = messages
            self._systems.setdefault(schema.__name__, []).append(str(system.content))
            self._asked.setdefault(schema.__name__, []).append(json.loads(str(human.content)))
            script = self._answers[schema.__name__]
            given = script.pop(0) if len(script) > 1 else script[0]
            if isinstance(given, Exception):
                raise given
            if callable(given):
                return await given(messages)
            return schema.model_validate(given)

        return RunnableLambda(answer)

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    @property
    def _llm_type(self) -> str:
        return "structured"
