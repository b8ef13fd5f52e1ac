"""Content that has nothing to label, found without asking a model, so that none can invent. Pure.

Looks at a bounded sample from the start. What has words in it is never noise, whatever else does.
"""

import math
import re
import unicodedata
from collections import Counter
from itertools import pairwise
from typing import Literal

from memory.text import is_blank, language
from tools.scripts import letter_script

Noise = Literal["blank", "symbols", "number", "hash", "random", "repetition"]

SAMPLE = 4_000

_REASONS: dict[Noise, tuple[str, str]] = {
    "blank": ("There is no text.", "내용이 비어 있습니다."),
    "symbols": ("There are no words, only symbols.", "글자 없이 기호만 있습니다."),
    "number": ("A bare number says nothing by itself.", "숫자만으로는 무엇인지 알 수 없습니다."),
    "hash": ("This is a hash or an encoded value.", "해시 또는 인코딩된 값입니다."),
    "random": ("These are random characters.", "뜻이 없는 무작위 문자입니다."),
    "repetition": ("The same thing is repeated.", "같은 글자만 되풀이됩니다."),
}

_WORD = re.compile(r"[^\W\d_]+")
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|[-+]?[0-9.]+[eE][-+]?[0-9]+")
_HEX = re.compile(
    r"(?:[a-z0-9]+[:$])?(?=[^\s]*\d)[0-9a-f]{16,}|[0-9a-f]{8}(?:-[0-9a-f]{4,12}){4}"
    r"|(?=[^\s]*[a-f])(?=[^\s]*\d)[0-9a-f]{7,}"
)
_BYTES = re.compile(
    r"(?=.*\d)(?:[0-9a-f]{2}[\s:,;-]+){7,}[0-9a-f]{2}|(?:(?:0|\\)x[0-9a-f]{2}[\s,;]*){2,}"
)
_BASE32 = re.compile(r"(?=.*[2-7])(?=.*[A-Z])[A-Z2-7]{16,}=*")
_ENCODED = re.compile(r"(?=.*[0-9+/_=-])(?=.*[a-z])(?=.*[A-Z])[A-Za-z0-9+/_=.-]{24,}")
_HANGUL = re.compile("[\u1100-\u11ff\u3130-\u318f\uac00-\ud7a3]")
_JAMO = re.compile("[\u3131-\u318e]+")
_ROWS = ("1234567890", "qwertyuiop", "asdfghjkl;", "zxcvbnm")
_RUNS = "|".join(
    row[start:end]
    for line in _ROWS
    for row in (line, line[::-1])
    for start in range(len(row) - 2)
    for end in range(len(row), start + 2, -1)
)
_KEYS = re.compile(f"(?=.{{4}})(?:{_RUNS})++")
_PART = re.compile(r"[A-Z]?[a-z]{2,}|[A-Z]{3,}")
_AROUND = "\"'`.,;:!?()[]{}<>"
_UNPRINTABLE = ("Cc", "Cn", "Co", "Cs")

# The commonest letter pairs of English: nine tenths of the pairs of a text, a quarter of all.
_COMMON = (
    "th on in er re an ti co en es te nt or he st at ng se it ic io de li ro le ra ed tt om la ar "
    "ht al ns me nd as ta si fi pr is ma ge ch ps ve ho ec ce ri tr et di ss da ou ie ll ct pe ha "
    "gi ex el yt ub cl lo ut fo ne am rs ur im ea po ai il op hu us pa so ac nc rt ad mp mi ag em "
    "to na if ca od ul pi pl wi hi ir un gr ts ot do oc vi id no su ap os bl qu ck ui ty ry og xt "
    "mo ib ow ab bu eq ke pu ue ev ig mm yo ol ov ee gu um va ru ly ni sp pt sh ua fr ep rm pp ef "
    "up ia au fa ld ba tu je wh sc rk cu sy oo rg be ci wa wo ls cr lu lt sa iv"
)
_PAIRS = frozenset(_COMMON.split())


def find_noise(content: str) -> Noise | None:
    """What kind of noise ``content`` is, or None when it may have a meaning."""
    text = content.strip()[:SAMPLE].rstrip()
    if is_blank(text):
        return "blank" if _unprintable(text) == 0 else "random"
    if _unprintable(text) > len(text) / 10:
        return "random"
    if _NUMBER.fullmatch(text):
        return "number"
    if _BYTES.fullmatch(text.lower()):
        return "hash"
    if not any(char.isalpha() and not char.isnumeric() for char in text):
        return "number" if any(map(str.isnumeric, text)) else "symbols"
    return _worded_noise(text)


def reason(noise: Noise, content: str) -> str:
    """Why there is nothing to label, in the content's language as far as it has one."""
    english, korean = _REASONS[noise]
    return korean if language(content[:SAMPLE]) == "ko" else english


def _worded_noise(text: str) -> Noise | None:
    tokens = [token for token in (part.strip(_AROUND) for part in text.split()) if token]
    if all(_is_encoded(token) for token in tokens):
        return "hash"
    joined = "".join(tokens)
    if _is_repetition(joined.lower()):
        return "repetition"
    if _JAMO.fullmatch(joined) or _KEYS.fullmatch(joined.lower()):
        return "random"
    if all(map(_is_random, tokens)) or _is_mash(joined, tokens) or _is_mixture(text):
        return "random"
    return None


def _unprintable(text: str) -> int:
    odd = sum(unicodedata.category(char) in _UNPRINTABLE and char not in "\n\r\t" for char in text)
    return odd + text.count("\ufffd")


def _is_encoded(token: str) -> bool:
    if _HEX.fullmatch(token.lower()):
        return True
    if _BASE32.fullmatch(token):
        return not _reads(token)
    return bool(_ENCODED.fullmatch(token)) and _entropy(token) > 3.8 and not _reads(token)


def _is_repetition(text: str) -> bool:
    """Whether two letters, or a unit of up to eight characters, make up all of a text."""
    if len(text) >= 8 and len(set(text)) <= 2:
        return True
    return any(
        text == (text[:size] * (len(text) // size + 1))[: len(text)]
        for size in range(1, 9)
        if len(text) >= 4 * size
    )


def _is_random(token: str) -> bool:
    """Whether a token is no word of any language and no name that somebody gave."""
    hangul = _HANGUL.findall(token)
    if hangul:
        return len(hangul) >= 4 and sum(map(_is_rare, hangul)) > len(hangul) / 2
    if not token.isascii():
        return "\ufffd" in token
    if _KEYS.fullmatch(token.lower()):
        return True
    if _is_plain(token):
        return len(token) >= 10 and _familiar(token.lower()) < 0.4
    return len(token) >= 10 and _classes(token) >= 3 and _entropy(token) > 3 and not _reads(token)


def _is_mash(letters: str, tokens: list[str]) -> bool:
    """Whether several tokens together are what a hand on a keyboard leaves."""
    return len(letters) >= 16 and all(map(_is_plain, tokens)) and _familiar(letters.lower()) < 0.4


def _is_plain(token: str) -> bool:
    return token.isascii() and token.isalpha() and (token.islower() or token.isupper())


def _is_rare(syllable: str) -> bool:
    """Whether a Hangul syllable is outside the 2,350 of KS X 1001, which text is made of."""
    return len(syllable.encode("euc_kr", "replace")) > 2


def _is_mixture(text: str) -> bool:
    """Whether neighbouring letters are mostly of different scripts, as in decoded random bytes."""
    pairs = [
        pair for word in _WORD.findall(text[:400]) for pair in pairwise(map(letter_script, word))
    ]
    return len(pairs) >= 6 and sum(left != right for left, right in pairs) > len(pairs) * 0.4


def _classes(token: str) -> int:
    """How many kinds of ASCII characters a token has: lower, upper, digits, others."""
    return sum(
        any(map(kind, token)) for kind in (str.islower, str.isupper, str.isdigit, _is_punctuation)
    )


def _is_punctuation(character: str) -> bool:
    return not character.isalnum()


def _reads(token: str) -> bool:
    """Whether parts of a token read like words: ``maxmemory-policy``, ``getUserById2``."""
    parts = _PART.findall(token)
    letters = sum(map(str.isalpha, token))
    return sum(len(part) for part in parts if _familiar(part.lower()) >= 0.6) >= letters * 0.4


def _familiar(word: str) -> float:
    """The share of a word's letter pairs that are common ones."""
    pairs = ["".join(pair) for pair in pairwise(word)]
    return sum(pair in _PAIRS for pair in pairs) / len(pairs) if pairs else 0.0


def _entropy(text: str) -> float:
    """Bits per character."""
    return -sum(
        count / len(text) * math.log2(count / len(text)) for count in Counter(text).values()
    )
