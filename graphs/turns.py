"""One turn of a room, from the stored question to the stored answer, whoever still listens."""

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import orjson
from langchain_core.messages import HumanMessage

from graphs.chat import ChatGraph
from graphs.fallback import cancelled_words, queued_words
from graphs.gate import Gate
from graphs.limits import Limits
from graphs.model_errors import ModelError
from graphs.open_turns import OpenTurns
from graphs.prefetch import Prefetch
from graphs.state import ChatContext, ChatEvent
from graphs.talk import Talk, answer_of, shown
from graphs.upkeep import Upkeep, summary_state
from memory.checkpoints import PREFETCHED
from memory.errors import Conflict, Invalid, StoreError
from memory.events import ERROR, INTERNAL, MESSAGE, NOTICE, RUN, error_data, message_data, run_data
from memory.keys import new_id
from memory.protocols import History, RunRecords
from memory.records import Message, Room, Run, Status, Turn
from memory.run_slots import Slot
from memory.runs import Emit, Runs
from memory.times import now

ENDS_AT_ONCE, ENDS_PATIENCE_SECONDS = 2, 1.0
"""How many turns are ended at once: meanwhile others come to their first words."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A turn whose question is stored, and with what it is to be answered."""

    turn: Turn
    slot: Slot
    tools: Sequence[str] | None
    request_id: str
    prefetch: Prefetch | None


class Turns:
    """Starts turns and carries them out; what follows an answer is the upkeep's."""

    def __init__(
        self,
        graph: ChatGraph,
        *,
        history: History,
        records: RunRecords,
        runs: Runs,
        open_turns: OpenTurns,
        upkeep: Upkeep,
        prefetch: Callable[[str, str], Prefetch],
        tools: Sequence[str],
        limits: Limits,
    ) -> None:
        self._graph = graph
        self._history = history
        self._records = records
        self._runs = runs
        self._open_turns = open_turns
        self._upkeep = upkeep
        self._prefetch = prefetch
        self._tools = frozenset(tools)
        self._ends = Gate(ENDS_AT_ONCE, patience=ENDS_PATIENCE_SECONDS)
        # No turn can come near: each model call takes at most three steps of the graph.
        self._most_steps = 4 * limits.model_calls + 10

    async def start(
        self,
        owner: str,
        room_id: str,
        message: str,
        *,
        tools: Sequence[str] | None = None,
        idempotency_key: str | None = None,
        request_id: str | None = None,
    ) -> Run:
        """Store a question and start answering it; the run may be one that the same key started.

        Raises TooMany ``too_many_runs``, NotFound ``room_not_found``, Invalid ``unknown_tool``,
        Conflict ``room_busy`` or ``idempotency_mismatch`` (the key came with another request); then
        nothing is stored.
        """
        self.check_tools(tools)
        run = Run(
            id=new_id("run"),
            owner=owner,
            room_id=room_id,
            turn=None,
            status="running",
            started_at=now(),
            idempotency_key=idempotency_key,
            request_digest=_digest(message, tools),
        )
        if idempotency_key is not None and await self._known(run) is not None:
            return await self._same(run)
        prefetch = self._prefetch(owner, room_id)
        async with self._runs.slot(run) as slot:
            try:
                turn = await self._begin(run, message)
            except Conflict as conflict:
                if conflict.code != "run_exists":
                    raise
                return await self._same(run)
            run = replace(run, turn=turn.number)
            # Who waits in the line reads once it is served: much may have changed by then.
            fresh = None if slot.waiting else prefetch
            begun = _Begun(turn, slot, tools, request_id or run.id, fresh)
            try:
                await self._runs.start(run, partial(self._carry_out, begun))
            except StoreError:
                await self._history.abandon(run)
                raise
        return run

    def check_tools(self, tools: Sequence[str] | None) -> None:
        """Refuse tools that there are not: Invalid ``unknown_tool``."""
        unknown = sorted(set(tools or ()) - self._tools)
        if unknown:
            raise Invalid(
                f"There is no tool {unknown[0][:64]!r}.",
                code="unknown_tool",
                details={"field": "tools", "known": sorted(self._tools)},
            )

    async def _begin(self, run: Run, message: str) -> Turn:
        try:
            return await self._history.begin(run, message)
        except Conflict as conflict:
            if not await self._open_turns.closed(run.owner, conflict):
                raise
            return await self._history.begin(run, message)

    async def _same(self, run: Run) -> Run:
        known = await self._known(run)
        if known is None or known.request_digest != run.request_digest:
            raise Conflict(
                "This Idempotency-Key was used for another message.", code="idempotency_mismatch"
            )
        return known

    async def _known(self, run: Run) -> Run | None:
        """The run that took the same idempotency key."""
        return await self._records.by_key(run.owner, run.room_id, str(run.idempotency_key))

    async def _carry_out(self, begun: _Begun, emit: Emit) -> Status:
        """Answer, store, tell; then what is due after an answer."""
        turn, request_id = begun.turn, begun.request_id
        emit(RUN, run_data(turn.run_id, turn.room.id, turn.question.key))
        talk = Talk(turn.number)
        status, failure = await self._answer(begun, talk, emit)
        messages = talk.messages(status)
        try:
            room = await _to_the_end(self._end(turn, messages, status))
        except StoreError as error:
            _log.warning("turn not stored", extra={"run_id": turn.run_id, "code": error.code})
            emit(ERROR, error_data(*(failure or (error.code, str(error))), request_id))
            return "failed"
        if failure is not None:
            # Told once the room is free: who hears of it may ask again at once.
            emit(ERROR, error_data(*failure, request_id))
        answer = answer_of(messages)
        if answer is not None:
            emit(MESSAGE, message_data(answer))
        if status == "complete":
            with suppress(asyncio.CancelledError):
                await self._upkeep.after_turn(room, emit)
        return status

    async def _end(self, turn: Turn, messages: Sequence[Message], status: Status) -> Room:
        # Who stopped a turn, or hears of an error, has nothing to read meanwhile.
        gate = self._ends.passed() if status == "complete" else nullcontext()
        async with gate:
            return await self._history.end(turn, messages, status=status)

    async def _answer(
        self, begun: _Begun, talk: Talk, emit: Emit
    ) -> tuple[Status, tuple[str, str] | None]:
        """Wait for a slot, run the graph; how it ended, and the code and words of an error."""

        def hear(event: ChatEvent) -> None:
            talk.take(event)
            public = shown(event)
            if public is not None:
                emit(*public)

        question = begun.turn.question.content
        try:
            if begun.slot.waiting:
                emit(NOTICE, {"kind": "queued", "detail": queued_words(question)})
                await begun.slot.ready()
            await self._run(begun, hear)
        except asyncio.CancelledError:
            _uncancel()
            emit(NOTICE, {"kind": "cancelled", "detail": cancelled_words(question)})
            return "stopped", None
        except (ModelError, StoreError) as error:
            failure = error.code, str(error)
        except Exception:  # noqa: BLE001 - what nobody foresaw must not leave the turn open
            _log.exception("turn failed", extra={"run_id": begun.turn.run_id})
            failure = INTERNAL
        else:
            return "complete", None
        # The answer may be whole and only its checkpoint lost: the history is what counts.
        return ("complete", None) if talk.answered else ("failed", failure)

    async def _run(self, begun: _Begun, hear: Callable[[ChatEvent], None]) -> None:
        turn, room = begun.turn, begun.turn.room
        prefetch = begun.prefetch or self._prefetch(room.owner, room.id)
        state = partial(prefetch.checkpoint, deletions=room.deletions)
        steps = self._graph.astream(
            {"messages": [HumanMessage(id=turn.question.key, content=turn.question.content)]},
            {
                "configurable": {"thread_id": room.id, PREFETCHED: state},
                "recursion_limit": self._most_steps,
            },
            context=ChatContext(
                user=room.owner,
                room_id=room.id,
                turn=turn.number,
                after=turn.after,
                deletions=room.deletions,
                summary=summary_state(room.summary),
                tools=None if begun.tools is None else tuple(begun.tools),
                digest=prefetch.digest,
                hear=hear,
            ),
            stream_mode=[],  # what is said is heard
            # One write at the end: until then the question is in the history, and a crash
            # loses nothing that was acknowledged.
            durability="exit",
        )
        async for _ in steps:
            pass


def _digest(message: str, tools: Sequence[str] | None) -> str:
    chosen = None if tools is None else sorted(tools)
    return hashlib.sha256(orjson.dumps([message, chosen])).hexdigest()


async def _to_the_end(storing: Coroutine[Any, Any, Room]) -> Room:
    """Finish storing even if the run is cancelled meanwhile: the turn is over either way."""
    task = asyncio.ensure_future(storing)
    while True:
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise
            _uncancel()


def _uncancel() -> None:
    """Take a cancellation as heard, so that what follows may wait again."""
    task = asyncio.current_task()
    if task is not None:
        task.uncancel()
