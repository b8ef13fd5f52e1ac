"""LangGraph's checkpoints in Redis or Valkey, by plain commands and server-side scripts.

A turn costs one script that reads and one that writes. The keys and scripts are described in
``checkpoint_scripts``; ids become parts of keys only in percent-encoding.
"""

import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, cast
from urllib.parse import quote, unquote

import ormsgpack
from redis.asyncio import Redis

from memory.checkpoint_codec import EMPTY, Draft, Head, Placed, Pool, Write, digest, settle
from memory.checkpoints import (
    BATCH,
    Found,
    Keep,
    Place,
    Query,
    Saver,
    Stored,
    attempts,
    refuse_copy,
)
from memory.recent import Recent
from memory.redis.checkpoint_scripts import DROP, PUT, PUT_WRITES, READ
from memory.redis.faults import mapped_errors

REMEMBERED = 512


class _Base(NamedTuple):
    """What a put has to know of its place."""

    revision: bytes
    pool: Pool


class RedisSaver(Saver):
    """A saver on one Redis, standalone or cluster; ``ttl`` after its last write a thread is gone.

    The client has to hand out bytes (``decode_responses=False``).
    """

    def __init__(
        self,
        client: Redis,
        *,
        keep: Keep = "all",
        types: Iterable[type] = (),
        ttl: timedelta | None = None,
        prefix: str = "tomato:checkpoints",
    ) -> None:
        super().__init__(keep=keep, types=types)
        # The driver's types leave open whether answers are bytes; here they always are.
        self._client = cast("Any", client)
        if self._client.get_encoder().decode_responses:
            raise ValueError("checkpoints are bytes: the client must not decode responses")
        self._prefix = prefix
        self._milliseconds = str(0 if ttl is None else int(ttl.total_seconds() * 1000))
        self._read_script = client.register_script(READ)
        self._put_script = client.register_script(PUT)
        self._write_script = client.register_script(PUT_WRITES)
        self._drop_script = client.register_script(DROP)
        # Only a hint: a put that was made from an old one changes nothing and is made anew.
        self._bases = Recent[Place, _Base](REMEMBERED)

    async def _read(self, place: Place, checkpoint_id: str | None) -> Stored | None:
        with mapped_errors():
            reply = await self._read_script(self._keys(place), [checkpoint_id or ""])
        if not reply:
            return None
        stored, base = _stored(place, reply), _base(reply)
        if checkpoint_id is None:
            self._bases.put(place, base)
        return stored

    async def _heads(self, query: Query) -> AsyncIterator[Sequence[Found]]:
        with mapped_errors():
            ids = [found async for found in self._ids(query)]
            ids.sort(reverse=True)
            for start in range(0, len(ids), BATCH):
                pipe = self._client.pipeline(transaction=False)
                for checkpoint_id, place in ids[start : start + BATCH]:
                    pipe.hget(self._keys(place)[1], checkpoint_id)
                packed = await pipe.execute()
                yield [
                    Found(place, _head(checkpoint_id, head))
                    for (checkpoint_id, place), head in zip(
                        ids[start : start + BATCH], packed, strict=True
                    )
                    if head is not None
                ]

    async def _ids(self, query: Query) -> AsyncIterator[tuple[str, Place]]:
        highest = "+" if query.before is None else f"({query.before}"
        async for place in self._places(query.thread, query.namespace):
            found = await self._client.zrevrangebylex(self._keys(place)[2], highest, "-")
            for checkpoint_id in found:
                if query.id in (None, checkpoint_id.decode()):
                    yield checkpoint_id.decode(), place

    async def _places(
        self, thread: str | None = None, namespace: str | None = None
    ) -> AsyncIterator[Place]:
        if thread is not None and namespace is not None:
            yield Place(thread, namespace)
        elif thread is not None:
            for name in await self._client.smembers(self._namespaces(thread)):
                yield Place(thread, name.decode())
        else:
            start = self._namespaces("")[:-1]
            async for key in self._client.scan_iter(match=f"{start}*", count=1000):
                async for place in self._places(unquote(key.decode()[len(start) : -1])):
                    yield place

    async def _complete(self, found: Sequence[Found]) -> Sequence[Stored]:
        with mapped_errors():
            pipe = self._client.pipeline(transaction=False)
            for place, head in found:
                await self._read_script(self._keys(place), [head.id], client=pipe)
            replies = await pipe.execute()
        return [
            _stored(one.place, reply) for one, reply in zip(found, replies, strict=True) if reply
        ]

    async def _put(self, place: Place, drafted: Draft, *, alone: bool) -> None:
        with mapped_errors():
            base = self._bases.get(place)
            async for _ in attempts():
                if base is None:
                    base = await self._base(place)
                after = await self._try_put(place, base, drafted, alone=alone)
                if after is not None:
                    self._bases.put(place, after)
                    await self._index(place, drafted)
                    return
                self._bases.drop(place)
                base = None

    async def _base(self, place: Place) -> _Base:
        """The items of the newest checkpoint, and the numbers that are free."""
        keys = self._keys(place)
        reply = await self._read_script(keys, [""])
        if reply:
            return _base(reply)
        revision, following = await self._client.hmget(keys[0], ["r", "s"])
        return _Base(revision or b"", Pool(int(following or EMPTY.next), {}))

    async def _try_put(
        self, place: Place, base: _Base, drafted: Draft, *, alone: bool
    ) -> _Base | None:
        placed = settle(drafted, base.pool, alone=alone)
        revision = secrets.token_bytes(8)
        arguments: list[str | int | bytes] = [
            *(base.revision, revision, placed.pool.next, int(alone), drafted.id),
            *(_packed(placed), self._milliseconds, place.namespace),
        ]
        for number, item in placed.new.items():
            arguments += [number, item]
        keys = [*self._keys(place), self._namespaces(place.thread)]
        if not await self._put_script(keys, arguments):
            return None
        return _Base(revision, placed.pool)

    async def _index(self, place: Place, drafted: Draft | Head) -> None:
        """Remember which checkpoints a run has made."""
        if drafted.run is not None:
            key = self._run(drafted.run)
            pipe = self._client.pipeline(transaction=False)
            pipe.sadd(key, ormsgpack.packb([*place, drafted.id]))
            if self._milliseconds != "0":
                pipe.pexpire(key, int(self._milliseconds))
            await pipe.execute()

    async def _put_writes(self, place: Place, checkpoint_id: str, writes: Sequence[Write]) -> None:
        newest_only = str(int(self._keep == "latest"))
        arguments: list[str | bytes] = [self._milliseconds, place.namespace]
        arguments += [newest_only, checkpoint_id]
        for write in writes:
            size = len(checkpoint_id.encode())
            field = f"{size}:{checkpoint_id}:{write.idx}:{write.task}"
            packed = ormsgpack.packb(list(write))
            arguments += ["HSET" if write.idx < 0 else "HSETNX", field, packed]
        with mapped_errors():
            keys = [*self._keys(place), self._namespaces(place.thread)]
            await self._write_script(keys, arguments)

    async def _delete(self, thread: str) -> None:
        with mapped_errors():
            places = [place async for place in self._places(thread)]
            keys = [self._namespaces(thread)]
            for place in places:
                for head in await self._all_heads(place):
                    await self._unindex(place, head)
                keys += self._keys(place)
            await self._client.delete(*keys)

    async def _delete_runs(self, runs: Sequence[str]) -> None:
        with mapped_errors():
            for run in runs:
                gone: dict[Place, list[str]] = {}
                for packed in await self._client.smembers(self._run(run)):
                    thread, namespace, checkpoint_id = ormsgpack.unpackb(packed)
                    gone.setdefault(Place(thread, namespace), []).append(checkpoint_id)
                for place, ids in gone.items():
                    heads = await self._all_heads(place)
                    await self._drop(place, [h for h in heads if h.run == run and h.id in ids])
                await self._client.delete(self._run(run))

    async def _prune(self, thread: str) -> None:
        with mapped_errors():
            async for place in self._places(thread):
                heads = sorted(await self._all_heads(place), key=lambda head: head.id)
                if heads and not self._needs_ancestors(heads[-1]):
                    await self._drop(place, heads[:-1])
                    for head in heads[:-1]:
                        await self._unindex(place, head)

    async def _drop(self, place: Place, heads: Iterable[Head]) -> None:
        ids = [head.id for head in heads]
        if ids:
            await self._drop_script(self._keys(place), [secrets.token_bytes(8), *ids])

    async def _all_heads(self, place: Place) -> list[Head]:
        packed = await self._client.hgetall(self._keys(place)[1])
        return [_head(checkpoint_id.decode(), head) for checkpoint_id, head in packed.items()]

    async def _unindex(self, place: Place, head: Head) -> None:
        if head.run is not None:
            member = ormsgpack.packb([*place, head.id])
            await self._client.srem(self._run(head.run), member)

    async def _copy(self, source: str, target: str) -> None:
        with mapped_errors():
            if await self._client.exists(self._namespaces(target)):
                refuse_copy()
            async for place in self._places(source):
                await self._copy_place(place, Place(target, place.namespace))

    async def _copy_place(self, source: Place, target: Place) -> None:
        pipe = self._client.pipeline(transaction=False)
        for ours, theirs in zip(self._keys(source), self._keys(target), strict=True):
            if theirs == self._keys(target)[2]:
                ids = await self._client.zrange(ours, 0, -1)
                if ids:
                    pipe.zadd(theirs, dict.fromkeys(ids, 0))
                continue
            fields = await self._client.hgetall(ours)
            if fields:
                pipe.hset(theirs, mapping=fields)
        pipe.sadd(self._namespaces(target.thread), target.namespace)
        if self._milliseconds != "0":
            for key in (*self._keys(target), self._namespaces(target.thread)):
                pipe.pexpire(key, int(self._milliseconds))
        await pipe.execute()
        for head in await self._all_heads(target):
            await self._index(target, head)

    def _keys(self, place: Place) -> list[str]:
        """Items, heads, ids and writes; the braces put a thread into one slot of a cluster."""
        tail = f"{{t{quote(place.thread, safe='')}}}:{quote(place.namespace, safe='')}"
        return [f"{self._prefix}:{kind}:{tail}" for kind in ("items", "heads", "ids", "writes")]

    def _namespaces(self, thread: str) -> str:
        return f"{self._prefix}:namespaces:{{t{quote(thread, safe='')}}}"

    def _run(self, run: str) -> str:
        return f"{self._prefix}:run:{quote(run, safe='')}"


def _packed(placed: Placed) -> bytes:
    head = placed.head
    ranges = ",".join(f"{first}-{last}" for first, last in placed.ranges)
    packed = ormsgpack.packb([head.parent, head.run, head.metadata, head.body])
    return ranges.encode() + b"\n" + packed


def _head(checkpoint_id: str, packed: bytes) -> Head:
    return Head(checkpoint_id, *ormsgpack.unpackb(packed.partition(b"\n")[2]))


def _stored(place: Place, reply: Sequence[Any]) -> Stored:
    checkpoint_id, packed, items, writes, _ = reply
    return Stored(
        place,
        _head(checkpoint_id.decode(), packed),
        _numbered(items),
        [Write(*ormsgpack.unpackb(write)) for write in writes],
    )


def _base(reply: Sequence[Any]) -> _Base:
    revision, following = reply[4]
    known = {digest(item): number for number, item in _numbered(reply[2]).items()}
    return _Base(revision, Pool(int(following), known))


def _numbered(items: Sequence[bytes]) -> dict[int, bytes]:
    return {int(number): item for number, item in zip(items[::2], items[1::2], strict=True)}
