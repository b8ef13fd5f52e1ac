"""Models that do what no model should, and tools that fail in every way."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.tools import BaseTool, InjectedToolArg, StructuredTool
from pydantic import PrivateAttr

from tools.caller import Caller
from tools.errors import ToolFailed

FOREVER = 1e6
"""Seconds that no turn may take."""

Behaviour = Callable[[int], AsyncIterator[AIMessageChunk]]
"""What a model says at its nth call."""


def _call(name: str | None, args: str, call_id: str | None, index: int | None = 0) -> ToolCallChunk:
    return tool_call_chunk(name=name, args=args, id=call_id, index=index)


async def answers(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(content="이것이 ")
    yield AIMessageChunk(content="the answer.")


async def says_nothing(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(content="")


async def says_only_space(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(content=" \n\t ")


async def same_call(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(
        content="", tool_call_chunks=[_call("look", '{"query": "same"}', f"s{turn}")]
    )


async def alternating(turn: int) -> AsyncIterator[AIMessageChunk]:
    args = json.dumps({"query": "ab"[turn % 2]})
    yield AIMessageChunk(content="", tool_call_chunks=[_call("look", args, f"a{turn}")])


async def always_new(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(content="let me see")
    yield AIMessageChunk(content="", tool_call_chunks=[_call("look", '{"que', f"n{turn}")])
    yield AIMessageChunk(content="", tool_call_chunks=[_call(None, f'ry": "{turn}"}}', None)])


async def fifty_at_once(turn: int) -> AsyncIterator[AIMessageChunk]:
    calls = [_call("look", json.dumps({"query": f"{turn}.{n}"}), f"p{n}", n) for n in range(50)]
    yield AIMessageChunk(content="", tool_call_chunks=calls)


async def same_fifty(turn: int) -> AsyncIterator[AIMessageChunk]:
    calls = [_call("keep", '{"text": "x"}', "one-id", n) for n in range(50)]
    yield AIMessageChunk(content="", tool_call_chunks=calls)


async def unknown_tool(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(content="", tool_call_chunks=[_call("format_disk", "{}", f"u{turn}")])


async def no_name_no_id(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(content="", tool_call_chunks=[_call(None, "{}", None, None)])


async def broken_json(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(
        content="", tool_call_chunks=[_call("keep", '{"text": "cut o', f"b{turn}")]
    )


async def a_list_of_arguments(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(content="", tool_call_chunks=[_call("look", "[1, 2]", f"l{turn}")])


async def wrong_arguments(turn: int) -> AsyncIterator[AIMessageChunk]:
    args = json.dumps({"nonsense": turn, "caller": {"user": "somebody else"}})
    yield AIMessageChunk(content="", tool_call_chunks=[_call("look", args, f"w{turn}")])


async def a_megabyte(turn: int) -> AsyncIterator[AIMessageChunk]:
    args = json.dumps({"text": "가" * 350_000 + str(turn)}, ensure_ascii=False)
    yield AIMessageChunk(content="", tool_call_chunks=[_call("keep", args, None)])


async def a_megabyte_in_pieces(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(content="", tool_call_chunks=[_call("keep", '{"text": "', None)])
    for _ in range(1000):
        yield AIMessageChunk(content="", tool_call_chunks=[_call(None, "x" * 1000, None)])
    yield AIMessageChunk(content="", tool_call_chunks=[_call(None, '"}', None)])


async def nested_deep(turn: int) -> AsyncIterator[AIMessageChunk]:
    args = '{"query":' * 300 + '"x"' + "}" * 300
    yield AIMessageChunk(content="", tool_call_chunks=[_call("look", args, f"d{turn}")])


async def half_surrogates(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(content="\ud83c")
    args = '{"query": "\\ud83c"}'
    yield AIMessageChunk(content="", tool_call_chunks=[_call("look", args, f"h{turn}")])


async def breaks_the_tool(turn: int) -> AsyncIterator[AIMessageChunk]:
    calls = [_call("explode", f'{{"n": {turn}}}', f"x{turn}"), _call("refuse", "{}", None, 1)]
    yield AIMessageChunk(content="", tool_call_chunks=calls)


async def hangs_the_tool(turn: int) -> AsyncIterator[AIMessageChunk]:
    calls = [_call("hang", f'{{"n": {turn + n}}}', f"z{n}", n) for n in range(3)]
    yield AIMessageChunk(content="", tool_call_chunks=calls)


async def floods_with_results(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(
        content="", tool_call_chunks=[_call("flood", f'{{"n": {turn}}}', f"f{turn}")]
    )


async def hangs(turn: int) -> AsyncIterator[AIMessageChunk]:
    await asyncio.sleep(FOREVER)
    yield AIMessageChunk(content="too late")


async def hangs_in_a_call(turn: int) -> AsyncIterator[AIMessageChunk]:
    yield AIMessageChunk(content="", tool_call_chunks=[_call("keep", '{"text": "ha', "h")])
    await asyncio.sleep(FOREVER)


async def drips(turn: int) -> AsyncIterator[AIMessageChunk]:
    while True:
        await asyncio.sleep(1)
        yield AIMessageChunk(content="drip ")


async def floods(turn: int) -> AsyncIterator[AIMessageChunk]:
    while True:
        yield AIMessageChunk(content="flood " * 1000)


BEHAVIOURS: Sequence[Behaviour] = (
    answers,
    says_nothing,
    says_only_space,
    same_call,
    alternating,
    always_new,
    fifty_at_once,
    same_fifty,
    unknown_tool,
    no_name_no_id,
    broken_json,
    a_list_of_arguments,
    wrong_arguments,
    a_megabyte,
    nested_deep,
    half_surrogates,
    breaks_the_tool,
    hangs_the_tool,
    floods_with_results,
    hangs,
    hangs_in_a_call,
    drips,
    floods,
)

# LangChain tries to mend each broken piece of JSON, which takes milliseconds a piece.
SLOW_BEHAVIOURS: Sequence[Behaviour] = (a_megabyte_in_pieces,)


class HostileModel(BaseChatModel):
    """Behaves in turn as told, over and over; keeps what it was asked."""

    behaviours: Sequence[Behaviour] = ()
    _asked: list[tuple[list[BaseMessage], bool]] = PrivateAttr(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "hostile"

    @property
    def asked(self) -> list[tuple[list[BaseMessage], bool]]:
        """The messages of each call, and whether tools were offered."""
        return self._asked

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Any:
        return self.bind(tools=[tool.name for tool in tools])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        turn = len(self._asked)
        self._asked.append((messages, bool(kwargs.get("tools"))))
        async for chunk in self.behaviours[turn % len(self.behaviours)](turn):
            yield ChatGenerationChunk(message=chunk)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise AssertionError("the agent streams")


class Counter:
    """How often tools ran, and for whom."""

    def __init__(self) -> None:
        self.ran = 0
        self.users: set[str] = set()

    def tools(self) -> list[BaseTool]:
        async def look(query: str, caller: Annotated[Caller, InjectedToolArg]) -> str:
            """Look something up."""
            self._note(caller)
            return json.dumps({"found": [query]}, ensure_ascii=False)

        async def keep(text: str, caller: Annotated[Caller, InjectedToolArg]) -> str:
            """Keep something."""
            self._note(caller)
            return "kept"

        async def explode(n: int, caller: Annotated[Caller, InjectedToolArg]) -> str:
            """Fail in an unforeseen way."""
            self._note(caller)
            raise RuntimeError("secret inner words")

        async def refuse(caller: Annotated[Caller, InjectedToolArg]) -> str:
            """Fail in a foreseen way."""
            self._note(caller)
            raise ToolFailed("Not like this. " * 10_000)

        async def hang(n: int, caller: Annotated[Caller, InjectedToolArg]) -> str:
            """Never answer."""
            self._note(caller)
            await asyncio.sleep(FOREVER)
            return "too late"

        async def flood(n: int, caller: Annotated[Caller, InjectedToolArg]) -> str:
            """Answer far too much."""
            self._note(caller)
            return "데이터 " * 300_000

        made: list[Callable[..., Awaitable[str]]] = [look, keep, explode, refuse, hang, flood]
        tools: list[BaseTool] = [StructuredTool.from_function(coroutine=one) for one in made]
        for tool in tools:
            tool.metadata = {"writes": tool.name == "keep"}
        return tools

    def _note(self, caller: Caller) -> None:
        self.ran += 1
        self.users.add(caller.user)
