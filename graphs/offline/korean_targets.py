"""Which entry a Korean phrase means: its number, its words, or the one spoken of. Pure."""

import re

from graphs.offline.intent import Target
from graphs.offline.korean_particles import closed, is_object
from graphs.offline.korean_words import FILLERS, GENERIC, ORDINALS, PARTICLES
from graphs.offline.phrases import Phrase, either, unquoted

LEAD = Phrase(f"^{FILLERS}")
SUBJECT = (
    "(?:내가|제가|나|저|네가|니가|너|우리가|전에|예전에|아까|지난번에|이전에|저번에|방금|어제|그때"
    "|최근에?|지금까지|여태|오늘|지난주에?)"
)
NOTED = "(?:저장|메모|기록|보관|기억|아카이브|아카이빙|세이브|노트)_(?:을_|를_)?"
WRITTEN = "(?:적어|써|남겨|넣어|알려)"
_SAVED = either(
    f"{NOTED}(?:해_?(?:둔|두었던|놓은|놨던|뒀던|줬던|준|달라고_?(?:한|했던))|했었던|했던|한|된"
    "|(?:되어|돼)_?(?:있는|있던)|하라고_?(?:한|했던)|하고_?있는)",
    f"{WRITTEN}_?(?:둔|놓은|놨던|뒀던|준|달라고_?한)",
    "적은|남긴",
)
SAVED_THING = Phrase(f"(?:{SUBJECT}_){{0,3}}(?:{_SAVED})(?=\\s|$|[가-힣])")
WHAT = Phrase(
    "(?:^|(?<=\\s))(?:뭐라고|뭐라|무엇을|무엇|뭐를|뭐가|뭘|뭐|무슨|어떤|어디에?다?|언제)(?=\\s|$)"
)
NOTES = Phrase("(?:메모|노트|아카이브|보관함|목록|리스트|저장_?내역|저장_?목록|기록)")
ALL = Phrase("(?:^|(?<=\\s))(?:모두|모든|전부|전체|다|싹|몽땅)(?=\\s|$|[가-힣])")
IN_NOTES = Phrase(
    "(?:메모|노트|아카이브|보관함|기록|메모장|저장소)_?(?:들)?_?(?:중에서?|에서|에는?"
    "|안에)(?=\\s|$)"
)
_NUMBER = re.compile(
    r"(?:^|(?<=[\s,와과랑]))#?(\d{1,3})\s*(?:번\s*째|번|$)(?=$|[\s,와과랑]|(?:째|을|를|은"
    r"|는|도|만|의|이|가"
    r"|거|것|메모|항목)(?:\s|$|[가-힣]))"
)
_NTH = Phrase(
    "(?:^|(?<=\\s)|(?<=[,와과랑]))(?P<nth>맨_?마지막|마지막|(?:첫|두|세|네|다섯|여섯|일곱"
    "|여덟|아홉|열)_번_?째"
    "|첫째|둘째|셋째|넷째|다섯째)_(?:번_)?(?:에_)?(?:저장한_|있는_|나온_)?(?:거|것|걸|건"
    "|게|메모|항목|노트|글|결과|번"
    "|기록)?(?:을|를|은|는|도|만|의|이|가)?(?=$|[\\s,와과랑])"
)
_REST = re.compile(
    r"(?:\d|번째|번|째|거|것|걸|건|게|메모|항목|노트"
    r"|[을를은는도만의이가와과랑,하고그리고및좀다모두둘\s]|자세히|자세하게|더|전체|내용"
    r"|상세히|전부)*$"
)


def content_words(stem: str) -> str:
    """What is looked for: ``stem`` without the words that only say that it was saved."""
    text = WHAT.sub(" ", IN_NOTES.sub(" ", SAVED_THING.sub(" ", stem)))
    kept = [word for word in text.split() if bare_word(word) not in GENERIC]
    while kept and kept[-1].strip("?!.,~…") == "":
        kept.pop()
    return unquoted(" ".join([*kept[:-1], _trimmed(kept[-1])])) if kept else ""


def bare_word(word: str) -> str:
    """A word without marks and, if something is left then, without its particle."""
    word = word.strip("?!.,~…:;()\"'“”‘’")
    if word in GENERIC:
        return word
    for particle in PARTICLES:
        if word.endswith(particle) and word[: -len(particle)] in GENERIC:
            return word[: -len(particle)]
    return word


def _trimmed(word: str) -> str:
    """The last word of a query without its object or topic particle."""
    word = word.strip("?!.,~…")
    if is_object(word):
        return word[:-1]
    if word[-1:] == "은" and len(word) > 2 and closed(word[-2]):
        return word[:-1]
    if word[-1:] in ("는", "가", "의", "에") and len(word) > 2:
        return word[:-1]
    return word


def ordinals(text: str) -> tuple[int, ...]:
    """The places in a list that are named: ``2번``, ``두 번째``, ``마지막``."""
    places = [(found.start(), int(found[1])) for found in _NUMBER.finditer(text)]
    for found in _NTH.finditer(text):
        name = re.sub(r"\s+", "", found["nth"])
        places.append((found.start(), _nth(name)))
    return tuple(dict.fromkeys(number for _, number in sorted(places) if number))


def _nth(name: str) -> int:
    return next((n for word, n in ORDINALS.items() if word.replace(" ", "") == name), 0)


def only_numbers(text: str) -> bool:
    rest = _NTH.sub(" ", _NUMBER.sub(" ", text))
    return bool(_REST.match(rest.strip()))


def target(text: str) -> Target:
    """Which entry ``text``, the object of a command, means."""
    text = LEAD.sub("", text.strip())
    every = bool(ALL.search(text))
    numbers = ordinals(text)
    if numbers and only_numbers(text):
        return Target(ordinals=numbers)
    words = content_words(text)
    if not words:
        return Target(every=every)
    sure = bool(NOTES.search(text) or SAVED_THING.search(text) or re.search("항목", text))
    quoted = text.strip()[:1] in "\"'“‘「『"
    return Target(words=words, sure=sure or quoted, every=every)
