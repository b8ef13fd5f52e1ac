"""The model's face: binding, streaming, usage, structured answers; never random, never raising."""

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_core.tools import BaseTool, StructuredTool
from pydantic import BaseModel

from graphs.offline import OfflineChatModel
from graphs.offline.conversation import Conversation
from graphs.offline.planning import next_move
from memory.tokens import estimate_tokens
from tests.unit.graphs.offline.utterances import (
    DELETES,
    FINDS,
    LISTS,
    NO_COMMANDS,
    READS,
    SAVES_EN,
    SAVES_KO,
    UPDATES,
)
from tools.drafting import LabelDraft

NAMES = ("save", "search", "read", "list", "update", "delete")
UTTERANCES = [
    str(row[0])
    for table in (SAVES_KO, SAVES_EN, FINDS, LISTS, READS, DELETES, UPDATES)
    for row in table
] + NO_COMMANDS


def tool(name: str) -> BaseTool:
    async def run(**arguments: Any) -> str:
        return "{}"

    class Arguments(BaseModel):
        content: str = ""

    return StructuredTool(
        name=f"archive_{name}", description="a tool", args_schema=Arguments, coroutine=run
    )


TOOLS = [tool(name) for name in NAMES]


def test_a_call_has_arguments_and_an_id_of_its_own() -> None:
    bound = OfflineChatModel().bind_tools(TOOLS)
    first, again = (bound.invoke([HumanMessage("save this: buy milk")]) for _ in range(2))
    (call,) = first.tool_calls
    assert (call["name"], call["args"]) == ("archive_save", {"content": "buy milk"})
    assert first.tool_calls == again.tool_calls
    later = bound.invoke([HumanMessage("hi"), AIMessage("hi"), HumanMessage("save this: buy milk")])
    assert later.tool_calls[0]["id"] != call["id"]


def test_without_tools_or_with_none_chosen_nothing_is_called() -> None:
    model = OfflineChatModel()
    for asked in (model, model.bind_tools(TOOLS, tool_choice="none"), model.bind_tools([])):
        answer = asked.invoke([HumanMessage("save this: buy milk")])
        assert not answer.tool_calls
        assert "archive_save" in answer.text


def test_it_tells_what_it_is() -> None:
    model = OfflineChatModel()
    assert (model._llm_type, model.model) == ("offline", "offline")
    assert model.invoke("hi").response_metadata["model_name"] == "offline"


def test_usage_is_estimated() -> None:
    answer = OfflineChatModel().invoke([SystemMessage("x" * 400), HumanMessage("hi")])
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["input_tokens"] == 100 + 1 + 8
    assert answer.usage_metadata["output_tokens"] == estimate_tokens(answer.text) + 4


def test_text_ends_before_a_stop_sequence() -> None:
    whole = OfflineChatModel().invoke("help").text
    assert OfflineChatModel().invoke("help", stop=["\n"]).text == whole.partition("\n")[0]


async def test_it_streams_words_and_whole_calls() -> None:
    chunks = [chunk async for chunk in OfflineChatModel().astream("help")]
    assert len(chunks) > 20
    bound = OfflineChatModel().bind_tools(TOOLS)
    called = [c async for c in bound.astream("1번과 2번 삭제해줘")]
    assert all(isinstance(chunk, AIMessageChunk) for chunk in called)


_TEXTS = st.one_of(st.sampled_from(UTTERANCES), st.text(max_size=80))
_CARDS = st.fixed_dictionaries(
    {"id": st.sampled_from(["e1", "e2", "e3"]), "label": st.text(max_size=12)},
    optional={"category": st.text(max_size=5), "snippet": st.text(max_size=30)},
)
_RESULTS = st.one_of(
    st.text(max_size=40),
    st.builds(
        lambda key, cards: json.dumps({key: cards}),
        st.sampled_from(["found", "entries"]),
        st.lists(_CARDS, max_size=4),
    ),
    st.builds(
        lambda key, card: json.dumps({key: card}),
        st.sampled_from(["saved", "updated", "deleted", "entry", "already_saved"]),
        st.one_of(_CARDS, st.none(), st.integers(), st.text(max_size=4)),
    ),
    st.sampled_from(["[", "{", '{"found": 3}', '{"found": [3]}', "[" * 5000, '{"a":' * 5000]),
)
_STEPS = st.lists(
    st.tuples(
        st.sampled_from([f"archive_{name}" for name in (*NAMES, "unknown")]),
        st.dictionaries(st.sampled_from(["query", "id", "category"]), _TEXTS, max_size=2),
        _RESULTS,
        st.sampled_from(["success", "error"]),
    ),
    max_size=3,
)
_TURNS = st.lists(st.tuples(_TEXTS, _STEPS, _TEXTS), min_size=1, max_size=3)


def _talk(turns: list[Any]) -> list[BaseMessage]:
    """Turns as messages; the last one has no answer yet."""
    messages: list[BaseMessage] = [SystemMessage("persona")]
    for number, (asked, steps, answer) in enumerate(turns):
        messages.append(HumanMessage(asked))
        for place, (name, args, result, status) in enumerate(steps):
            call_id = f"call_{number}_{place}"
            call = {"name": name, "args": args, "id": call_id, "type": "tool_call"}
            messages.append(AIMessage("", tool_calls=[call]))
            messages.append(ToolMessage(result, tool_call_id=call_id, name=name, status=status))
        messages.append(AIMessage(answer))
    return messages[:-1]


@settings(max_examples=200, deadline=None)
@given(_TURNS, st.sets(st.sampled_from(NAMES)))
def test_any_talk_is_answered_and_only_bound_tools_are_called(
    turns: list[Any], names: set[str]
) -> None:
    messages = _talk(turns)
    bound = OfflineChatModel().bind_tools([tool(name) for name in sorted(names)])
    answer = bound.invoke(messages)
    assert bool(answer.text.strip()) != bool(answer.tool_calls)
    assert {call["name"] for call in answer.tool_calls} <= {f"archive_{name}" for name in names}
    _is_the_same(answer, bound.invoke(messages))

    streamed = None
    for chunk in bound.stream(messages):
        assert isinstance(chunk, AIMessageChunk)
        streamed = chunk if streamed is None else streamed + chunk
    assert streamed is not None
    _is_the_same(answer, streamed)


def _is_the_same(one: AIMessage, other: AIMessage) -> None:
    assert one.text == other.text
    assert one.tool_calls == other.tool_calls
    assert one.usage_metadata == other.usage_metadata
    assert one.response_metadata == other.response_metadata


@settings(max_examples=200, deadline=None)
@given(_TURNS)
def test_nothing_is_deleted_but_by_words_of_the_newest_message(turns: list[Any]) -> None:
    bound = OfflineChatModel().bind_tools(TOOLS)
    harmless = [*turns[:-1], ("what did I save about redis?", turns[-1][1], "")]
    answer = bound.invoke(_talk(harmless))
    reading = {"archive_search", "archive_read", "archive_list"}
    assert {call["name"] for call in answer.tool_calls} <= reading


@settings(max_examples=200, deadline=None)
@given(_TURNS, st.data())
def test_a_turn_ends_after_a_few_calls_none_of_them_twice(
    turns: list[Any], data: st.DataObject
) -> None:
    bound = OfflineChatModel().bind_tools(TOOLS)
    messages = _talk([*turns[:-1], (turns[-1][0], [], "")])
    seen: list[str] = []
    for _ in range(6):
        answer = bound.invoke(messages)
        if not answer.tool_calls:
            break
        messages.append(answer)
        for call in answer.tool_calls:
            seen.append(json.dumps([call["name"], call["args"]]))
            result = data.draw(_RESULTS)
            status = data.draw(st.sampled_from(["success", "error"]))
            messages.append(ToolMessage(result, tool_call_id=call["id"], status=status))
    assert not answer.tool_calls
    assert answer.text.strip()
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize(
    "piece",
    [
        *("가", "a", " ", "\n", "\t", "?", "'", ":", "“", "\x00", "\ud800", "1, ", "그 ", "좀 "),
        *(
            "저장",
            "저장해줘 ",
            "이거 ",
            "라벨을 ",
            "메모 중에 ",
            "delete ",
            "save this ",
            "show me my ",
        ),
    ],
)
def test_long_messages_are_read(piece: str) -> None:
    """What is read of a message is bounded; the suite's own time limit would tell otherwise."""
    bound = OfflineChatModel().bind_tools(TOOLS)
    for size in (290, 32_000):
        for asked in ((piece * size)[:size], "라벨을 " + (piece * size)[:size] + "로 바꿔줘!x"):
            answer = bound.invoke([HumanMessage(asked)])
            assert answer.text or answer.tool_calls


def test_an_empty_talk_is_answered() -> None:
    assert next_move(Conversation([]), frozenset()).text


class Unknown(BaseModel):
    """A schema that nobody taught the model."""

    field: str


async def test_structured_answers_are_of_the_schema_that_was_given() -> None:
    asked = [SystemMessage("prompt"), HumanMessage(json.dumps({"content": "redis TTL is 3600"}))]
    model = OfflineChatModel()
    draft = await model.with_structured_output(LabelDraft).ainvoke(asked)
    assert draft == LabelDraft(summarizable=True, label="redis TTL is 3600", reason="")
    both = await model.with_structured_output(LabelDraft, include_raw=True).ainvoke(asked)
    assert both["parsed"] == draft
    assert both["parsing_error"] is None
    assert isinstance(both["raw"], AIMessage)
    as_dict = model.with_structured_output(LabelDraft.model_json_schema())
    assert (await as_dict.ainvoke(asked))["label"] == "redis TTL is 3600"


async def test_an_unknown_schema_is_told_in_a_sentence() -> None:
    with pytest.raises(ValueError, match="no language model is configured"):
        await OfflineChatModel().with_structured_output(Unknown).ainvoke("hello")


def test_importing_it_brings_nothing_heavy() -> None:
    told = "import sys, graphs.offline; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {
        "langchain_openai",
        "openai",
        "langgraph",
        "fastapi",
        "pymongo",
        "redis",
        "tools.archive",
    }
    assert not heavy & set(loaded)
