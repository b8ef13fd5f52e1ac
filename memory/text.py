"""Text as people see it: characters, words, sentences, language, sameness. Pure, linear in time."""

import unicodedata
from collections.abc import Iterator
from typing import Literal

import regex

Language = Literal["ko", "en"]

LABEL_LIMIT = 30
"""How many characters, as people see them, a label has at most."""

TITLE_LIMIT = 40
"""How many characters, as people see them, a title made from a talk has at most."""

LABEL_POINTS = 512
"""How many code points a label has at most: a character as people see it can hold any number."""

_SAMPLE = 20_000
_KOREAN_SHARE = 0.15
_MARKS = 16

# A run of flags costs \X the square of its length, so pairs of them are told apart before.
_GRAPHEME = regex.compile(r"\p{RI}{2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*+|\X")
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]++(?:['’][\p{L}\p{M}]++)*+")
_HANGUL = regex.compile(r"\p{Hangul}")
# Sorting a run of combining marks costs the normalizer the square of its length.
_LONG_MARKS = regex.compile(rf"(\p{{M}}{{{_MARKS}}})\p{{M}}++")
_INVISIBLE = regex.compile(r"[\p{Cf}\p{Cs}\N{VARIATION SELECTOR-15}\N{VARIATION SELECTOR-16}]++")
# Punctuation that makes another thing of what it stands in: 3.5, -5, 5%, C#.
_TELLING = r"(?<=\d)[.,:/\-](?=\d)|(?<![^\s(])-(?=\d)|(?<=\d)%|(?<=\b\p{L})#"
# Fillers and the blank of Braille are letters and symbols by name alone.
_UNSEEN = regex.compile(r"[\s\p{Z}\p{Cc}\p{Cf}\p{Cs}\p{M}\u115f\u1160\u2800\u3164\uffa0]*+")
_BETWEEN = regex.compile(rf"({_TELLING})|[\p{{P}}\p{{Z}}\p{{Cc}}\s]")
_SPACES = regex.compile(r"[\s\p{Z}\p{Cc}]++")
_THOUSANDS = regex.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_LOOSE_SPACE = regex.compile(r"(?<!\d) | (?!\d)")
_SENTENCE = regex.compile(
    r"(?<![.!?…])[.!?…]++[\"'”’)\]」』]*+(?=\s)|(?<![。！？])[。！？]++[\"'”’)\]」』）]*+"
)
_UNFINISHED = regex.compile(
    r"(?:^|[\s(])(?:\p{L}|\d{1,3}|e\.g|i\.e|etc|cf|vs|no|mr|mrs|ms|dr|st|fig)\.$", regex.IGNORECASE
)
_DANGLING = " ,;:·-–—(/"


def compose(text: str) -> str:
    """``text`` in compatibility form (NFKC), without characters that nobody sees."""
    return unicodedata.normalize("NFKC", _LONG_MARKS.sub(r"\1", _INVISIBLE.sub("", text)))


def normalize(text: str) -> str:
    """What ``text`` says whatever its case, width, punctuation and spacing: words and one space.

    Two texts that differ in a sign that tells (3.5 and 35, -5 and 5, C and C++) stay two.
    """
    folded = unicodedata.normalize("NFKC", compose(text).casefold())
    return " ".join(_BETWEEN.sub(_telling_or_space, _THOUSANDS.sub("", folded)).split())


def condense(text: str) -> str:
    """``text`` normalized and without spaces, but for those that part two numbers.

    Korean is written with and without them: 만료 시간 and 만료시간, like don't and dont, are one.
    """
    return _LOOSE_SPACE.sub("", normalize(text))


def _telling_or_space(found: regex.Match[str]) -> str:
    telling: str | None = found[1]
    return telling or " "


def is_blank(text: str) -> bool:
    """Whether there is nothing to see in ``text``: spaces, invisible marks, accents on nothing."""
    return _UNSEEN.fullmatch(text) is not None


def iter_graphemes(text: str) -> Iterator[str]:
    """The characters of ``text`` as people see them; joined, they are the text."""
    return (found[0] for found in _GRAPHEME.finditer(text))


def grapheme_count(text: str) -> int:
    """How many characters people see in ``text``."""
    return sum(1 for _ in _GRAPHEME.finditer(text))


def cut_label(text: str, limit: int = LABEL_LIMIT) -> str:
    """``text`` as one line of at most ``limit`` characters, cut at a word's end where one is near.

    Empty if there is nothing to see in it.
    """
    line = _SPACES.sub(" ", text).strip()
    kept = _first(line, limit)
    if len(kept) == len(line):
        return line
    if line[len(kept)] != " ":
        end = kept.rfind(" ")
        # A language without spaces, or one long word, is cut where the room ends.
        if end * 2 >= len(kept):
            kept = kept[:end]
    return kept.rstrip(_DANGLING) or kept.strip()


def _first(line: str, limit: int) -> str:
    """The first ``limit`` characters of a line, fewer if they have too many code points."""
    size = 0
    for count, character in enumerate(iter_graphemes(line)):
        if count == limit or size + len(character) > LABEL_POINTS:
            break
        size += len(character)
    return line[:size] if size else line[: min(limit, 1)]


def words(text: str) -> list[str]:
    """The words and numbers of ``text`` as they are written, in their order."""
    found: list[str] = _WORD.findall(text)
    return found


def language(text: str) -> Language:
    """ "ko" when a noticeable share of the words (of a sample from the start) has Hangul."""
    found = words(text[:_SAMPLE])
    korean = sum(1 for word in found if _HANGUL.search(word))
    return "ko" if korean and korean >= _KOREAN_SHARE * len(found) else "en"


def sentences(text: str) -> list[str]:
    """The sentences of ``text``, trimmed, in their order; a line's end ends one too."""
    return [sentence for line in text.splitlines() for sentence in _sentences(line)]


def _sentences(line: str) -> Iterator[str]:
    start = 0
    for end in _SENTENCE.finditer(line):
        # Twelve characters hold the longest abbreviation.
        tail = line[max(start, end.end() - 12) : end.end()]
        if _UNFINISHED.search(tail if end.end() - 12 > start else tail.lstrip()):
            continue
        if sentence := line[start : end.end()].strip():
            yield sentence
        start = end.end()
    if rest := line[start:].strip():
        yield rest
