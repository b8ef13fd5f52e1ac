"""Searches a Korean query by what its words mean, without particles and endings; knows no analyser.

The index stays as it is, of pairs of characters: with and without an analyser it is the same, so
that processes may differ in that and a change of mind costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import regex

from memory.archive_layer import ArchiveLayer
from memory.archive_rules import check_query
from memory.lexical import query_terms
from memory.protocols import Archive
from memory.records import Found, Page
from memory.text import compose
from memory.word_forms import KOREAN_ASKING

MOST_CHARACTERS = 200
"""A longer query is searched as it is: its many words tell enough."""

_HANGUL = regex.compile(r"\p{Hangul}+")
_OTHER_LETTERS = regex.compile(r"[[\p{L}\p{N}]--\p{Hangul}]", regex.VERSION1)
_NOUNS = frozenset({"NNG", "NNP", "NR", "XR"})
_CONTENT = _NOUNS | {"NNB", "VV", "VA", "MAG", "MM", "XPN", "XSN"}


@dataclass(frozen=True, slots=True)
class Morpheme:
    """A part of a text by its place; ``tag`` is of the Sejong tag set."""

    tag: str
    start: int
    end: int


class Analyser(Protocol):
    """Cuts a text into morphemes."""

    async def morphemes(self, text: str) -> Sequence[Morpheme]: ...


class KoreanArchive(ArchiveLayer):
    """The Archive protocol over another archive, whose queries an analyser reads first."""

    def __init__(self, archive: Archive, analyser: Analyser) -> None:
        super().__init__(archive)
        self._analyser = analyser

    async def search(
        self,
        owner: str,
        query: str,
        *,
        category: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[Found]:
        said = compose(check_query(query))
        if len(said) <= MOST_CHARACTERS and _HANGUL.search(said):
            said = content_of(said, await self._analyser.morphemes(said))
        return await super().search(owner, said, category=category, limit=limit, cursor=cursor)


def content_of(query: str, morphemes: Sequence[Morpheme]) -> str:
    """A query with what its Hangul words mean alone; what is not Hangul stays.

    All of it where nothing to search for would be left.
    """
    kept = _content(query, morphemes)
    return kept if query_terms(kept) else query


def _content(query: str, morphemes: Sequence[Morpheme]) -> str:
    runs = list(_HANGUL.finditer(query))
    telling, nouns = _marked(query, morphemes, _CONTENT), _marked(query, morphemes, _NOUNS)
    words = [_Word(run[0], _parts(run, telling)) for run in runs]
    told = [word for word in words if word.whole not in KOREAN_ASKING]
    if any(word.long for word in told) or _OTHER_LETTERS.search(query):
        kept = iter(words)
        return _HANGUL.sub(lambda _: f" {next(kept).said} ", query)
    # A character alone is looked for in all its pairs: with each particle.
    lone = [part for run in runs for part in _parts(run, nouns)]
    return " ".join(lone or [part for word in told for part in word.parts])


@dataclass(frozen=True, slots=True)
class _Word:
    whole: str
    parts: Sequence[str]

    @property
    def long(self) -> list[str]:
        return [part for part in self.parts if len(part) > 1]

    @property
    def said(self) -> str:
        """Its parts of two characters and more; else all of it, for one tells little in pairs."""
        if self.whole in KOREAN_ASKING or not self.parts:
            return ""
        return " ".join(self.long) or self.whole


def _marked(text: str, morphemes: Sequence[Morpheme], tags: frozenset[str]) -> str:
    """The text with a space for each character of no morpheme of these tags."""
    marked = [" "] * len(text)
    for one in morphemes:
        if one.tag in tags:
            marked[one.start : one.end] = text[one.start : one.end]
    return "".join(marked)


def _parts(run: "regex.Match[str]", marked: str) -> list[str]:
    return marked[run.start() : run.end()].split()
