"""What a person's message asks for, as plain values."""

from dataclasses import dataclass
from typing import Literal

from memory.text import Language

Kind = Literal[
    "save", "find", "list", "read", "delete", "update", "spare", "help", "greet", "thanks", "ask"
]
Author = Literal["either", "person", "assistant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which entry is meant; without numbers and words it is the one spoken of last.

    ``ordinals`` count from 1 in the list shown last, -1 is its last; ``sure`` tells that the
    person named it as something of the archive; ``every`` that more than one may be meant.
    """

    ordinals: tuple[int, ...] = ()
    words: str = ""
    sure: bool = False
    every: bool = False


IT = Target()


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What to do. ``spare`` is a wish to drop the matter, which deletes nothing.

    ``content``, ``label`` and ``category`` are what to save or the new values of an update;
    ``author`` tells whose last message "this" is, when there is no content; ``query`` is what to
    look for and ``every`` asks for the whole list.
    """

    kind: Kind
    language: Language
    content: str = ""
    label: str | None = None
    category: str | None = None
    author: Author = "either"
    query: str = ""
    every: bool = False
    target: Target = IT
