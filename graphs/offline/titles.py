"""Titles by extraction: what the person's first message of substance is about. Pure."""

from collections.abc import Sequence

from graphs.offline.intents import read_intent
from graphs.offline.labels import label_of
from graphs.offline.summary import Line
from memory.text import TITLE_LIMIT, language

_GREETING = {"ko": "인사", "en": "Greeting"}
_ARCHIVE = {"ko": "저장한 항목", "en": "Saved entries"}


def title_of(conversation: Sequence[Line]) -> str:
    """At most 40 characters in the language of the person; a plain title if little was said."""
    asked = [line.content for line in conversation if line.role == "user" and line.content.strip()]
    for message in asked:
        if title := label_of(_subject(message), TITLE_LIMIT):
            return title
    spoken = language(" ".join(asked))
    about = any(read_intent(message).kind in ("list", "read", "delete") for message in asked)
    return (_ARCHIVE if about else _GREETING)[spoken]


def _subject(message: str) -> str:
    """What a message is about: a content to save, words to look for, or the message itself."""
    intent = read_intent(message)
    if intent.kind == "ask":
        return message
    return intent.content or intent.query or intent.target.words
