"""A reply put together from its chunks."""

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk

from graphs.reply import Reply


def chunks_of(text: str, cuts: list[int]) -> list[str]:
    places = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [text[start:end] for start, end in pairwise(places)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.lists(st.dictionaries(st.text(), json_values, max_size=4), max_size=4),
    st.text(),
    st.lists(st.integers(0, 1000), max_size=5),
)
def test_calls_and_text_in_pieces_are_whole_again(
    calls: list[dict[str, object]], text: str, cuts: list[int]
) -> None:
    reply = Reply()
    for piece in chunks_of(text, cuts):
        assert reply.add(AIMessageChunk(content=piece)) == piece
    for index, args in enumerate(calls):
        for number, piece in enumerate(chunks_of(json.dumps(args), cuts)):
            first = number == 0
            chunk = tool_call_chunk(
                name="look" if first else None,
                args=piece,
                id=f"c{index}" if first else None,
                index=index,
            )
            reply.add(AIMessageChunk(content="", tool_call_chunks=[chunk]))
    message = reply.message()
    assert message.content == text
    assert [call["args"] for call in message.tool_calls] == calls
    assert [call["id"] for call in message.tool_calls] == [f"c{n}" for n in range(len(calls))]
    assert not reply.message(whole=False).tool_calls


def test_cut_arguments_are_not_completed_by_guessing() -> None:
    reply = Reply()
    chunk = tool_call_chunk(name="save", args='{"content": "half a sent', id="c", index=0)
    reply.add(AIMessageChunk(content="", tool_call_chunks=[chunk]))
    message = reply.message()
    assert not message.tool_calls
    assert [call["name"] for call in message.invalid_tool_calls] == ["save"]


def test_usage_is_summed() -> None:
    reply = Reply()
    for given_tokens in (3, 4):
        usage = UsageMetadata(
            input_tokens=given_tokens, output_tokens=1, total_tokens=given_tokens + 1
        )
        reply.add(AIMessageChunk(content="x", usage_metadata=usage))
    counted = reply.message().usage_metadata
    assert counted is not None
    assert (counted["input_tokens"], counted["output_tokens"]) == (7, 2)
