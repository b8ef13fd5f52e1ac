"""Whether a content says what another already says, and the two as one without a loss. Pure."""

from collections.abc import Sequence
from typing import Literal

from memory.text import normalize, sentences, words

_ENDS = ".!?…。！？"

Relation = Literal["said", "adds", "apart"]

SHARED = 0.3
"""Which part of the shorter content's text the other must share to be about the same."""

EXTENDED = 0.15
"""Which part of a content an entry must be that it wholly contains, to be extended by it."""

KNOWN = 0.3
"""Which part of an entry a content must be that it wholly contains, to be no entry of its own."""


def relate(kept: str, new: str) -> Relation:
    """How ``new`` stands to a ``kept`` content: all said there, adds to it, or is a thing apart.

    Measured by whole sentences, so that a changed number or name makes it a thing apart.
    """
    old_line, new_line = _line(kept), _line(new)
    if new_line in old_line and len(new_line) >= KNOWN * len(old_line):
        return "said"
    if old_line in new_line and len(old_line) >= EXTENDED * len(new_line):
        return "adds"
    old_parts, new_parts = _parts(kept), _parts(new)
    shared = sum(map(len, old_parts.keys() & new_parts.keys()))
    old_size, new_size = sum(map(len, old_parts)), sum(map(len, new_parts))
    if shared == new_size:
        return "said" if shared >= KNOWN * old_size > 0 else "apart"
    if shared == old_size:
        return "adds" if shared >= EXTENDED * new_size and shared else "apart"
    return "adds" if shared and shared >= SHARED * min(old_size, new_size) else "apart"


def merge(kept: str, new: str) -> str:
    """``kept`` with what ``new`` says beyond it; ``new`` alone if all of ``kept`` stands in it."""
    if " ".join(kept.split()).rstrip(_ENDS) in " ".join(new.split()):
        return new
    known = _parts(kept)
    added = [part for key, part in _parts(new).items() if key not in known]
    return kept.rstrip() + "\n" + "\n".join(added) if added else kept


def most_alike(contents: Sequence[str], new: str) -> tuple[int, Relation] | None:
    """The first of ``contents`` (nearest first) that says ``new``, else the first it adds to."""
    relations = [relate(content, new) for content in contents]
    for wanted in ("said", "adds"):
        if wanted in relations:
            index = relations.index(wanted)
            return index, relations[index]
    return None


def _parts(text: str) -> dict[str, str]:
    """The sentences of a text by what they say, whatever their spacing, case and punctuation."""
    parts = {_folded(sentence): sentence.strip() for sentence in sentences(text)}
    parts.pop("", None)
    return parts


def _line(text: str) -> str:
    """The words of a text between spaces, so that 360 is not found in 3600."""
    return f" {' '.join(words(text.casefold()))} "


def _folded(text: str) -> str:
    return "".join(normalize(text).split())
