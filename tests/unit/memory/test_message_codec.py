"""What comes back is what went in: messages, plain data, and whatever else LangGraph can keep."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    RemoveMessage,
    SystemMessage,
    ToolMessage,
)
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.types import Interrupt, Send

from memory.message_codec import decode, encode

SERDE = JsonPlusSerializer(allowed_msgpack_modules=None)

TEXTS = st.text(max_size=30) | st.sampled_from(["안녕하세요", "🍅", "\x00", ""])
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | TEXTS
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
ARGS = st.dictionaries(TEXTS, PLAIN, max_size=3)
COMMON: dict[str, Any] = {
    "content": TEXTS | st.lists(TEXTS | st.dictionaries(TEXTS, TEXTS, max_size=2), max_size=2),
    "id": st.none() | TEXTS,
    "name": st.none() | TEXTS,
    "additional_kwargs": ARGS,
    "response_metadata": ARGS,
}
CALLS = st.builds(
    lambda name, args, id: {"name": name, "args": args, "id": id, "type": "tool_call"},
    TEXTS,
    ARGS,
    st.none() | TEXTS,
)
USAGE = st.none() | st.just({"input_tokens": 3, "output_tokens": 0, "total_tokens": 3})
MESSAGES = st.one_of(
    st.builds(HumanMessage, **COMMON),
    st.builds(SystemMessage, **COMMON),
    st.builds(AIMessage, **COMMON, tool_calls=st.lists(CALLS, max_size=2), usage_metadata=USAGE),
    st.builds(
        ToolMessage,
        **COMMON,
        tool_call_id=TEXTS,
        artifact=PLAIN,
        status=st.sampled_from(["success", "error"]),
    ),
)


def _again(value: Any) -> Any:
    return decode(SERDE, encode(SERDE, value))


@given(PLAIN)
def test_plain_data(value: Any) -> None:
    again = _again(value)

    assert again == value
    assert type(again) is type(value)


@given(MESSAGES)
def test_messages(message: BaseMessage) -> None:
    again = _again(message)

    assert again == message
    assert type(again) is type(message)
    assert again.model_dump() == message.model_dump()


@given(st.lists(MESSAGES, max_size=4))
def test_lists_of_messages(messages: list[BaseMessage]) -> None:
    assert _again(messages) == messages


@given(MESSAGES)
def test_a_message_is_written_always_the_same(message: BaseMessage) -> None:
    """Or it would be stored again at every turn."""
    first = encode(SERDE, message)

    assert encode(SERDE, message.model_copy(deep=True)) == first
    assert encode(SERDE, decode(SERDE, first)) == first


def test_messages_share_nothing() -> None:
    one, other = _again([AIMessage("a", id="1"), AIMessage("b", id="2")])
    one.additional_kwargs["x"] = 1
    one.tool_calls.append({"name": "n", "args": {}, "id": "1", "type": "tool_call"})

    assert other.additional_kwargs == {}
    assert other.tool_calls == []
    assert _again(AIMessage("c")).additional_kwargs == {}


def test_messages_can_be_copied_and_changed() -> None:
    message = _again(HumanMessage("안녕", id="1"))

    assert message.model_copy(update={"content": "잘 가"}).content == "잘 가"
    assert message.text == "안녕"
    assert message.model_dump_json() == HumanMessage("안녕", id="1").model_dump_json()


@pytest.mark.parametrize(
    "value",
    [
        {1: "a", "b": {2, 3}},
        bytearray(b"abc"),
        datetime(2026, 11, 23, tzinfo=UTC),
        UUID(int=7),
        Send("node", {"a": 1}),
        (Interrupt(value="이름?", id="i"),),
        {"messages": [HumanMessage("안녕", id="1")]},
        RemoveMessage(id="1"),
        AIMessageChunk(content="조각", id="1"),
        HumanMessage("a", id="1", more="extra"),
        AIMessage("a", id="1", additional_kwargs={"at": datetime(2026, 1, 1, tzinfo=UTC)}),
    ],
    ids=repr,
)
def test_the_rest_goes_through_the_serializer(value: Any) -> None:
    again = _again(value)

    assert again == (list(value) if isinstance(value, tuple) else value)


@dataclass
class Unknown:
    """A type that nobody allowed."""

    secret: str = "x"


def test_types_that_were_not_allowed_come_back_as_data() -> None:
    assert _again(Unknown()) == {"secret": "x"}


def test_allowed_types_come_back() -> None:
    serde = JsonPlusSerializer(allowed_msgpack_modules=[Unknown])

    assert decode(serde, encode(serde, Unknown("가"))) == Unknown("가")


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(TypeError):
        encode(SERDE, object())


@pytest.mark.parametrize("data", [b"", b"\xff", b"\x04\x92\xa6pickle\xc4\x01x"])
def test_data_of_unknown_kinds_is_refused(data: bytes) -> None:
    with pytest.raises((ValueError, NotImplementedError)):
        decode(SERDE, data)


def test_messages_are_small() -> None:
    message = AIMessage("x" * 300, id="t00000001-0001")

    assert len(encode(SERDE, message)) < 300 + 40
