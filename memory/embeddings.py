"""Search by meaning: what makes vectors, what keeps them, how two rankings become one. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from memory.lexical import SAMPLE_CHARACTERS
from memory.records import Entry, Found

BY_MEANING = "≈"
"""Stands among an entry's ``matched`` words when its meaning is near the query's."""

RANK_OFFSET = 60
"""How little the first places of a list differ when lists are fused; the usual constant."""

LEAST_COSINE, LEAST_OF_BEST = 0.2, 0.6
"""Below this cosine, or this share of the nearest one's, an entry is not near in meaning."""


@dataclass(frozen=True, slots=True)
class Wording:
    """What of an entry, by its store's number, is embedded: label and content's beginning."""

    number: int
    version: int
    text: str


def wording(number: int, version: int, label: str, content: str) -> Wording:
    return Wording(number, version, f"{label}\n{content[:SAMPLE_CHARACTERS]}")


class Embedder(Protocol):
    """Makes vectors of texts; ``name`` tells vectors of one model from another's.

    Raises Unavailable while it can't, Invalid for texts that it refuses.
    """

    @property
    def name(self) -> str: ...

    async def documents(self, texts: Sequence[str]) -> Sequence[Sequence[float]]: ...

    async def query(self, text: str) -> Sequence[float]: ...


class Vectors(Protocol):
    """Vectors of an owner's entries.

    A vector is deleted with its entry, or when the entry is reworded.
    """

    async def missing(self, owner: str, model: str, *, limit: int) -> Sequence[Wording]:
        """Some of the entries that have no vector of ``model``."""
        ...

    async def keep(
        self, owner: str, model: str, made: Sequence[tuple[Wording, Sequence[float]]]
    ) -> None:
        """Store vectors, except for entries changed since; an empty vector is never found.

        Each takes the place of another model's.
        """
        ...

    async def nearest(
        self,
        owner: str,
        model: str,
        wanted: Sequence[float],
        *,
        category: str | None = None,
        limit: int,
    ) -> Sequence[tuple[Entry, float]]:
        """The entries, without contents, with the largest cosine to ``wanted``, largest first."""
        ...


def near_enough(found: Sequence[tuple[Entry, float]]) -> list[Entry]:
    """The entries, nearest first, that are near at all."""
    least = max([LEAST_COSINE, *(LEAST_OF_BEST * cosine for _, cosine in found[:1])])
    return [entry for entry, cosine in found if cosine >= least]


def fuse(by_words: Sequence[Found], by_meaning: Sequence[Entry]) -> list[Found]:
    """Both lists, best first, as one by reciprocal rank."""
    fused = {
        one.entry.id: replace(one, score=_worth(place)) for place, one in enumerate(by_words, 1)
    }
    for place, entry in enumerate(by_meaning, 1):
        known = fused.get(entry.id) or Found(entry=entry, score=0.0, matched=())
        fused[entry.id] = replace(
            known, score=known.score + _worth(place), matched=(*known.matched, BY_MEANING)
        )
    rounded = (replace(one, score=round(one.score, 6)) for one in fused.values())
    return sorted(rounded, key=lambda one: -one.score)


def _worth(place: int) -> float:
    return 1 / (RANK_OFFSET + place)
