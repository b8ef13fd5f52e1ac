"""User names: which may be chosen, and which count as the same. Pure."""

import unicodedata

import regex

from memory.errors import Invalid

SHORTEST, LONGEST = 3, 32

_ALLOWED = regex.compile(r"[\p{L}\p{M}\p{Nd}._-]+")
_OUTER = regex.compile(r"[\p{L}\p{Nd}].*[\p{L}\p{Nd}\p{M}]", regex.DOTALL)
# Scripts whose letters pass for each other's; in one name they only serve to deceive.
_SCRIPTS = ("Latin", "Cyrillic", "Greek", "Armenian")
_ALIKE = tuple(regex.compile(rf"\p{{Script={script}}}") for script in _SCRIPTS)


def checked_username(name: str) -> str:
    """``name`` in NFC; Invalid ``username`` unless it may be one.

    3..32 characters of letters, digits and ``._-`` in any script, a letter or digit at both ends,
    not of several scripts that look alike.
    """
    name = unicodedata.normalize("NFC", name)
    if not SHORTEST <= len(name) <= LONGEST:
        raise _refused(f"it must have {SHORTEST} to {LONGEST} characters")
    if not _ALLOWED.fullmatch(name) or not _OUTER.fullmatch(name):
        raise _refused("it may hold letters, digits and . _ - between them")
    if sum(bool(script.search(unicodedata.normalize("NFKC", name))) for script in _ALIKE) > 1:
        raise _refused("it mixes scripts whose letters look alike")
    if not SHORTEST <= len(folded(name)) <= 4 * LONGEST:
        raise _refused("its letters are too wide")
    return name


def folded(name: str) -> str:
    """Names that fold to the same are the same name: by NFKC and case folding, as in Unicode."""
    once = unicodedata.normalize("NFKC", name).casefold()
    return unicodedata.normalize("NFKC", once).casefold()


def _refused(reason: str) -> Invalid:
    return Invalid.field("username", reason)
