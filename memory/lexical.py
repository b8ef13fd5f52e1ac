"""Search terms of a text and how well an entry answers a query. Pure.

Words are folded, English endings cut, identifiers kept whole and in parts; scripts without spaces
between what people search for (Hangul, Han, Kana) are cut into pairs of characters.
"""

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import regex

from memory.text import compose

K1, B = 1.2, 0.6
LABEL_WEIGHT, CATEGORY_WEIGHT = 3, 2
TERM_CHARACTERS = 64

READ_AT_MOST = 10_000
"""How many postings of rare terms a search reads to find its candidates."""

CANDIDATES = 1_000
LEAST_SHARE = 0.12
"""Of the best entry's score, below which an entry does not count as found."""

_RUN = regex.compile(
    r"(?P<pairs>[\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}]+)|(?P<word>[\p{L}\p{M}\p{N}_]+)"
)
_PARTS = regex.compile(r"\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{M}\p{Lo}]+|\p{N}+")
_STOP = frozenset(
    """
    a about an and are as at be been but by can could did do does find for from had has have how i
    if in is it its me my of on or our please show so than that the their them then there these
    they this to us was we were what when where which who why will with would you your
    """.split()
)


@dataclass(frozen=True, slots=True)
class Statistics:
    """What one owner's archive holds: entries, the mean of their lengths in terms."""

    entries: int
    mean_length: float


@dataclass(frozen=True, slots=True)
class Scored:
    """An entry by its number, its score, the terms found in it."""

    entry: int
    score: float
    found: frozenset[str]


def terms(text: str) -> list[str]:
    """The search terms of a text in its order, repeated as they are; stop words are left out."""
    return [term for word in query_words(text) for term in word[1]]


def query_words(text: str) -> list[tuple[str, list[str]]]:
    """Each word of a text that can be searched for, with its terms."""
    found = []
    for run in _RUN.finditer(compose(text)):
        word = run[0]
        made = _pairs(word.casefold()) if run["pairs"] else _forms(word)
        if made:
            found.append((word, made))
    return found


def _pairs(word: str) -> list[str]:
    if len(word) == 1:
        return [word]
    return [word[index : index + 2] for index in range(len(word) - 1)]


def _forms(word: str) -> list[str]:
    """A word's stem, and for an identifier its parts' stems too."""
    whole = word.casefold()
    if whole in _STOP:
        return []
    parts = [part.casefold() for part in _PARTS.findall(word)]
    made = [_stem(whole)]
    if len(parts) > 1:
        made += [_stem(part) for part in parts if part not in _STOP]
    return [term[:TERM_CHARACTERS] for term in made]


def _stem(word: str) -> str:
    """A light cut of English endings; what is short or has digits stays as it is."""
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    for ending, instead in (("ies", "y"), ("sses", "ss"), ("ing", ""), ("edly", ""), ("ed", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return _single(word[: -len(ending)] + instead)
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return word[:-1] if word.endswith("e") and len(word) > 4 else word


def _single(stem: str) -> str:
    """``stopp`` as ``stop``, ``cach`` as it is."""
    doubled = len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "lsz"
    return stem[:-1] if doubled else stem


def entry_terms(label: str, category: str, content: str) -> Counter[str]:
    """How much each term weighs in an entry: label and category count more than content."""
    weights = Counter(terms(content))
    for text, weight in ((label, LABEL_WEIGHT), (category, CATEGORY_WEIGHT)):
        for term in terms(text):
            weights[term] += weight
    return weights


def rarity(frequency: int, entries: int) -> float:
    """The inverse document frequency of BM25, never negative."""
    return math.log(1 + (entries - frequency + 0.5) / (frequency + 0.5))


def weigh(weight: int, length: int, statistics: Statistics) -> float:
    """The part of BM25 that an entry's weight and length make."""
    norm = 1 - B + B * length / max(statistics.mean_length, 1.0)
    return weight * (K1 + 1) / (weight + K1 * norm)


class Ranking:
    """Scores the entries that hold a query's terms, as a store hands in their postings.

    Rare terms find the candidates; the ``common`` ones, of which reading all would take long, only
    add to the scores of those.
    """

    def __init__(self, frequencies: Mapping[str, int], statistics: Statistics) -> None:
        self._frequencies = frequencies
        self._statistics = statistics
        self._scores: dict[int, float] = defaultdict(float)
        self._found: dict[int, set[str]] = defaultdict(set)
        ordered = sorted(frequencies, key=frequencies.__getitem__)
        reads = list(accumulate(frequencies[term] for term in ordered))
        rare = max(1, sum(read <= READ_AT_MOST for read in reads))
        self.rare, self.common = ordered[:rare], ordered[rare:]

    def add(self, term: str, entry: int, weight: int, length: int) -> None:
        """One posting: ``entry`` holds ``term`` with a weight, among ``length`` terms in all."""
        value = rarity(self._frequencies[term], self._statistics.entries)
        self._scores[entry] += value * weigh(weight, length, self._statistics)
        self._found[entry].add(term)

    def candidates(self) -> list[int]:
        """The best entries so far."""
        return heapq.nlargest(CANDIDATES, self._scores, key=self._scores.__getitem__)

    def best(self) -> list[Scored]:
        """Entries best first, the newer of equals; what is far below the best is not found."""
        ranked = sorted(self.candidates(), key=lambda entry: (-self._scores[entry], -entry))
        least = LEAST_SHARE * self._scores[ranked[0]] if ranked else 0.0
        return [
            Scored(entry, self._scores[entry], frozenset(self._found[entry]))
            for entry in ranked
            if self._scores[entry] >= least
        ]


def matched_words(query: str, found: Mapping[str, object] | Iterable[str]) -> tuple[str, ...]:
    """The query's words of which at least half the terms were found."""
    known = set(found)
    words = {
        word: None
        for word, made in query_words(query)
        if 2 * sum(term in known for term in made) >= len(made)
    }
    return tuple(words)


def overlap(one: Sequence[str], other: Sequence[str]) -> float:
    """How much two texts' terms have in common, from 0 to 1 (Dice)."""
    first, second = set(one), set(other)
    if not first or not second:
        return 0.0
    return 2 * len(first & second) / (len(first) + len(second))
