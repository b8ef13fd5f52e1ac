"""Building patterns from tables of phrases, and taking a message apart with them. Pure.

In a pattern ``_`` stands for spaces that may be there or not. Patterns only ever see a bounded
piece of a message, so that no message is slow to read.
"""

import re
from collections.abc import Iterator
from functools import cached_property

CLAUSE = 160
"""Characters in which a command must have been said."""

SHORT = 300
"""Characters up to which a whole message can be a command."""

QUOTES = "\"'`“”‘’「」『』«»"
OPEN = "[\"'`“‘「『«]"
CLOSE = "[\"'`”’」』»]"

_SEPARATORS = " \t\r\n:：,.!?？~…-–—>"


class Phrase:
    """A pattern that is compiled when it is first used: there are many, and imports are to be fast.

    ``_`` in it stands for optional spaces; it reads without regard to case.
    """

    __slots__ = ("__dict__", "_source")

    def __init__(self, source: str) -> None:
        self._source = source

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        return re.compile(self._source.replace("_", r"[ \t]{0,2}"), re.IGNORECASE)

    def match(self, text: str) -> re.Match[str] | None:
        return self.compiled.match(text)

    def search(self, text: str) -> re.Match[str] | None:
        return self.compiled.search(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        return self.compiled.finditer(text)

    def sub(self, replacement: str, text: str) -> str:
        return self.compiled.sub(replacement, text)


def either(*phrases: str) -> str:
    """A group of alternatives."""
    return f"(?:{'|'.join(phrases)})"


def words_of(table: str) -> frozenset[str]:
    return frozenset(table.split())


def unquoted(text: str) -> str:
    """``text`` without the quotation marks around the whole of it."""
    text = text.strip()
    while len(text) > 1 and text[0] in QUOTES and text[-1] in QUOTES:
        text = text[1:-1].strip()
    return text


def after_separator(text: str) -> str:
    """The content that follows a command, as it was written."""
    return unquoted(text.lstrip(_SEPARATORS).rstrip())


def last_line(text: str) -> tuple[str, str]:
    """What comes before the last line, and the last line's end; both together are ``text``."""
    start = max(text.rfind("\n") + 1, len(text) - CLAUSE)
    return text[:start], text[start:]
