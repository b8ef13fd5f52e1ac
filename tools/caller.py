"""Who a tool is run for; handed in beside the model's arguments, never one of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The person, and the question that they asked: the source of what gets saved."""

    user: str
    room_id: str | None = None
    question_key: str | None = None
