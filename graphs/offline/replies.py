"""Answers composed from what tools gave; archived text only ever stands in quotes. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from graphs.offline.conversation import Ref, Step
from graphs.offline.relevance import best_sentences
from graphs.offline.wording import quote, say
from memory.text import Language

REASON_CHARACTERS = 300
SNIPPET_CHARACTERS = 120
NAMES = 20


def outcome(step: Step, language: Language) -> str:
    """What a save, an update or a deletion did."""
    for key in ("saved", "already_saved", "updated", "deleted"):
        card = step.data.get(key)
        if isinstance(card, dict):
            phrase = "extended" if (step.name, key) == ("archive_save", "updated") else key
            return say(
                phrase, language, label=_text(card, "label"), category=_text(card, "category")
            )
    return say("done", language)


def failure(step: Step, language: Language) -> str:
    """That a tool could not, in its own plain words."""
    reason = " ".join(step.text.split())[:REASON_CHARACTERS]
    return say("failed", language, reason=reason or say("no_reason", language))


def numbered(refs: Mapping[int, Ref], *, snippets: bool = False) -> str:
    return "\n".join(_line(number, ref, snippets) for number, ref in refs.items())


def _line(number: int, ref: Ref, snippets: bool) -> str:
    line = f"{number}. “{ref.label}”" + (f" ({ref.category})" if ref.category else "")
    snippet = " ".join(ref.snippet.split())
    if not snippets or not snippet:
        return line
    cut = snippet[:SNIPPET_CHARACTERS] + "…" * (len(snippet) > SNIPPET_CHARACTERS)
    return f"{line}: {cut}"


def found(
    ref: Ref,
    content: str,
    asked: str,
    others: Mapping[int, Ref],
    language: Language,
    *,
    room: int,
) -> str:
    """One entry, whole if it has room, else its best sentences; the others with their numbers."""
    head = say("found_one", language, label=ref.label, category=ref.category)
    short = len(content) <= room and content.strip()
    lines = [content.strip()] if short else best_sentences(asked, content, room) or [ref.label]
    parts = [head, quote(lines)]
    if others:
        parts.append(say("found_more", language) + "\n" + numbered(others))
    return "\n\n".join(parts)


def found_many(refs: Mapping[int, Ref], language: Language) -> str:
    return say("found_many", language) + "\n" + numbered(refs, snippets=True)


def entry(step: Step, language: Language) -> str:
    """A whole entry."""
    card = step.data.get("entry")
    if not isinstance(card, dict):
        return say("done", language)
    head = say("entry", language, label=_text(card, "label"), category=_text(card, "category"))
    parts = [head, quote([_text(card, "content")])]
    if card.get("truncated"):
        parts.append(say("truncated", language))
    return "\n\n".join(parts)


def listing(step: Step, language: Language) -> str:
    """The entries of a list with their numbers, then the categories."""
    refs, names = step.refs, categories(step)
    wanted = step.args.get("category")
    if not refs and wanted:
        head = say("no_category", language, category=str(wanted))
        return f"{head}\n{names_line(names, language)}" if names else head
    if not refs:
        return say("empty", language)
    head = say("list_of", language, category=str(wanted)) if wanted else say("list", language)
    parts = [f"{head}\n{numbered(dict(enumerate(refs, 1)))}"]
    if step.data.get("more"):
        parts.append(say("list_more", language))
    if names and not wanted:
        parts.append(names_line(names, language))
    return "\n\n".join(parts)


def names_line(names: Sequence[str], language: Language) -> str:
    return say("categories", language, names=", ".join(names[:NAMES]))


def categories(step: Step) -> list[str]:
    """Category names with their counts, as a list gave them."""
    given = step.data.get("categories")
    known = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return [f"{_text(one, 'name')} ({_text(one, 'count')})" for one in known if one.get("name")]


def _text(card: Mapping[str, Any], key: str) -> str:
    value = card.get(key)
    return "" if value is None else str(value)
