"""In which script a text is written. Pure."""

import unicodedata
from collections import Counter

from memory.text import language


def script_of(text: str) -> str:
    """The script of a text's language: HANGUL as soon as it reads as Korean, else the commonest."""
    if language(text) == "ko":
        return "HANGUL"
    counts = Counter(map(letter_script, filter(str.isalpha, text)))
    return counts.most_common(1)[0][0] if counts else ""


def letter_script(letter: str) -> str:
    """LATIN, HANGUL, CYRILLIC ...; CJK for all that Japanese and Chinese mix."""
    name = unicodedata.name(letter, "?").split()[0]
    return "CJK" if name in ("HIRAGANA", "KATAKANA") else name
