"""What a file is found by, beside its entry's own terms. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

import orjson

from memory.lexical import MOST_TERMS, EntryTerms, entry_terms

MOST_FILE_TERMS = 8_000
"""How many terms of one file are indexed: those that it says most often."""


def file_terms(name: str, text: str | None) -> bytes:
    """The terms of a file's name and text, as they are kept with its record."""
    made = entry_terms(name, "", text or "")
    weights = Counter(made.weights)
    if len(weights) > MOST_FILE_TERMS:
        weights = Counter(dict(weights.most_common(MOST_FILE_TERMS)))
    return orjson.dumps({"length": made.length, "weights": weights})


def with_files(own: EntryTerms, files: Iterable[bytes]) -> EntryTerms:
    """An entry's own terms and those of its files, as one."""
    weights, length = Counter(own.weights), own.length
    for kept in files:
        read = orjson.loads(kept)
        found: Mapping[str, int] = read["weights"]
        weights.update(found)
        length += read["length"]
    if len(weights) > MOST_TERMS:
        weights = Counter(dict(weights.most_common(MOST_TERMS)))
    return replace(own, weights=weights, length=length)
