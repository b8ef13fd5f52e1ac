"""Whether a content says what another already says, and the two as one without a loss. Pure."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from memory.text import condense, sentences, words

Relation = Literal["said", "adds", "apart"]

SHARED = 0.3
"""The least share of the shorter text that must be common for two texts to be about one thing."""

EXTENDED = 0.15
"""An entry within a new content is extended by it only if it is at least this share of it."""

KNOWN = 0.3
"""A content within an entry counts as already saved only if it is at least this share of it."""

SHORT = 200
"""Up to how many sentences a text is looked through word by word."""

_ENDS = ".!?…。！？"
_ITEM = re.compile(r"(?:[-*+>#•]+\s+|\d{1,3}[.)]\s+)+")


@dataclass(frozen=True, slots=True)
class Said:
    """A text's sentences by what they say, whatever their spacing, case and punctuation."""

    parts: dict[str, str]
    line: str

    @classmethod
    def of(cls, text: str) -> Self:
        parts = {condense(_bare(sentence)): sentence for sentence in sentences(text)}
        parts.pop("", None)
        return cls(parts, _line(text))

    @property
    def size(self) -> int:
        return _size(self.parts)

    def found_in(self, other: Self) -> list[str]:
        """The sentences that the other has too, as sentences or, in short texts, within longer."""
        short = len(self.parts) <= SHORT
        return [
            key
            for key, sentence in self.parts.items()
            if key in other.parts or (short and _line(_bare(sentence)) in other.line)
        ]


def relate(kept: str, new: str) -> Relation:
    """How ``new`` stands to a ``kept`` content: all said there, adds to it, or is a thing apart.

    Measured by whole sentences, so that a changed number or name makes it a thing apart.
    """
    before, after = Said.of(kept), Said.of(new)
    known, repeated = after.found_in(before), before.found_in(after)
    if not known and not repeated:
        return "apart"
    if len(known) == len(after.parts):
        return "said" if after.size >= KNOWN * before.size else "apart"
    if len(repeated) == len(before.parts):
        return "adds" if before.size >= EXTENDED * after.size else "apart"
    shared = max(_size(known), _size(repeated))
    return "adds" if shared >= SHARED * min(before.size, after.size) else "apart"


def merge(kept: str, new: str) -> str:
    """``kept`` with what ``new`` says beyond it; ``new`` alone if all of ``kept`` stands in it."""
    old, whole = " ".join(kept.split()), " ".join(new.split())
    if whole.startswith(f"{old} ") and not old.endswith(tuple(_ENDS)):
        # The line's end keeps what was said first a sentence, to be known again as one.
        return f"{kept.rstrip()}\n{whole[len(old) + 1 :]}"
    if old.rstrip(_ENDS) in whole:
        return new
    before, after = Said.of(kept), Said.of(new)
    known = after.found_in(before)
    added = [sentence for key, sentence in after.parts.items() if key not in known]
    return kept.rstrip() + "\n" + "\n".join(added) if added else kept


def most_alike(contents: Sequence[str], new: str) -> tuple[int, Relation] | None:
    """The first of ``contents`` (nearest first) that says ``new``, else the first it adds to."""
    relations = [relate(content, new) for content in contents]
    for wanted in ("said", "adds"):
        if wanted in relations:
            index = relations.index(wanted)
            return index, relations[index]
    return None


def _bare(sentence: str) -> str:
    """A sentence without the mark of a list, a quote or a heading before it."""
    mark = _ITEM.match(sentence)
    return sentence[mark.end() :] if mark else sentence


def _size(parts: Collection[str]) -> int:
    return sum(map(len, parts))


def _line(text: str) -> str:
    """The words of a text between spaces, so that 360 is not found in 3600."""
    return f" {' '.join(words(text))} "
