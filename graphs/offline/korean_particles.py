"""Korean particles and how they go with the syllable before them. Pure."""

import re

ASKING = re.compile(r"(?:어떻게|어디에?다?|왜|언제|뭘|무엇을|누가|뭐를|자동으로)\s*$")


def closed(syllable: str) -> bool:
    """Whether a Hangul syllable ends in a consonant."""
    return "가" <= syllable <= "힣" and (ord(syllable) - 0xAC00) % 28 != 0


def is_object(word: str) -> bool:
    """Whether the last syllable is the object particle that fits the syllable before it."""
    before = word[-2:-1]
    if word[-1:] not in ("을", "를") or not before:
        return False
    if not "가" <= before <= "힣":
        return True
    return closed(before) == (word[-1] == "을")
