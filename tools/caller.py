"""Who a tool is run for; handed in beside the model's arguments, never one of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The person, and the question that they asked: the source of what gets saved."""

    user: str
    room_id: str | None = None
    question_key: str | None = None
    said: str = ""
    """The question in their own words: what can't be undone needs to be asked for in it."""
    offer: str = ""
    """The answer before it, which a "yes" agrees to."""
