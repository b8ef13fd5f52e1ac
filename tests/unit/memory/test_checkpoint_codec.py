"""Heads and items: what is new is stored once, what is gone is known, and it all comes back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.base import Checkpoint
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from memory.checkpoint_codec import (
    EMPTY,
    INLINE_BYTES,
    Head,
    Placed,
    Pool,
    checkpoint_of,
    draft,
    gaps,
    metadata_of,
    numbers_in,
    ranges_of,
    settle,
)

SERDE = JsonPlusSerializer(allowed_msgpack_modules=None)

MESSAGES = st.lists(
    st.builds(HumanMessage, content=st.sampled_from("가나다abc"), id=st.sampled_from("123"))
    | st.builds(AIMessage, content=st.text(max_size=5), id=st.sampled_from("456")),
    max_size=8,
)
VALUES = (
    MESSAGES
    | st.none()
    | st.integers(0, 9)
    | st.text(max_size=5)
    | st.sampled_from(["긴 글 " * 500, [{"id": "a", "n": 1}, {"id": "b"}], [{"id": ""}], []])
)
CHANNELS = st.dictionaries(st.sampled_from(["messages", "more", "기억"]), VALUES, max_size=3)
RANGES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 5)).map(lambda r: (r[0], r[0] + r[1]))
)


def _checkpoint(values: dict[str, Any], number: int = 1) -> Checkpoint:
    return {
        "v": 4,
        "id": f"{number:04}",
        "ts": "2026-11-23T00:00:00+00:00",
        "channel_values": values,
        "channel_versions": dict.fromkeys(values, number),
        "versions_seen": {"node": dict.fromkeys(values, number)},
        "updated_channels": sorted(values),
    }


def _settled(checkpoint: Checkpoint, pool: Pool = EMPTY) -> Placed:
    metadata: Any = {"source": "loop", "step": 1, "parents": {}, "run_id": "run"}
    return settle(draft(SERDE, checkpoint, metadata, "0000"), pool)


@given(st.lists(CHANNELS, min_size=1, max_size=4))
def test_checkpoints_come_back_from_shared_items(history: list[dict[str, Any]]) -> None:
    pool, items, heads = EMPTY, dict[int, bytes](), list[tuple[Checkpoint, Head]]()
    for number, values in enumerate(history):
        checkpoint = _checkpoint(values, number)
        placed = _settled(checkpoint, pool)
        assert not placed.new.keys() & items.keys()
        items |= placed.new
        pool = placed.pool
        heads.append((checkpoint, placed.head))

    assert len(set(items.values())) == len(items)
    for checkpoint, head in heads:
        assert checkpoint_of(SERDE, head, items) == checkpoint
        assert set(numbers_in(ranges_of(head))) <= items.keys()
        assert head.parent == "0000"
        assert head.run == metadata_of(SERDE, head)["run_id"]


@given(RANGES, st.integers(36, 40))
def test_gaps_are_what_no_range_covers(ranges: list[tuple[int, int]], end: int) -> None:
    covered = {number for first, last in ranges for number in range(first, last + 1)}

    assert numbers_in(gaps(ranges, end)) == [n for n in range(end) if n not in covered]


def _talk(first: int, last: int) -> list[BaseMessage]:
    return [AIMessage(f"답 {n} " + "x" * 300, id=f"t{n:08}") for n in range(first, last)]


@pytest.mark.parametrize("length", [10, 1000])
def test_growing_and_trimming_costs_what_is_new(length: int) -> None:
    before = _settled(_checkpoint({"messages": _talk(0, length)}))

    after = _settled(_checkpoint({"messages": _talk(2, length + 2)}, 2), before.pool)

    assert len(after.new) == 2
    assert after.ranges == [(3, length + 2)]
    assert len(after.head.body) < 300


def test_an_edit_costs_the_edited_message() -> None:
    talk = _talk(0, 20)
    before = _settled(_checkpoint({"messages": talk}))
    edited = [*talk[:7], AIMessage("고침", id=talk[7].id), *talk[9:]]

    after = _settled(_checkpoint({"messages": edited}, 2), before.pool)

    assert len(after.new) == 1
    assert after.ranges == [(1, 7), (21, 21), (10, 20)]


def test_large_values_are_stored_once_and_small_ones_inline() -> None:
    small, large = "작" * (INLINE_BYTES // 4), "큼" * INLINE_BYTES
    before = _settled(_checkpoint({"small": small, "large": large}))

    after = _settled(_checkpoint({"small": small, "large": large, "n": 1}, 2), before.pool)

    assert len(before.new) == 1
    assert not after.new


def test_a_newer_format_is_refused() -> None:
    head = Head("1", None, None, b"\x00", b"\x94\x63\x90\x80\xc0")

    with pytest.raises(ValueError, match="format"):
        ranges_of(head)
