"""The board of runs in Redis: a stream of events and a lease per run.

Of each run there are four keys in one hash slot; of each room there is a set of its runs, of each
user those that are counted, by the time until when:

    stream     entries whose id is the event's id, with its name and its data as JSON
    lease      the worker that holds the run, or "closed" once another has ended it
    stop       there while somebody wants the run stopped
    forgotten  there while events that a worker still has to tell must not be kept
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast

import orjson

from memory.board import LEASE_SECONDS
from memory.keys import new_id
from memory.records import Event, Run
from memory.redis.connection import Client
from memory.redis.faults import mapped_errors
from memory.redis.run_scripts import ADMIT, APPEND, CLOSE, RENEW
from memory.run_slots import by_owner
from memory.runs import KEPT_SECONDS

CLOSED = b"closed"
BLOCK_MS = 200
STOP_SECONDS = 60
READ_EVENTS = 500

_LEASE_MS = int(LEASE_SECONDS * 1000)
_KEPT = int(KEPT_SECONDS)
_NO_BOUND = 10**9
_AHEAD = 1_000  # events that a worker's own followers had when it died before it told the board


class RedisBoard:
    """The Board protocol on a Redis without modules."""

    keeps_events = True

    def __init__(self, client: Client) -> None:
        self._client = client
        self._worker = new_id("worker")
        self._admit = client.register_script(ADMIT)
        self._append = client.register_script(APPEND)
        self._close = client.register_script(CLOSE)
        self._renew = client.register_script(RENEW)

    async def admit(self, run: Run, most: int) -> bool:
        with mapped_errors():
            counted = await self._admit(
                keys=[_user(run.owner), _room(run.room_id)],
                args=[most, _LEASE_MS, 2 * _KEPT, run.id],
            )
        return bool(counted)

    async def hold(self, runs: Collection[Run]) -> None:
        with mapped_errors():
            async with self._client.pipeline(transaction=False) as pipeline:
                for owner, ids in by_owner(runs).items():
                    args: list[str | int] = [_NO_BOUND, _LEASE_MS, 2 * _KEPT, *ids]
                    await self._admit(keys=[_user(owner)], args=args, client=pipeline)
                await pipeline.execute()

    async def release(self, run: Run) -> None:
        with mapped_errors():
            await self._client.zrem(_user(run.owner), run.id)

    async def renew(self, run_ids: Collection[str]) -> Collection[str]:
        with mapped_errors():
            async with self._client.pipeline(transaction=False) as pipeline:
                for run_id in run_ids:
                    await self._renew(
                        keys=[_lease(run_id)], args=[self._worker, _LEASE_MS], client=pipeline
                    )
                held = await pipeline.execute()
        return [run_id for run_id, ours in zip(run_ids, held, strict=True) if not ours]

    async def held(self, run_id: str) -> bool:
        with mapped_errors():
            worker = await self._client.get(_lease(run_id))
        return worker not in (None, CLOSED)

    async def ask_to_stop(self, run_id: str) -> None:
        with mapped_errors():
            await self._client.set(_stop(run_id), b"1", ex=STOP_SECONDS)

    async def to_stop(self, run_ids: Collection[str]) -> Collection[str]:
        with mapped_errors():
            async with self._client.pipeline(transaction=False) as pipeline:
                for run_id in run_ids:
                    pipeline.exists(_stop(run_id))
                asked = await pipeline.execute()
        return [run_id for run_id, stop in zip(run_ids, asked, strict=True) if stop]

    async def append(self, run: Run, events: Sequence[Event]) -> int:
        parts = [part for event in events for part in (event.name, _packed(event))]
        with mapped_errors():
            last = await self._append(
                keys=[_stream(run.id), _lease(run.id), _forgotten(run.id), _room(run.room_id)],
                args=[self._worker, _LEASE_MS, _KEPT, events[0].id, run.id, *parts],
            )
        return int(last)

    async def close(self, run_id: str, events: Sequence[Event]) -> bool:
        parts = [part for event in events for part in (event.name, _packed(event))]
        with mapped_errors():
            ended = await self._close(
                keys=[_stream(run_id), _lease(run_id), _forgotten(run_id)],
                args=[_KEPT, _AHEAD, *parts],
            )
        return bool(ended)

    async def kept(self, run_id: str) -> Sequence[Event]:
        with mapped_errors():
            entries: Any = await self._client.xrange(_stream(run_id))
        return [_event(entry) for entry in entries]

    async def read(self, positions: Mapping[str, int]) -> Mapping[str, Sequence[Event]]:
        streams = {_stream(run_id): f"{last}-0" for run_id, last in positions.items()}
        ids = {_stream(run_id).encode(): run_id for run_id in positions}
        with mapped_errors():
            found: Any = await self._client.xread(
                cast("Any", streams), count=READ_EVENTS, block=BLOCK_MS
            )
        if not found:
            await asyncio.sleep(0)
            return {}
        return {ids[name]: [_event(entry) for entry in entries] for name, entries in found}

    async def known(self, room_id: str) -> Collection[str]:
        with mapped_errors():
            members = cast("set[bytes]", await self._client.smembers(_room(room_id)))
        return [member.decode() for member in members]

    async def forget(self, room_id: str, run_ids: Collection[str]) -> None:
        with mapped_errors():
            async with self._client.pipeline(transaction=False) as pipeline:
                for run_id in run_ids:
                    pipeline.set(_forgotten(run_id), b"1", ex=_KEPT)
                    pipeline.delete(_stream(run_id))
                    pipeline.srem(_room(room_id), run_id)
                await pipeline.execute()


def _stream(run_id: str) -> str:
    return f"tomato:run:{{{run_id}}}:events"


def _lease(run_id: str) -> str:
    return f"tomato:run:{{{run_id}}}:lease"


def _stop(run_id: str) -> str:
    return f"tomato:run:{{{run_id}}}:stop"


def _forgotten(run_id: str) -> str:
    return f"tomato:run:{{{run_id}}}:forgotten"


def _room(room_id: str) -> str:
    return f"tomato:room:{room_id}:runs"


def _user(owner: str) -> str:
    return f"tomato:user:{owner}:runs"


def _packed(event: Event) -> bytes:
    return orjson.dumps(event.data, default=dict)


def _event(entry: tuple[bytes, Mapping[bytes, bytes]]) -> Event:
    number, fields = entry
    return Event(int(number.split(b"-")[0]), fields[b"n"].decode(), orjson.loads(fields[b"d"]))
