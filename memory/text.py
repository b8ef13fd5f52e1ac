"""Text as people see it: characters, words, sentences, its language. Pure."""

import unicodedata
from typing import Literal

import regex

Language = Literal["ko", "en"]

_GRAPHEME = regex.compile(r"\X")
_WORD = regex.compile(r"[\p{L}\p{N}\p{M}]+(?:['’][\p{L}\p{M}]+)*")
_HANGUL = regex.compile(r"\p{Hangul}")
_LETTER = regex.compile(r"\p{L}")
_NEITHER_LETTER_NOR_DIGIT = regex.compile(r"[^\p{L}\p{N}\p{M}]+")
# A full stop ends a sentence only before a space: not in 3.14, redis.conf or v1.2.
_CLOSED = r"[.!?…]++(?=[\"'”’)\]]{0,4}(?:\s|\Z))|[。！？]++"
_SENTENCE = regex.compile(
    rf"(?:[^.!?…。！？\n]++|[.!?…]++(?![\"'”’)\]]{{0,4}}(?:\s|\Z)))++(?:{_CLOSED})*+[\"'”’)\]」』]*+"
    rf"|(?:{_CLOSED})++"
)

_KOREAN_SHARE = 0.2
"""From which share of Hangul among its letters on a text counts as Korean."""


def normalize(text: str) -> str:
    """The same text for contents that differ only in case, width, spacing or punctuation."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = _NEITHER_LETTER_NOR_DIGIT.sub(" ", unicodedata.normalize("NFKC", folded)).split()
    return " ".join(words) or " ".join(folded.split())


def graphemes(text: str) -> list[str]:
    """The characters of a text as people count them."""
    return _GRAPHEME.findall(text)


def grapheme_count(text: str) -> int:
    return sum(1 for _ in _GRAPHEME.finditer(text))


def cut_label(text: str, limit: int = 30) -> str:
    """``text`` on one line, cut at a word's end where it has more than ``limit`` characters."""
    line = " ".join(text.split())
    characters = graphemes(line[: limit * 64])
    if len(characters) <= limit:
        return "".join(characters)
    if characters[limit] == " ":
        return "".join(characters[:limit])
    head = "".join(characters[:limit])
    whole, _, _ = head.rpartition(" ")
    # A first word that fills the label is cut where it must be.
    return (whole if grapheme_count(whole) > limit // 3 else head).rstrip(" ,;:-–—")


def words(text: str) -> list[str]:
    """The words of a text, folded, in their order."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def language(text: str) -> Language:
    """Korean when a noticeable share of the letters is Hangul, else English."""
    sample = text[:4_000]
    hangul = len(_HANGUL.findall(sample))
    return "ko" if hangul and hangul >= _KOREAN_SHARE * len(_LETTER.findall(sample)) else "en"


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, without what is blank."""
    return [found.strip() for found in _SENTENCE.findall(text) if found.strip()]
