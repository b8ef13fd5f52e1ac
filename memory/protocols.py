"""What the rest of Tomato may ask of memory, whichever store answers.

Every call names the owner, and what is another's is as absent as what never was: NotFound. All
raise Unavailable when their store is away. Lists are bounded: ``limit`` is 1..100.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from memory.records import (
    Category,
    Deleted,
    Entry,
    Found,
    Message,
    Near,
    Page,
    Room,
    Run,
    Source,
    Status,
    Summary,
    Turn,
)

FEW = 5
"""How many old rooms one clean-up step gets."""


class Rooms(Protocol):
    """Rooms: their titles and their order, newest activity first."""

    async def create(
        self,
        owner: str,
        title: str | None = None,
        *,
        listed: bool = True,
        room_id: str | None = None,
    ) -> Room:
        """A new room; with a ``room_id`` the owner's room of that id, made if it is not there.

        The title of one that is in no list is not a person's own.
        """
        ...

    async def get(self, owner: str, room_id: str) -> Room: ...

    async def page(self, owner: str, *, limit: int, cursor: str | None = None) -> Page[Room]: ...

    async def ids(self, owner: str) -> Sequence[str]:
        """Every room of an owner, listed or not."""
        ...

    async def unlisted(self, owner: str, *, before: datetime) -> Sequence[Room]:
        """A few of the rooms that are in no list and had no turn since ``before``."""
        ...

    async def rename(self, owner: str, room_id: str, title: str) -> Room:
        """Set the person's own title."""
        ...

    async def claim_title(self, seen: Room, seconds: float) -> bool:
        """Be for so long the only one, in any process, that makes the first title of a room.

        False if there is a title, or another claimed it.
        """
        ...

    async def title(self, seen: Room, title: str, *, covers: str, asked: bool = False) -> bool:
        """Set a title made from the messages up to ``covers`` of the room as ``seen``.

        False, and nothing changes, when there is a title already and nobody ``asked`` for another,
        or when messages were deleted since.
        """
        ...

    async def delete(self, owner: str, room_id: str) -> None:
        """Delete the room with its messages, summary and runs; Conflict while a turn is open."""
        ...


class History(Protocol):
    """The messages of rooms: what a person sees, pages through and deletes from.

    A turn is stored in two steps, its question and its end; a crash between them leaves the
    question alone, and nothing of a later step is ever seen in part.
    """

    async def begin(self, run: Run, content: str) -> Turn:
        """Store a question with its run and open its turn.

        Conflict ``room_busy`` if a turn is open, Conflict ``run_exists`` if the run's idempotency
        key was used (both with ``details["run_id"]``): then nothing is written.
        """
        ...

    async def end(self, turn: Turn, messages: Sequence[Message], *, status: Status) -> Room:
        """Store what the turn said and close it and its run.

        With ``status`` failed the question is marked failed too. Conflict ``turn_closed`` if the
        turn is no longer the room's open one: then nothing is written.
        """
        ...

    async def abandon(self, run: Run) -> bool:
        """Close a run whose worker is gone: its question stays, as ``failed``."""
        ...

    async def page(
        self, owner: str, room_id: str, *, limit: int, cursor: str | None = None
    ) -> Page[Message]:
        """Messages newest first; the cursor is a message key."""
        ...

    async def between(
        self,
        owner: str,
        room_id: str,
        *,
        after: str | None = None,
        up_to: str | None = None,
        limit: int,
    ) -> Sequence[Message]:
        """Messages with ``after < key <= up_to``, oldest first, at most the first ``limit``."""
        ...

    async def recent(
        self, owner: str, room_id: str, *, after: str | None, up_to: str | None, max_tokens: int
    ) -> Sequence[Message]:
        """The newest whole turns with ``after < key <= up_to`` that fit, oldest first.

        The newest turn is there even if it alone is too large.
        """
        ...

    async def delete(
        self,
        owner: str,
        room_id: str,
        keys: Sequence[str],
    ) -> Deleted:
        """Delete messages, a tool call together with its results, and a summary that covers any.

        NotFound if any key is not in the room, Conflict while a turn is open: then nothing is
        deleted.
        """
        ...

    async def fold(self, seen: Room, summary: Summary, *, tokens: int) -> bool:
        """Replace the summary of the room as ``seen``; it covers ``tokens`` more than before.

        False, and nothing changes, when another summary came first or messages were deleted since.
        """
        ...


class RunRecords(Protocol):
    """What is kept of runs, written by History with their turns, to answer for them later."""

    async def get(self, owner: str, run_id: str) -> Run: ...

    async def by_key(self, owner: str, room_id: str, idempotency_key: str) -> Run | None: ...

    async def answer(self, run: Run) -> Message | None:
        """The message that an ended run stored as its answer, if it is still there."""
        ...

    async def unfinished(self) -> Sequence[Run]:
        """Runs that no one ended, of every owner: for the start after a crash."""
        ...


class Archive(Protocol):
    """What a person chose to remember, by category, found again in their own words."""

    async def save(
        self, owner: str, *, label: str, category: str, content: str, source: Source | None = None
    ) -> Entry:
        """Keep a new entry; Conflict ``duplicate`` (``details["id"]``) if its content is there."""
        ...

    async def add(self, entry: Entry) -> Entry:
        """Keep an entry from elsewhere as it is, but without its files.

        Conflict ``duplicate`` as for a new one, ``entry_exists`` if anybody's entry has its id.
        """
        ...

    async def get(self, owner: str, entry_id: str) -> Entry: ...

    async def update(
        self,
        owner: str,
        entry_id: str,
        *,
        label: str | None = None,
        category: str | None = None,
        content: str | None = None,
        if_version: int | None = None,
    ) -> Entry:
        """Change what is given; Stale if the entry is not at ``if_version`` any more."""
        ...

    async def delete(self, owner: str, entry_id: str) -> None: ...

    async def page(
        self,
        owner: str,
        *,
        category: str | None = None,
        limit: int,
        cursor: str | None = None,
        oldest_first: bool = False,
    ) -> Page[Entry]:
        """Entries newest first, their ``content`` left empty; a cursor is of its own direction."""
        ...

    async def search(
        self,
        owner: str,
        query: str,
        *,
        category: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[Found]:
        """Entries that match, best first; a query without a word in it finds nothing."""
        ...

    async def near(self, owner: str, content: str, *, limit: int = 5) -> Sequence[Near]:
        """Entries with the same or nearly the same content, nearest first."""
        ...

    async def categories(self, owner: str) -> Sequence[Category]:
        """The owner's categories, the fullest first."""
        ...

    async def rename_category(self, owner: str, name: str, new_name: str) -> int:
        """Rename a category, or merge it into one that is there; how many entries moved."""
        ...

    async def digest(self, owner: str, *, max_tokens: int) -> str:
        """Categories with counts and the newest labels, never contents, within a bound."""
        ...
