"""What an archive entry may hold, and how its digest reads. Pure."""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

from memory.errors import Invalid, Stale, TooLarge
from memory.keys import new_id
from memory.lexical import overlap, sample_terms
from memory.records import Category, Entry, Near, Source
from memory.text import LABEL_LIMIT, LABEL_POINTS, condense, grapheme_count, is_blank
from memory.times import now
from memory.tokens import estimate_tokens

_SURROGATE = re.compile(r"[\ud800-\udfff]")
# Overrides and embeddings would rearrange the line that a name stands in.
_TURNING = re.compile(r"[\u202a-\u202e\u2066-\u2069]")

CATEGORY_LIMIT = 40
CONTENT_BYTES = 1_000_000
QUERY_CHARACTERS = 1_000

LARGE_BYTES = 20_000
"""Contents larger than this are indexed on a thread, not on the event loop."""

NEAR_TERMS = 192
"""How many terms of a content are searched for."""

NEAR_CANDIDATES = 10
"""How many entries are compared."""

LEAST_OVERLAP = 0.3
"""The least overlap that counts as near."""

DIGEST_CATEGORIES, DIGEST_LABELS = 20, 20


def check_label(label: str) -> str:
    """A label as it is kept; Invalid ``summary``, as the API names it."""
    return _one_line("summary", label, LABEL_LIMIT)


def check_category(name: str) -> str:
    return _one_line("category", name, CATEGORY_LIMIT)


def kept_line(text: str) -> str:
    """A line as it is kept, however its spaces and composed characters were written."""
    return unicodedata.normalize("NFC", " ".join(text.split()))


def check_content(content: str) -> str:
    if is_blank(content):
        raise Invalid.field("content", "it is blank")
    if "\x00" in content or _has_surrogates(content):
        raise Invalid.field("content", "it holds characters that are no text")
    if len(content.encode()) > CONTENT_BYTES:
        raise TooLarge(f"A content has at most {CONTENT_BYTES:,} bytes.")
    return content


def check_query(query: str) -> str:
    """A query as it is searched for; Invalid ``q``, as the API names it."""
    if len(query) > QUERY_CHARACTERS:
        raise Invalid.field("q", f"it has more than {QUERY_CHARACTERS:,} characters")
    return query


def new_entry(
    owner: str, *, label: str, category: str, content: str, source: Source | None
) -> Entry:
    """An entry of what is to be kept, checked, with an id of its own."""
    moment = now()
    return Entry(
        id=new_id("entry"),
        owner=owner,
        label=check_label(label),
        category=check_category(category),
        content=check_content(content),
        size=len(content.encode()),
        source=source,
        created_at=moment,
        updated_at=moment,
    )


def changed_entry(
    before: Entry, *, label: str | None, category: str | None, content: str | None
) -> Entry:
    """The next version of an entry, checked: what is None stays."""
    kept = before.content if content is None else check_content(content)
    return replace(
        before,
        label=before.label if label is None else check_label(label),
        category=before.category if category is None else check_category(category),
        content=kept,
        size=len(kept.encode()),
        updated_at=now(),
        version=before.version + 1,
    )


def refuse_stale(entry: Entry, version: int | None) -> None:
    """Stale if a ``version`` is named and is not the entry's."""
    if version is not None and entry.version != version:
        raise Stale(f"The entry is at version {entry.version} now.")


def _one_line(field: str, text: str, limit: int) -> str:
    if _has_surrogates(text) or any(unicodedata.category(one) == "Cc" for one in text):
        raise Invalid.field(field, "it must be one line without control characters")
    if len(text.splitlines()) > 1:
        raise Invalid.field(field, "it must be one line")
    kept = " ".join(text.split())
    if is_blank(kept):
        raise Invalid.field(field, "it is blank")
    if _TURNING.search(kept):
        raise Invalid.field(field, "it must not turn the direction of the writing around it")
    if len(kept) > LABEL_POINTS or grapheme_count(kept) > limit:
        raise Invalid.field(field, f"it has more than {limit} characters")
    return kept_line(kept)


def _has_surrogates(text: str) -> bool:
    return not text.isascii() and _SURROGATE.search(text) is not None


def fingerprint(content: str) -> str:
    """The same for contents that say the same (condensed), SHA-256 in hex."""
    return hashlib.sha256(
        (condense(content) or content.strip()).encode("utf-8", "surrogatepass")
    ).hexdigest()


def nearness(entry: Entry, content: str, said: Collection[str], *, exact: bool) -> Near:
    """How near an entry of that ``content`` is to what the terms ``said`` are of.

    ``exact`` if both have the same fingerprint: the terms are not compared then.
    """
    shared = 1.0 if exact else overlap(said, sample_terms(content))
    return Near(entry=entry, exact=exact, overlap=shared)


def nearest(found: Iterable[Near], limit: int) -> Sequence[Near]:
    """Of what was compared, what counts as near: what is the same first, then the most alike."""
    near = [one for one in found if one.exact or one.overlap >= LEAST_OVERLAP]
    return sorted(near, key=lambda one: (not one.exact, -one.overlap))[:limit]


def digest_text(categories: Sequence[Category], newest: Iterable[Entry], *, max_tokens: int) -> str:
    """Categories with counts and the newest labels, a line each, as many as fit."""
    lines = [f"{one.name} ({one.count})" for one in categories]
    lines += [f"- {entry.label} [{entry.category}]" for entry in newest]
    kept: list[str] = []
    spent = 0
    for line in lines:
        spent += estimate_tokens(line) + 1
        if spent > max_tokens:
            break
        kept.append(line)
    return "\n".join(kept)
