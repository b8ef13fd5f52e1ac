"""What the chat graph carries: its state from turn to turn, its context in one run, its events."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AnyMessage, BaseMessage
from langgraph.channels import UntrackedValue
from langgraph.graph.message import add_messages

from graphs.limits import Progress, StopKind


class SummaryState(TypedDict):
    """A rolling summary and the key of the last message that it covers."""

    text: str
    covers_up_to: str


class ChatInput(TypedDict):
    """One question, as one human message."""

    messages: list[AnyMessage]


class ChatOutput(TypedDict):
    """What a turn leaves behind: the window, its answer last, and the summary before it."""

    messages: list[AnyMessage]
    summary: SummaryState | None


class ChatState(TypedDict, total=False):
    """A bounded window of recent messages and the summary of what came before it.

    The ids of messages are their keys in the history; ``deletions`` is the room's count of them
    when the window was made. ``system`` and ``progress`` live for one turn and are never stored.
    """

    messages: Annotated[list[AnyMessage], add_messages]
    summary: SummaryState | None
    deletions: int
    system: Annotated[str, UntrackedValue]
    progress: Annotated[Progress, UntrackedValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatContext:
    """Who asks, where, and with what tools (None for all).

    With a ``room_id`` the history leads: ``turn`` is the question's turn, ``after`` the key of the
    message before it, ``deletions`` how often messages were deleted from the room, and the state is
    made anew from the history when it does not fit. ``digest`` gives that of the person's
    archive, for the first call, where it is being read. ``hear`` is told of the run's events;
    without it they go to the graph's custom stream, which costs a task for each wait.
    """

    user: str = "local"
    room_id: str | None = None
    turn: int | None = None
    after: str | None = None
    deletions: int = 0
    summary: SummaryState | None = None
    tools: tuple[str, ...] | None = None
    digest: "Callable[[], Awaitable[str]] | None" = None
    hear: "Callable[[ChatEvent], None] | None" = None


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of text as the model says it."""

    text: str


@dataclass(frozen=True, slots=True)
class ToolStart:
    """A tool is about to run."""

    id: str
    name: str
    args: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolEnd:
    """A tool has answered, or could not."""

    id: str
    name: str
    ok: bool
    preview: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the person should know about how the answer came to be."""

    kind: StopKind
    detail: str


@dataclass(frozen=True, slots=True)
class Said:
    """A message of this turn is whole; in the order of the talk."""

    message: BaseMessage


ChatEvent = Token | ToolStart | ToolEnd | Notice | Said
