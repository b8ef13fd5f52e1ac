"""OfflineChatModel: the same input gives the same output; no network, no clock, no chance."""

import json
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCall, tool_call_chunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda, RunnableMap, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel

from graphs.offline.conversation import Conversation
from graphs.offline.planning import Call, next_move
from memory.tokens import PER_MESSAGE, estimate_tokens

_PIECES = re.compile(r"\S+\s*|\s+")

Tools = Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool]


class OfflineChatModel(BaseChatModel):
    """Saves, finds, lists, changes and deletes on request, and says that it can do no more."""

    model: str = "offline"

    @property
    def _llm_type(self) -> str:
        return "offline"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"model": self.model}

    def bind_tools(
        self, tools: Tools, *, tool_choice: str | None = None, **kwargs: Any
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The model with these tools; with ``tool_choice`` "none" it calls none of them."""
        described = [] if tool_choice == "none" else [convert_to_openai_tool(t) for t in tools]
        return self.bind(tools=described, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type,
        *,
        include_raw: bool = False,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """Answers of one of the schemas that are known by name; ValueError for any other."""
        asked = self.bind(structured=_name(schema))
        parse = RunnableLambda(_parser(schema))
        if not include_raw:
            return asked | parse
        parsed = RunnablePassthrough.assign(
            parsed=RunnableLambda(lambda answer: _parser(schema)(answer["raw"])),
            parsing_error=RunnableLambda(lambda _: None),
        )
        return RunnableMap(raw=asked) | parsed

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        message = _answer(messages, stop, kwargs)
        message.response_metadata = {"model_name": self.model}
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return self._generate(messages, stop, None, **kwargs)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in _chunks(_answer(messages, stop, kwargs), self.model):
            yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for chunk in self._stream(messages, stop, None, **kwargs):
            yield chunk


def _answer(
    messages: Sequence[BaseMessage], stop: list[str] | None, options: Mapping[str, Any]
) -> AIMessage:
    """The one answer to ``messages``, with what it took and gave in estimated tokens."""
    if schema := options.get("structured"):
        from graphs.offline.structured import fill  # a talk needs none of its tables

        return _with_usage(messages, AIMessage(content=fill(schema, _newest(messages))))
    names = frozenset(tool["function"]["name"] for tool in options.get("tools") or ())
    move = next_move(Conversation(messages), names)
    calls = [_tool_call(messages, place, call) for place, call in enumerate(move.calls)]
    text = _until(move.text, stop or ())
    return _with_usage(messages, AIMessage(content=text, tool_calls=calls))


def _newest(messages: Sequence[BaseMessage]) -> str:
    asked = (str(m.text) for m in reversed(messages) if isinstance(m, HumanMessage))
    return next(asked, "")


def _until(text: str, stops: Sequence[str]) -> str:
    for stop in filter(None, stops):
        text = text.partition(stop)[0]
    return text


def _tool_call(messages: Sequence[BaseMessage], place: int, call: Call) -> ToolCall:
    """A call whose id follows from what it is and where in the talk it stands."""
    told = json.dumps([len(messages), place, call.name, call.args], sort_keys=True)
    call_id = f"call_{sha256(told.encode()).hexdigest()[:24]}"
    return ToolCall(name=call.name, args=dict(call.args), id=call_id, type="tool_call")


def _with_usage(messages: Sequence[BaseMessage], answer: AIMessage) -> AIMessage:
    taken = sum(PER_MESSAGE + estimate_tokens(str(message.text)) for message in messages)
    calls = "".join(call["name"] + json.dumps(call["args"]) for call in answer.tool_calls)
    given = PER_MESSAGE + estimate_tokens(str(answer.text) + calls)
    answer.usage_metadata = UsageMetadata(
        input_tokens=taken, output_tokens=given, total_tokens=taken + given
    )
    return answer


def _chunks(answer: AIMessage, model: str) -> Iterator[AIMessageChunk]:
    """An answer word by word, then its calls, then what it took."""
    for piece in _PIECES.findall(str(answer.text)):
        yield AIMessageChunk(content=piece)
    for index, call in enumerate(answer.tool_calls):
        args = json.dumps(call["args"], ensure_ascii=False)
        chunk = tool_call_chunk(name=call["name"], args=args, id=call["id"], index=index)
        yield AIMessageChunk(content="", tool_call_chunks=[chunk])
    yield AIMessageChunk(
        content="",
        usage_metadata=answer.usage_metadata,
        response_metadata={"model_name": model},
        chunk_position="last",
    )


def _name(schema: dict[str, Any] | type) -> str:
    if isinstance(schema, dict):
        return str(schema.get("title") or schema.get("name") or "")
    return schema.__name__


def _parser(schema: dict[str, Any] | type) -> Callable[[BaseMessage], Any]:
    def parse(answer: BaseMessage) -> Any:
        fields = json.loads(str(answer.text))
        is_model = isinstance(schema, type) and issubclass(schema, BaseModel)
        return schema.model_validate(fields) if is_model else fields  # type: ignore[union-attr]

    return parse
