"""Search terms of a text and how well an entry answers a query. Pure.

Words are folded, English endings cut, identifiers kept whole and in parts; scripts without spaces
between what people search for (Hangul, Han, Kana) are cut into pairs of characters.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import regex

from memory.text import compose

K1, B = 1.2, 0.6
LABEL_WEIGHT, CATEGORY_WEIGHT = 3, 2
TERM_CHARACTERS = 64

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
