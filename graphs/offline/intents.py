"""What a person's message asks for, in Korean or English. Pure; no other message counts."""

import re
from collections.abc import Callable, Sequence

from graphs.offline import english, english_save, korean_change, korean_lookup, korean_save
from graphs.offline.intent import Intent
from graphs.offline.phrases import SHORT
from graphs.offline.smalltalk import small_talk
from memory.text import language

Reader = Callable[[str], Intent | None]

# A wish to save that stands first is read first: what follows it is content, whatever it says.
_STANDING_FIRST: Sequence[Reader] = (korean_save.heading, english_save.heading)
_COMMANDS: Sequence[Reader] = (
    small_talk,
    korean_change.changing,
    korean_change.deleting,
    english.deleting,
    english.changing,
)
_STANDING_LAST: Sequence[Reader] = (korean_save.trailing, english_save.trailing)
_LOOKING: Sequence[Reader] = (korean_lookup.looking, english.looking)

_SPACES = re.compile(r"[ \t]+")
# 두 번째꺼, 그껀: written as they are spoken.
_AS_SPOKEN = re.compile(r"(?<=[가-힣])[꺼껀껄](?=$|[\s를는도만!?.~])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]+")


def read_intent(message: str) -> Intent:
    """What ``message`` asks for; what is no command is a question or a statement, ``ask``."""
    text = _CONTROL.sub(" ", message).strip()
    intent = _first(_STANDING_FIRST, text)
    if intent is None and len(text) <= SHORT and text.count("\n") <= 2:
        line = _AS_SPOKEN.sub(_spelled, _SPACES.sub(" ", text))
        intent = _first(_COMMANDS, line) or _first(_STANDING_LAST, text) or _first(_LOOKING, line)
    elif intent is None:
        intent = _first(_STANDING_LAST, text)
    return intent or Intent(kind="ask", language=language(text), query=text)


def _spelled(found: re.Match[str]) -> str:
    return {"꺼": "거", "껀": "건", "껄": "걸"}[found[0]]


def _first(readers: Sequence[Reader], text: str) -> Intent | None:
    found = (reader(text) for reader in readers) if text else iter(())
    return next((one for one in found if one is not None), None)
