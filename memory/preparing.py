"""Reads an entry for what its index needs, apart from the event loop where it is large. Pure."""

import asyncio
from dataclasses import dataclass

from memory.archive_rules import LARGE_BYTES, fingerprint
from memory.lexical import EntryTerms, entry_terms
from memory.records import Entry


@dataclass(frozen=True, slots=True)
class Prepared:
    """An entry's terms, and what tells its content from all others."""

    terms: EntryTerms
    fingerprint: str


async def prepare(entry: Entry) -> Prepared:
    if entry.size > LARGE_BYTES:
        return await asyncio.to_thread(_prepare, entry)
    return _prepare(entry)


async def fingerprint_of(content: str) -> str:
    if len(content) > LARGE_BYTES:
        return await asyncio.to_thread(fingerprint, content)
    return fingerprint(content)


def _prepare(entry: Entry) -> Prepared:
    terms = entry_terms(entry.label, entry.category, entry.content)
    return Prepared(terms, fingerprint(entry.content))
