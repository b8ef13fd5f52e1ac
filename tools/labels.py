"""What makes a good label or category name, and how one is cut out of a content. Pure."""

import re
import unicodedata

from memory.archive_rules import CATEGORY_LIMIT
from memory.text import (
    LABEL_LIMIT,
    LABEL_POINTS,
    cut_label,
    grapheme_count,
    is_blank,
    language,
    normalize,
    sentences,
    words,
)
from tools.scripts import script_of

_SAMPLE = 4_000
_QUOTES = "\"'`“”‘’「」『』«»"
_MARKUP = re.compile(r"^(?:#{1,6}\s+|[-*+>•]\s+|\d{1,3}[.)]\s+)+")
_THOUGHTS = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_LETTER = re.compile(r"[^\W\d_]")
# Direction marks would let a label rearrange the line that it stands in.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)


def without_thoughts(text: str) -> str:
    """A model's text without what it marked as its reasoning."""
    return _THOUGHTS.sub("", text).strip()


def tidy(name: str) -> str:
    """A model's or a person's name for something, without the quotes and spaces around it."""
    text = _INVISIBLE.sub("", without_thoughts(name)).strip()
    while len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES:
        text = text[1:-1].strip()
    return text


def label_problem(label: str) -> str | None:
    """Why ``label`` can't be one, in words for a model or a person; None if it can."""
    return _problem(label, LABEL_LIMIT, "label")


def category_problem(name: str) -> str | None:
    """Why ``name`` can't be a category's name; None if it can."""
    return _problem(name, CATEGORY_LIMIT, "category")


def language_problem(label: str, content: str) -> str | None:
    """Whether a label left its content's language; names taken from the content are no matter."""
    sample = content[:_SAMPLE]
    folded = " ".join(words(sample))
    if script_of(label) == script_of(sample) or all(word in folded for word in words(label)):
        return None
    wanted = "Korean" if language(sample) == "ko" else "the language of the content"
    return f"The label is not in the content's language. Write it in {wanted}."


def extract_label(content: str) -> str:
    """The beginning of the first sentence that says something, cut to a label; never empty."""
    sample = content[:_SAMPLE]
    lines = [_MARKUP.sub("", line.strip()) for line in sample.splitlines()]
    labels = [
        cut_label(tidy(sentence), LABEL_LIMIT) for line in lines for sentence in sentences(line)
    ]
    plain = "메모" if language(sample) == "ko" else "Note"
    seen = [label for label in labels if not is_blank(label)]
    worded = (label for label in seen if _LETTER.search(label))
    counted = (label for label in seen if any(map(str.isalnum, label)))
    return next(worded, None) or next(counted, plain)


def same_name(name: str, known: list[str]) -> str | None:
    """The one of ``known`` names that is ``name`` but for case, spacing and punctuation."""
    if name in known:
        return name
    folded = normalize(name)
    return next((one for one in known if folded and normalize(one) == folded), None)


def _problem(name: str, limit: int, kind: str) -> str | None:
    if is_blank(name):
        return f"The {kind} is empty."
    if len(name.splitlines()) > 1 or any(unicodedata.category(one) == "Cc" for one in name):
        return f"The {kind} must be one line."
    if len(name) > LABEL_POINTS:
        return f"The {kind} is too long: too many marks on too few letters."
    count = grapheme_count(name)
    if count > limit:
        return f"The {kind} has {count} characters; at most {limit} are allowed."
    return None
