"""What follows an answer: old turns fold into the summary, a room gets its title."""

import asyncio
import logging
from collections.abc import Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphs.state import SummaryState
from graphs.summary import SummaryGraph
from graphs.title import MODEL_SECONDS, Said, TitleGraph
from memory.errors import Conflict, StoreError
from memory.events import NOTICE
from memory.keys import LAST_INDEX, message_key, turn_of
from memory.protocols import History, Rooms
from memory.records import Message, Room, Summary
from memory.runs import Emit
from memory.turns import message_tokens, oldest_turns, without_last_turn

CLAIM_SECONDS = 2 * MODEL_SECONDS
"""How long nobody else makes a room's first title; the next turn after it tries again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Folding:
    """When old turns are folded and how much at once; tokens are estimated.

    Folding begins past ``after_tokens`` or ``after_turns`` that the summary does not cover, and
    goes on until half of either is left, in steps of at most ``step_tokens``.
    """

    after_tokens: int = 6_000
    after_turns: int = 40
    step_tokens: int = 6_000
    step_messages: int = 200
    most_steps: int = 8
    message_characters: int = 4_000
    title_messages: int = 6


class Upkeep:
    """Folds and titles rooms; a failure here fails nothing else."""

    def __init__(
        self,
        *,
        rooms: Rooms,
        history: History,
        titles: TitleGraph,
        summaries: SummaryGraph,
        folding: Folding,
    ) -> None:
        self._rooms = rooms
        self._history = history
        self._titles = titles
        self._summaries = summaries
        self._folding = folding
        self._busy: set[str] = set()
        self._background: set[asyncio.Task[None]] = set()

    async def after_turn(self, room: Room, emit: Emit) -> None:
        """Title a first exchange, apart; fold if there is enough to fold, and tell."""
        if room.title_source == "none":
            self.title_soon(room)
        if not self._is_due(room):
            return
        folded = await self.fold(room)
        if folded.summary is not None and folded.summary != room.summary:
            emit(NOTICE, _summarized(folded.summary))

    def title_soon(self, room: Room) -> None:
        self._spawn(self._title_quietly(room))

    async def title(self, room: Room, *, asked: bool = False) -> bool:
        """Give the room a title from its beginning; False if none could be made or set."""
        first = await self._history.between(
            room.owner, room.id, up_to=room.last_key, limit=self._folding.title_messages
        )
        talk = [message for message in first if message.role != "tool" and message.content]
        if not talk:
            return False
        made = await self._titles.ainvoke({"conversation": self._said(talk)})
        title = made.get("title")
        return bool(title) and await self._rooms.title(
            room, str(title), covers=first[-1].key, asked=asked
        )

    async def retitle(self, owner: str, room_id: str) -> Room:
        """A new title because the person asked; Conflict ``no_title`` if none can be made."""
        if not await self.title(await self._rooms.get(owner, room_id), asked=True):
            raise Conflict(
                "There is nothing yet to make a title from, or the model gave none.",
                code="no_title",
            )
        return await self._rooms.get(owner, room_id)

    async def fold(self, room: Room, *, up_to: str | None = None) -> Room:
        """Fold turns into the summary until few are left, or up to and with ``up_to``.

        The room with the summary it has in the end: a step that fails leaves the one before.
        """
        if room.id in self._busy:
            return room
        self._busy.add(room.id)
        try:
            for _ in range(self._folding.most_steps):
                after = await self._fold_once(room, up_to)
                if after is None:
                    break
                room = after
        except StoreError:
            _log.warning("folding ended early", extra={"room_id": room.id})
        finally:
            self._busy.discard(room.id)
        return room

    async def _fold_once(self, room: Room, up_to: str | None) -> Room | None:
        """One step; None when nothing is left to fold, or nothing came of it."""
        oldest = await self._oldest(room, up_to)
        if not oldest:
            return None
        text = await self._summarize(room, self._said(oldest))
        if text is None:
            return None
        summary = Summary(text=text, covers_up_to=oldest[-1].key)
        tokens = sum(map(message_tokens, oldest))
        if not await self._history.fold(room, summary, tokens=tokens):
            return None
        left = max(0, room.pending_tokens - tokens)
        return replace(room, summary=summary, pending_tokens=left)

    async def _oldest(self, room: Room, up_to: str | None) -> Sequence[Message]:
        """The whole turns of the next step; the newest turn is never among them."""
        folding = self._folding
        uncovered = await self._history.between(
            room.owner,
            room.id,
            after=room.summary.covers_up_to if room.summary else None,
            up_to=up_to or message_key(room.turns - 1, LAST_INDEX),
            limit=folding.step_messages,
        )
        if len(uncovered) == folding.step_messages:
            uncovered = without_last_turn(uncovered)
        if up_to is not None:
            return oldest_turns(uncovered, most_tokens=folding.step_tokens)
        return oldest_turns(
            uncovered,
            tokens=room.pending_tokens - folding.after_tokens // 2,
            turns=_pending_turns(room) - folding.after_turns // 2,
            most_tokens=folding.step_tokens,
        )

    async def _summarize(self, room: Room, said: list[Said]) -> str | None:
        before = room.summary.text if room.summary else None
        if not said:
            return before or ""
        made = await self._summaries.ainvoke({"summary": before, "conversation": said})
        return made.get("summary")

    def _is_due(self, room: Room) -> bool:
        folding = self._folding
        return (
            room.pending_tokens > folding.after_tokens or _pending_turns(room) > folding.after_turns
        )

    def _said(self, messages: Sequence[Message]) -> list[Said]:
        most = self._folding.message_characters
        return [
            {"role": message.role, "content": message.content[:most]}
            for message in messages
            if message.role != "tool" and message.content.strip()
        ]

    async def _title_quietly(self, room: Room) -> None:
        try:
            if await self._rooms.claim_title(room, CLAIM_SECONDS):
                await self.title(room)
        except StoreError as error:
            _log.warning("no title", extra={"room_id": room.id, "code": error.code})

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        # The loop holds tasks weakly.
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    @property
    def pending(self) -> Collection[asyncio.Task[None]]:
        """What is under way in the background."""
        return tuple(self._background)

    async def close(self) -> None:
        """Stop what is under way: titles and folds are made again when they are due again."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)


def _pending_turns(room: Room) -> int:
    return room.turns - (turn_of(room.summary.covers_up_to) if room.summary else 0)


def _summarized(summary: Summary) -> Mapping[str, str]:
    detail = f"Messages up to {summary.covers_up_to} are now part of the summary."
    return {"kind": "summarized", "detail": detail, "covers_up_to": summary.covers_up_to}


def summary_state(summary: Summary | None) -> SummaryState | None:
    if summary is None:
        return None
    return {"text": summary.text, "covers_up_to": summary.covers_up_to}
