"""Reading wishes to save in English: what is to be kept, or None. Pure."""

import re

from graphs.offline.english_words import ARCHIVE, KEEP, LEAD, NOT_CONTENT, THING, TRAIL
from graphs.offline.intent import Author, Intent
from graphs.offline.phrases import (
    CLAUSE,
    CLOSE,
    OPEN,
    Phrase,
    after_separator,
    either,
    last_line,
    unquoted,
)

_WHERE = (
    "(?: (?:as(?! an? )|with the (?:label|title|name)|labell?ed|titled|called|named) "
    f"{OPEN}?(?P<label>[^:：\\n]{{1,60}}?){CLOSE}?)?"
    f"(?: (?:to|in|into) {ARCHIVE})?"
    "(?: (?:under|in|into|to|within|as part of|as an?) (?:the |my |a |category "
    f")?{OPEN}?(?P<category>[^:：\\n]{{1,40}}?){CLOSE}?"
    "(?: (?:category|folder|section))?)?"
)
_THIS = Phrase(
    f"{LEAD}(?:{KEEP})(?: down| a record of| (?:a )?note of)? (?P<thing>{THING})(?: "
    f"down)?{_WHERE}{TRAIL}"
    "(?P<mark>[:：\\n]|\\s[-–—]\\s|$)"
)
_SHORT_THIS = Phrase(
    f'{LEAD}(?:{KEEP})(?: down)? (?P<thing>{THING})(?P<mark>[.!,?]\\s|\\s(?=https?://)|\\s?["“])'
)
_THAT = Phrase(
    LEAD
    + either(
        "(?:remember|note|save|record|memori[sz]e|write down|jot down|note down|store)(?: "
        "the fact)? that",
        "(?:keep|bear) in mind(?: that)?",
        "(?:make|take|add|write|create|leave)(?: me)?(?: a| another| the following)? "
        "?(?:quick |mental |new )?(?:note|memo)(?: that| of)?",
        "(?:don't|do not|dont|never) forget(?: that)?",
        "(?:remember|memori[sz]e|note down|write down|jot down|note to self|for the record)",
    )
    + "(?P<mark>[:：,\\s]+)(?=\\S)"
)
_NOUN = Phrase(
    "(?:please )?(?:(?:add|save|put|write)(?: this| it)? (?:to|in|into) (?:my |the "
    ")?(?:notes|archive)|note(?: to self)?|notes|memo|remember(?: this)?|save(?: note)?"
    "|archive|store|reminder|to remember|keep in mind"
    "|(?:a )?(?:quick |new )?note)_(?:[:：]|\\n|\\s[-–—]\\s)"
)
_FREE = Phrase(f"{LEAD}(?:save|bookmark)[:：]?\\s+(?=\\S)")
_ARCHIVED = Phrase(
    f"{LEAD}(?:add|put|save|store|write|file|keep) (?P<content>\\S[^\\n]*?) (?:to|in"
    f"|into) (?:my |the |your )(?:archive|notes|memory){TRAIL}$"
)
_UNDER = Phrase(
    "^(?P<content>.+?) (?:under|in(?:to)? (?:the |my )(?=.{1,40} (?:category"
    "|folder)\\b))(?: the| my)? ?(?P<category>[^:\\n]{1,40}?)"
    f"(?: (?:category|folder|section))?{TRAIL}$"
)
_TAIL = Phrase(
    "(?:^|(?<=[.!?;:\\n)\"'”’—–,]))\\s*"
    f"{LEAD}(?:save|remember|store|archive|note|keep|memori[sz]e|record|bookmark|write"
    "|jot)(?: down)? "
    "(?P<thing>this|that|it|these|the above|all of (?:this|that)|that one|this one)(?: "
    f"down| in mind)?{_WHERE}{TRAIL}[?]?\\s*$"
)
_DONT_FORGET = Phrase(
    "(?:(?<=[.!])|[,;—–])\\s*(?:please )?(?:don't|do not|dont) forget(?: (?:it|that"
    "|this))?[.!\\s]*$"
)
_POLITELY = Phrase("(?:please )?(?:can|could|would|will) (?:you|u)\\b")
_THING = Phrase(f"(?:{THING}){TRAIL}[?]?$")
_QUESTION = re.compile(r"(?:when|how|why|who|where|what|if|whether|to ask)\b", re.IGNORECASE)
_CONDITION = re.compile(
    r"(?:if|when|before|after|unless|until|how|why|should|can|did|do)\b[^.!?]*,?$", re.IGNORECASE
)
_ARCHIVE_NAME = Phrase(f"(?:{ARCHIVE})$")


def heading(text: str) -> Intent | None:
    """A wish to save that stands before its content: ``save this: ...``, ``remember that ...``."""
    start = text[:CLAUSE]
    if found := _NOUN.match(start):
        return _saving(after_separator(text[found.end() :]))
    found = _THIS.match(start)
    if found and (found["mark"] or len(text) <= CLAUSE):
        return _placed(found, after_separator(text[found.end() :]))
    if found := _SHORT_THIS.match(start):
        return _placed(found, after_separator(text[found.start("mark") :]))
    if found := _THAT.match(start):
        return _stated(found, text)
    return _free(text, start)


def _stated(found: re.Match[str], text: str) -> Intent | None:
    """``remember that X``; not ``remember when ...`` and not a question."""
    content = after_separator(text[found.end() :])
    asks = _asks(text) and not (_POLITELY.match(text) and found[0].rstrip().endswith("that"))
    if ":" not in found["mark"] and (_QUESTION.match(content) or asks):
        return None
    if _THING.match(content[:CLAUSE]):
        content = ""
    return _saving(re.sub(r"^to (?=\w)", "", content))


def _free(text: str, start: str) -> Intent | None:
    """``save X``, as far as X can be something to keep."""
    if len(text) <= CLAUSE and not _asks(text) and (found := _ARCHIVED.match(text)):
        content = unquoted(found["content"])
        return _saving("" if _THING.match(content) else content)
    found = _FREE.match(start)
    if found is None:
        return None
    content = text[found.end() :].strip()
    marked = found[0].rstrip().endswith((":", "："))
    first = content.split(maxsplit=1)[0].strip(",.;").casefold()
    if not marked and (_asks(text) or first in NOT_CONTENT):
        return None
    placed = _UNDER.match(content) if len(content) <= CLAUSE else None
    if placed:
        return _saving(unquoted(placed["content"]), category=unquoted(placed["category"]))
    return _saving(after_separator(content))


def _placed(found: re.Match[str], content: str) -> Intent:
    groups = found.groupdict()
    category, label = groups.get("category"), groups.get("label")
    if category and _ARCHIVE_NAME.match(category.strip()):
        category = None
    thing = found["thing"].casefold()
    author: Author = "either"
    if not content and re.search(r"\byour\b|\byou\b", thing):
        author = "assistant"
    elif not content and re.search(r"\bmy\b|\bi\b", thing):
        author = "person"
    return _saving(content, label=label, category=category, author=author)


def _saving(
    content: str,
    *,
    label: str | None = None,
    category: str | None = None,
    author: Author = "either",
) -> Intent:
    return Intent(
        kind="save",
        language="en",
        content=content,
        label=unquoted(label) if label else None,
        category=unquoted(category) if category else None,
        author=author,
    )


def trailing(text: str) -> Intent | None:
    """A wish to save that stands after its content: ``... please remember that.``"""
    before, line = last_line(text)
    if found := _DONT_FORGET.search(line):
        content = (before + line[: found.start()]).strip()
        return _saving(unquoted(content)) if content else None
    found = _TAIL.search(line)
    if found is None:
        return None
    content = (before + line[: found.start()]).strip()
    said = line[: found.start()].strip()
    if said.endswith(",") and _CONDITION.match(said):
        return None
    return _placed(found, unquoted(content.rstrip(" ,;:—–-")))


def _asks(text: str) -> bool:
    return text.rstrip().endswith("?")
