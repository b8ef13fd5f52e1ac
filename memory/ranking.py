"""How well entries answer a query, from the postings that a store hands in. Pure.

BM25 with weighted fields: a term's weight in an entry counts its label and category more than its
content, and contributes more the rarer the term and the shorter the entry.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

K1, B = 0.6, 0.6
"""How soon repeating a term stops counting, and how much a long entry is penalized.

Notes hold a term once or twice, so that a second time says less than in documents.
"""

MOST_TERMS = 64
"""How many terms of a query are looked at, the rarest."""

READ_AT_MOST = 6_000
"""How many postings of rare terms a search reads to find its candidates."""

COMMON_CANDIDATES = 100
"""For how many of those the common terms are looked up."""

MOST_TRIED = 3
"""In a category: how many common terms are tried while the rare ones have found no candidate."""

FEW = 500
"""Up to how many entries of a category each is looked up, instead of reading postings."""

MOST_PAIRS = 30
"""How many pairs with a lone character are looked for, the commonest."""

CANDIDATES = 1_000
LEAST_SHARE = 0.12
"""Of the best entry's score, below which an entry does not count as found."""


Posting = tuple[int, int, int]
"""An entry's number, a term's weight in it, its length in terms."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What one owner's archive holds: entries, the mean of their lengths in terms."""

    entries: int
    mean_length: float


@dataclass(frozen=True, slots=True)
class Scored:
    """An entry by its number and its score."""

    entry: int
    score: float


def rarity(frequency: int, entries: int) -> float:
    """The inverse document frequency of BM25, never negative."""
    return math.log(1 + max(entries - frequency + 0.5, 0.0) / (frequency + 0.5))


class Ranking:
    """Scores the entries that hold a query's terms, as a store hands in their postings.

    The ``rare`` terms find the candidates, at most READ_AT_MOST postings of each, the newest; the
    ``common`` ones, of which reading all would take long, only add to the scores of the best.
    """

    def __init__(self, frequencies: Mapping[str, int], statistics: Statistics) -> None:
        self._scores: dict[int, float] = {}
        self._postings: list[tuple[str, Sequence[Posting]]] = []
        self._frequencies = frequencies
        self._entries = statistics.entries
        self._fixed = K1 * (1 - B)
        self._per_length = K1 * B / max(statistics.mean_length, 1.0)
        ordered = sorted(frequencies, key=lambda term: (frequencies[term], term))[:MOST_TERMS]
        reads = list(accumulate(frequencies[term] for term in ordered))
        rare = max(1, sum(read <= READ_AT_MOST for read in reads))
        self.rare, self.common = ordered[:rare], ordered[rare:]

    def add(self, term: str, postings: Sequence[Posting]) -> None:
        """The postings of ``term``."""
        value = rarity(self._frequencies[term], self._entries) * (K1 + 1)
        scores, fixed, per_length = self._scores, self._fixed, self._per_length
        score_of = scores.get
        for entry, weight, length in postings:
            gain = value * weight / (weight + fixed + per_length * length)
            scores[entry] = score_of(entry, 0.0) + gain
        self._postings.append((term, postings))

    def next_common(self) -> str | None:
        """The rarest of the common terms, to find candidates by, while there are none."""
        return self.common.pop(0) if self.common and not self._scores else None

    def seen(self) -> list[int]:
        """All entries that hold any of the terms added so far."""
        return list(self._scores)

    def keep(self, entries: Iterable[int]) -> None:
        """Leave out all entries but these."""
        self._scores = {one: self._scores[one] for one in entries}

    def candidates(self) -> list[int]:
        """The best entries so far, in the order of their numbers."""
        return sorted(heapq.nlargest(COMMON_CANDIDATES, self._scores, key=self._scores.__getitem__))

    def best(self) -> list[Scored]:
        """Entries best first, the newer of equals; what is far below the best is not found."""
        least = LEAST_SHARE * max(self._scores.values(), default=0.0)
        near = [(score, entry) for entry, score in self._scores.items() if score >= least]
        near.sort(reverse=True)
        return [Scored(entry, score) for score, entry in near[:CANDIDATES]]

    def found_in(self, entries: Iterable[int]) -> dict[int, set[str]]:
        """Which terms were found in each of these entries."""
        found: dict[int, set[str]] = {entry: set() for entry in entries}
        for term, postings in self._postings:
            for entry, _, _ in postings:
                if entry in found:
                    found[entry].add(term)
        return found
