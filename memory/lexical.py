"""Search terms of a text. Pure.

Words are folded and English endings cut; identifiers are kept whole and in parts; scripts that put
no spaces where people search (Hangul with its particles, Han, Kana, Thai) are cut into pairs of
characters.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import regex

from memory.text import compose
from memory.word_forms import ENGLISH_STOP, KOREAN_ASKING, fold, stem

LABEL_WEIGHT, CATEGORY_WEIGHT = 3, 2
TERM_CHARACTERS = 64

_CATEGORY = "#"
"""What the terms of a category begin with; no other term has it."""

MOST_TERMS = 50_000
"""How many terms of a text are indexed; a text of a million characters seldom has more."""

SAMPLE_CHARACTERS = 4_000
"""How much of a text is compared with others."""

MOST_LONE = 4
"""For how many lone characters of a query the pairs holding them are looked up."""

_SPACELESS = r"\p{Hangul}\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ー々"
_LETTER = rf"[[\p{{L}}\p{{M}}\p{{N}}_]--[{_SPACELESS}]]"
_RUN = regex.compile(
    rf"(?P<pairs>[{_SPACELESS}]++)"
    rf"|(?P<word>{_LETTER}++(?:['’][\p{{L}}\p{{M}}]++)*+)"
    rf"(?P<more>(?:[.\-/:\\@#]++{_LETTER}++)*+)",
    regex.VERSION1,
)
_SEPARATOR = regex.compile(r"[.\-/:\\@#_'’]+")
_PARTS = regex.compile(r"\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{Ll}\p{M}\p{Lo}]+|\p{N}+")
_HOLDS_LETTERS = regex.compile(r"[\p{L}\p{N}]")

Word = tuple[str, list[str]]
"""A word as it is written, and its terms."""


def terms(text: str) -> list[str]:
    """The search terms of a text in its order, repeated as they are; stop words are left out."""
    return [term for _, made in _words(text) for term in made]


def query_words(query: str) -> list[Word]:
    """Each word of a query that can be searched for, with its terms.

    Words by which one only asks (``어디``, ``찾아줘``) are left out unless there are no others.
    """
    found = list(_words(query))
    return [word for word in found if word[0] not in KOREAN_ASKING] or found


def query_terms(query: str) -> list[str]:
    """The terms of a query, each once, and those that would stand in a category's name."""
    said = list(dict.fromkeys(term for _, made in query_words(query) for term in made))
    return said + [_CATEGORY + term for term in said]


def lone_characters(wanted: Sequence[str]) -> list[str]:
    """The single characters that a query is, if it is no more: they stand in others' pairs too.

    Beside words they would only say again what a particle says.
    """
    said = [term for term in wanted if not term.startswith(_CATEGORY)]
    return said[:MOST_LONE] if all(map(_is_single, said)) else []


def pair_of(term: str) -> str:
    """The two characters that a term is, where words are cut into pairs; else nothing."""
    bare = term.removeprefix(_CATEGORY)
    return bare if len(bare) == 2 and not bare.isascii() and _is_of_pairs(bare) else ""


def _is_single(term: str) -> bool:
    return len(term) == 1 and _is_of_pairs(term)


def _is_of_pairs(text: str) -> bool:
    found = _RUN.fullmatch(text)
    return found is not None and found["pairs"] is not None


def _words(text: str) -> Iterator[Word]:
    for run in _RUN.finditer(compose(text)):
        if run["pairs"]:
            yield run["pairs"], _pairs(run["pairs"].casefold())
            continue
        made = list(_identifier(run[0])) if run["more"] else list(_forms(run["word"]))
        if made:
            yield run[0], made


def _pairs(word: str) -> list[str]:
    return [one + other for one, other in pairwise(word)] if len(word) > 1 else [word]


def _forms(word: str) -> Iterator[str]:
    """A word's stem, and the stems of its parts where it is a name such as ``getUserById``."""
    whole = fold(word).replace("’", "'")
    if whole in ENGLISH_STOP:
        return
    whole = whole.removesuffix("'s")
    parts = [fold(part) for part in _PARTS.findall(word.partition("'")[0].partition("’")[0])]
    if _HOLDS_LETTERS.search(whole):
        yield _cut(stem(_joined(_SEPARATOR.split(whole))))
    if len(parts) > 1:
        yield from (_cut(stem(part)) for part in parts if _tells(part))


def _identifier(name: str) -> Iterator[str]:
    """A dotted, dashed or slashed name's terms: of the whole and of its pieces."""
    pieces = [piece for piece in _SEPARATOR.split(name) if piece]
    yield _cut(_joined([fold(piece) for piece in pieces]))
    for piece in pieces:
        yield from _forms(piece)


def _joined(pieces: Sequence[str]) -> str:
    """Pieces as one: ``rate-limit``, ``rate_limit`` and ``rateLimit`` alike, 1.2 apart from 12."""
    whole = ""
    for piece in pieces:
        whole += "." if whole[-1:].isdigit() and piece[:1].isdigit() else ""
        whole += piece
    return whole


def _tells(part: str) -> bool:
    return part not in ENGLISH_STOP and (len(part) > 1 or not part.isascii())


def _cut(term: str) -> str:
    return term[:TERM_CHARACTERS]


@dataclass(frozen=True, slots=True)
class EntryTerms:
    """What an entry is found by: its terms with their weights, its length in terms.

    The terms of its ``category`` are apart, so that renaming one touches nothing else.
    """

    weights: Mapping[str, int]
    category: Mapping[str, int]
    length: int

    def all(self) -> dict[str, int]:
        return {**self.weights, **self.category}


def entry_terms(label: str, category: str, content: str) -> EntryTerms:
    """How much each term weighs in an entry: label and category count more than content."""
    weights = Counter(terms(content))
    length = weights.total()
    if len(weights) > MOST_TERMS:
        weights = Counter(dict(weights.most_common(MOST_TERMS)))
    for term in terms(label):
        weights[term] += LABEL_WEIGHT
    return EntryTerms(weights, category_terms(category), length)


def category_terms(category: str) -> dict[str, int]:
    return {_CATEGORY + term: CATEGORY_WEIGHT for term in terms(category)}


def matched_words(query: str, found: Iterable[str]) -> tuple[str, ...]:
    """What of the query's words was found: of words in pairs the longest part that was.

    Of words of which less than half was found, that part, where there are no others.
    """
    known = frozenset(term.removeprefix(_CATEGORY) for term in found)
    asked = query_words(query)
    matched = [_matched(word, made, known) for word, made in asked if _mostly(made, known)]
    if not any(matched):
        matched = [part for word, made in asked for part in _parts_matched(word, made, known)]
    return tuple(dict.fromkeys(word for word in matched if word))


def _mostly(made: Sequence[str], known: Collection[str]) -> bool:
    return 2 * sum(term in known for term in made) >= len(made) or _is_single(made[0])


def _matched(word: str, made: Sequence[str], known: Collection[str]) -> str:
    if _is_single(made[0]):
        return word if any(made[0] in term for term in known) else ""
    return _longest(word, [term in known for term in made]) if _in_pairs(word, made) else word


def _parts_matched(word: str, made: Sequence[str], known: Collection[str]) -> list[str]:
    if not any(term in known for term in made):
        return []
    if _in_pairs(word, made):
        return [_longest(word, [term in known for term in made])]
    return [part for part in _PARTS.findall(word) if _cut(stem(fold(part))) in known] or [word]


def _in_pairs(word: str, made: Sequence[str]) -> bool:
    return made == _pairs(word.casefold()) and len(made) == len(word) - 1


def _longest(word: str, hits: Sequence[bool]) -> str:
    """The longest run of a word's characters whose pairs are all hits."""
    best = start = 0
    kept = ""
    for index, hit in enumerate([*hits, False]):
        if hit:
            continue
        if index > start and index - start > best:
            best, kept = index - start, word[start : index + 1]
        start = index + 1
    return kept


def sample_terms(text: str) -> Mapping[str, None]:
    """The terms of a text's beginning, each once, in their order: what texts are compared by."""
    return dict.fromkeys(terms(text[:SAMPLE_CHARACTERS]))


def overlap(one: Collection[str], other: Collection[str]) -> float:
    """How much two texts' terms, each once, have in common, from 0 to 1 (Dice)."""
    if not one or not other:
        return 0.0
    return 2 * len(set(one) & set(other)) / (len(one) + len(other))
