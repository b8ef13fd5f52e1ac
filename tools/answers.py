"""What tools answer: compact JSON, in which all that people wrote is a string's value. Pure."""

from collections.abc import Mapping, Sequence

import orjson

from memory.embeddings import BY_MEANING
from memory.records import Entry
from memory.text import sentences

FILES_NAMED = 5
ANSWER_CHARACTERS = 4_000
LIST_CHARACTERS = 2_600
CATEGORY_CHARACTERS = 1_200
SNIPPET_CHARACTERS = 280

_SCANNED = 100_000
_CUT = "…"


def answer(data: Mapping[str, object]) -> str:
    return orjson.dumps(data).decode()


def card(entry: Entry) -> dict[str, object]:
    """An entry as a tool names it, with its first files by name if it has any."""
    names = [file.name for file in entry.files[:FILES_NAMED]]
    named = {"files": names} if names else {}
    return {"id": entry.id, "label": entry.label, "category": entry.category, **named}


def found_in_files(entry: Entry, content: str, matched: Sequence[str]) -> str:
    """Which of the words that matched stand in the entry's files alone; empty if none does.

    What is not in the entry itself can be nowhere else.
    """
    itself = f"{entry.label}\n{entry.category}\n{content}".casefold()
    words = [word for word in matched if word.casefold() not in itself and word != BY_MEANING]
    if not entry.files or not words:
        return ""
    names = ", ".join(file.name for file in entry.files[:FILES_NAMED])
    return f"[{names}: {' '.join(words)}]"[:SNIPPET_CHARACTERS]


def fitting(items: Sequence[Mapping[str, object]], characters: int) -> list[Mapping[str, object]]:
    """As many of the first items as fit into so many characters of JSON."""
    kept, spent = [], 0
    for item in items:
        spent += len(answer(item)) + 1
        if spent > characters:
            break
        kept.append(item)
    return kept


def whole_entry(entry: Entry) -> str:
    """An entry with its content, cut with ``"truncated": true`` when it would be too long."""
    data = {**card(entry), "content": entry.content, "created_at": entry.created_at.isoformat()}
    room = ANSWER_CHARACTERS
    while len(text := answer({"entry": data})) > ANSWER_CHARACTERS:
        # Escapes make the JSON longer than the content, so that the cut is found by trying.
        room -= max(100, room // 10)
        data |= {"content": entry.content[:room] + _CUT, "truncated": True}
    return text


def snippet(content: str, matched: Sequence[str]) -> str:
    """The sentences of a content in which most of the words stand that matched, on one line."""
    text = content[:_SCANNED]
    parts = [" ".join(part.split()) for part in sentences(text)] or [" ".join(text.split())]
    wanted = [word.casefold() for word in matched]
    best = max(range(len(parts)), key=lambda index: (_hits(parts[index], wanted), -index))
    found = parts[best]
    for part in parts[best + 1 :]:
        if len(found) + len(part) >= SNIPPET_CHARACTERS:
            break
        found += " " + part
    return _around(found, wanted)


def _hits(part: str, wanted: Sequence[str]) -> int:
    folded = part.casefold()
    return sum(word in folded for word in wanted)


def _around(text: str, wanted: Sequence[str]) -> str:
    """``text`` cut to a snippet's size around the first word that matched."""
    if len(text) <= SNIPPET_CHARACTERS:
        return text
    folded = text.casefold()
    places = [place for word in wanted if (place := folded.find(word)) >= 0]
    start = max(0, min(places, default=0) - SNIPPET_CHARACTERS // 3)
    cut = text[start : start + SNIPPET_CHARACTERS]
    before, after = _CUT * (start > 0), _CUT * (start + len(cut) < len(text))
    return f"{before}{cut}{after}"
