"""What a file is found by, beside its entry's own terms. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import orjson

from memory.lexical import EntryTerms, entry_terms

MOST_FILE_TERMS = 5_000
"""How many terms of one file are indexed: those that it says most often."""

MOST_TERMS_OF_FILES = 10_000
"""How many of all of an entry's files: a change of the entry writes them again."""


def file_terms(name: str, text: str | None) -> bytes:
    """The terms of a file's name and text, as they are kept with its record."""
    weights = Counter(entry_terms(name, "", text or "").weights)
    if len(weights) > MOST_FILE_TERMS:
        weights = Counter(dict(weights.most_common(MOST_FILE_TERMS)))
    return orjson.dumps(weights)


def terms_in(kept: bytes | None) -> set[str]:
    """Which terms a file is found by."""
    return set() if kept is None else set(orjson.loads(kept))


def with_files(own: EntryTerms, files: Iterable[bytes]) -> EntryTerms:
    """An entry's own terms and those of its files, as one.

    The length stays its own: a long file must not make its entry harder to find.
    """
    found: Counter[str] = Counter()
    for kept in files:
        weights: Mapping[str, int] = orjson.loads(kept)
        found.update(weights)
    if len(found) > MOST_TERMS_OF_FILES:
        found = Counter(dict(found.most_common(MOST_TERMS_OF_FILES)))
    return replace(own, weights=Counter(own.weights) + found)
