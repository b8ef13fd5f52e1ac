"""The things that are remembered, as plain immutable values; no storage, no behaviour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

Role = Literal["user", "assistant", "tool"]
Status = Literal["complete", "stopped", "failed"]
RunStatus = Literal["running", "complete", "stopped", "failed"]
SummaryFate = Literal["unchanged", "rebuilt", "cleared"]
TitleSource = Literal["none", "auto", "user"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list; ``next_cursor`` is None on the last."""

    items: Sequence[T]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens that a model counted."""

    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """A model's wish to run a tool."""

    id: str
    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a room's history. ``key`` orders the messages of a room and never changes."""

    key: str
    turn: int
    role: Role
    content: str
    created_at: datetime
    status: Status = "complete"
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    tool_name: str | None = None
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A rolling summary of a room's messages up to and with ``covers_up_to`` (a message key)."""

    text: str
    covers_up_to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTurn:
    """The turn of a room that has a question and no stored end yet."""

    turn: int
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A talk: its title, its counters, its rolling summary.

    ``last_key`` is the key of the last message that counts: anything stored past it belongs to
    a turn whose end was never acknowledged. ``deletions`` grows with each deletion, so that what
    was made from the messages before one (a summary, a title) can't be stored after it.
    ``pending_tokens`` estimates the messages that the summary does not cover.
    """

    id: str
    owner: str
    title: str | None
    title_source: TitleSource
    created_at: datetime
    updated_at: datetime
    message_count: int = 0
    turns: int = 0
    last_key: str | None = None
    open_turn: OpenTurn | None = None
    summary: Summary | None = None
    deletions: int = 0
    pending_tokens: int = 0

    @property
    def running(self) -> str | None:
        """The id of the run that answers now."""
        return self.open_turn.run_id if self.open_turn else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A turn that has begun: its question is stored under ``question.key``.

    ``after`` is the key of the last message before the question, None in an empty room.
    """

    room: Room
    number: int
    run_id: str
    question: Message
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a turn, found again by its id or by the client's idempotency key."""

    id: str
    owner: str
    room_id: str
    turn: int | None
    status: RunStatus
    started_at: datetime
    ended_at: datetime | None = None
    answer_key: str | None = None
    idempotency_key: str | None = None
    request_digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """The message that an archive entry came from."""

    room_id: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of an entry, without its bytes, which are the owner's blob ``blob``.

    ``digest`` is the SHA-256 of the bytes in hex; ``searchable`` tells that its words are found.
    """

    name: str
    size: int
    content_type: str
    digest: str
    created_at: datetime
    blob: str
    searchable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a person chose to remember.

    ``label`` is 1..30 grapheme clusters on one line; ``size`` counts the content's UTF-8 bytes;
    ``version`` grows by one with each change.
    """

    id: str
    owner: str
    category: str
    label: str
    content: str
    size: int
    created_at: datetime
    updated_at: datetime
    version: int = 1
    source: Source | None = None
    files: tuple[File, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An entry that a search found: best first by ``score``, ``matched`` the words that matched."""

    entry: Entry
    score: float
    matched: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """An entry whose content is the same (``exact``) or nearly so; ``overlap`` is in 0..1."""

    entry: Entry
    exact: bool
    overlap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """A category of one person's archive and how many entries it holds."""

    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """What a deletion took: the keys asked for, what had to go along, the summary's fate.

    ``title_cleared`` tells that a made title went too, because it may have told of what is gone.
    """

    deleted: tuple[str, ...]
    also_deleted: tuple[str, ...] = ()
    summary: SummaryFate = "unchanged"
    title_cleared: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a run's stream; ``id`` grows, by one unless a worker was lost."""

    id: int
    name: str
    data: Mapping[str, Any] = field(default_factory=dict)
