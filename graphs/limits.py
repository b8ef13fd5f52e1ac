"""What a turn may spend, and how far it has come. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

StopKind = Literal["step_limit", "repeat_stop", "time_limit"]
Reason = Literal["steps", "repetition", "time", "length"]
"""What ended a turn early; clients know it by its StopKind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The budget of one turn.

    The last model call is always kept for an answer without tools, and ``answer_share`` of the
    time with it. Times are seconds, sizes characters, the window is in estimated tokens.
    """

    model_calls: int = 8
    tool_calls: int = 16
    seconds: float = 120.0
    answer_share: float = 0.25
    tool_seconds: float = 30.0
    argument_characters: int = 65_536
    result_characters: int = 8_000
    answer_characters: int = 100_000
    window_tokens: int = 8_000
    digest_tokens: int = 400

    def __post_init__(self) -> None:
        if self.model_calls < 2 or self.tool_calls < 1 or self.seconds <= 0:
            raise ValueError("a turn needs at least 2 model calls, 1 tool call and some time")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Why tool use ended before the model was done; ``detail`` is a sentence for the person."""

    kind: StopKind
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a tool call gave."""

    text: str
    ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a turn has come.

    ``soft`` and ``hard`` are moments of the event loop's clock: past ``soft`` no tool is used any
    more, at ``hard`` the answer is cut. ``dropped`` counts the calls of the last message that the
    budget did not allow, ``refused`` tells, by call id, why calls of the last
    message can't run; ``trail`` holds the signatures of all calls so far, ``results`` the first
    result of each, as far as nothing was written since.
    """

    number: int
    soft: float
    hard: float
    messages: int = 1
    model_calls: int = 0
    tool_calls: int = 0
    dropped: int = 0
    refused: Mapping[str, str] = field(default_factory=dict)
    trail: tuple[str, ...] = ()
    results: Mapping[str, Result] = field(default_factory=dict)
    stop: Stop | None = None
