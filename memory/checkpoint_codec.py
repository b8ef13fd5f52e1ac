"""A checkpoint as bytes that share what they have in common; knows no store. Pure.

A checkpoint is kept as a *head* (one small record) and *items*: each message of a list, and each
large value, is one item, stored once in the *pool* of its thread and namespace under a sequence
number. The head names its items as ranges of these numbers, so that a list which grows at its end
and is cut at its front costs the new items and a few bytes, however long it is. Which of its items
a pool has already is told by their digests, whatever was moved, removed or changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain, pairwise
from typing import Any, NamedTuple, cast

import ormsgpack
from langgraph.checkpoint.base import Checkpoint, CheckpointMetadata
from langgraph.checkpoint.serde.base import SerializerProtocol

from memory.message_codec import decode, encode

INLINE_BYTES = 1024
"""A value up to this size is kept in the head itself."""

_FORMAT = 1
_WHOLE = -1

Ranges = Sequence[tuple[int, int]]
"""First and last sequence numbers of ranges of items, in the order of their use."""


class Write(NamedTuple):
    """One pending write of a task; ``idx`` is negative for LangGraph's special channels."""

    task: str
    idx: int
    path: str
    channel: str
    value: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """What is kept of one checkpoint apart from its items and its pending writes."""

    id: str
    parent: str | None
    run: str | None
    metadata: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """A checkpoint whose items have no numbers yet."""

    id: str
    parent: str | None
    run: str | None
    metadata: bytes
    rest: bytes
    channels: Mapping[str, bytes | int]
    items: Sequence[bytes]


class Pool(NamedTuple):
    """What a put has to know of the items that are stored: the next number, digest -> number."""

    next: int
    known: Mapping[bytes, int]


EMPTY = Pool(1, {})
"""The pool of a place in which nothing is kept."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A head whose items have numbers: the new ones, all it uses, and the pool it leaves."""

    head: Head
    new: Mapping[int, bytes]
    ranges: Ranges
    pool: Pool


def digest(item: bytes) -> bytes:
    """By what an item is known; 16 bytes."""
    return blake2b(item, digest_size=16).digest()


def draft(
    serde: SerializerProtocol,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    parent: str | None,
) -> Draft:
    """Encode a checkpoint; this is where the time goes, and it needs no store."""
    channels: dict[str, bytes | int] = {}
    items: list[bytes] = []
    for channel, value in checkpoint["channel_values"].items():
        if _is_list_of_records(value):
            channels[channel] = len(value)
            items.extend(encode(serde, one) for one in value)
            continue
        encoded = encode(serde, value)
        if len(encoded) <= INLINE_BYTES:
            channels[channel] = encoded
        else:
            channels[channel] = _WHOLE
            items.append(encoded)
    rest = {k: v for k, v in checkpoint.items() if k not in ("id", "channel_values")}
    run = metadata.get("run_id")
    return Draft(
        id=checkpoint["id"],
        parent=parent,
        run=run if isinstance(run, str) else None,
        metadata=encode(serde, metadata),
        rest=encode(serde, rest),
        channels=channels,
        items=items,
    )


def settle(drafted: Draft, pool: Pool, *, alone: bool = False, reuse: bool = True) -> Placed:
    """Number a draft's items: the known ones as they are, the others from ``pool.next`` on.

    If the checkpoint stays ``alone``, the pool forgets what it does not use; with ``reuse``, new
    items take the numbers of those, so that a window that moves on writes where it wrote before.
    """
    digests = [digest(item) for item in drafted.items]
    used = set(digests)
    known = {key: n for key, n in pool.known.items() if not alone or key in used}
    dropped = set(pool.known.values()) - set(known.values())
    free = sorted(dropped, reverse=True) if reuse else []
    following, new = pool.next, dict[int, bytes]()
    for key, item in zip(digests, drafted.items, strict=True):
        if key not in known:
            if free:
                known[key] = free.pop()
            else:
                known[key], following = following, following + 1
            new[known[key]] = item
    ranges = _ranges(known[key] for key in digests)
    body = ormsgpack.packb(
        [_FORMAT, list(chain.from_iterable(ranges)), drafted.channels, drafted.rest]
    )
    head = Head(drafted.id, drafted.parent, drafted.run, drafted.metadata, body)
    return Placed(head, new, ranges, Pool(following, known))


def ranges_of(head: Head) -> Ranges:
    """The ranges of a head's items."""
    return _pairs(_body(head)[1])


def numbers_in(ranges: Ranges) -> list[int]:
    """The numbers of the items of ``ranges``, in order; one may stand there more than once."""
    return [number for first, last in ranges for number in range(first, last + 1)]


def gaps(ranges: Iterable[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    """First and last of the stretches outside of all ``ranges``, from 0 to ``end``, past them."""
    fences = [(-1, -1), *sorted(ranges), (end, end)]
    found, covered = [], -1
    for (_, last), (first, _) in pairwise(fences):
        covered = max(covered, last)
        if first > covered + 1:
            found.append((covered + 1, first - 1))
    return found


def checkpoint_of(serde: SerializerProtocol, head: Head, items: Mapping[int, bytes]) -> Checkpoint:
    """The checkpoint of a head; ``items`` has at least all that it names."""
    _, flat, channels, rest = _body(head)
    stored = iter(numbers_in(_pairs(flat)))
    values: dict[str, Any] = {}
    for channel, value in channels.items():
        if isinstance(value, bytes):
            values[channel] = decode(serde, value)
        elif value == _WHOLE:
            values[channel] = decode(serde, items[next(stored)])
        else:
            values[channel] = [decode(serde, items[next(stored)]) for _ in range(value)]
    return cast("Checkpoint", {**decode(serde, rest), "id": head.id, "channel_values": values})


def metadata_of(serde: SerializerProtocol, head: Head) -> CheckpointMetadata:
    """A head's metadata."""
    return cast("CheckpointMetadata", decode(serde, head.metadata))


def needs_ancestors(metadata: CheckpointMetadata) -> bool:
    """Whether a DeltaChannel's value has to be put together from older checkpoints."""
    return bool(metadata.get("counters_since_delta_snapshot"))


def _is_list_of_records(value: Any) -> bool:
    return type(value) is list and bool(value) and all(map(_has_id, value))


def _has_id(value: Any) -> bool:
    return bool(value.get("id") if type(value) is dict else getattr(value, "id", None))


def _ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] + 1 == number:
            ranges[-1] = (ranges[-1][0], number)
        else:
            ranges.append((number, number))
    return ranges


def _pairs(flat: Sequence[int]) -> Ranges:
    return list(zip(flat[::2], flat[1::2], strict=True))


def _body(head: Head) -> list[Any]:
    body: list[Any] = ormsgpack.unpackb(head.body)
    if body[0] != _FORMAT:
        raise ValueError("the checkpoint is of a format that this version does not know")
    return body
