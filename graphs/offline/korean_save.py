"""Reading wishes to save in Korean: what is to be kept, or None. Pure."""

import re

from graphs.offline.intent import Author, Intent
from graphs.offline.korean_particles import ASKING, closed, is_object
from graphs.offline.korean_words import (
    ADVERB,
    AS_LABEL,
    ASKED,
    CLOSING,
    CONTAINER,
    END,
    FILLER,
    FILLERS,
    IN_ARCHIVE,
    IN_CATEGORY,
    NAMED_LABEL,
    OBJECT,
    PLAIN_DO,
    PUT,
    REQUEST,
    SAVE_NOUN,
)
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

_BEFORE = (
    f"(?:(?:(?P<object>{OBJECT})|{IN_CATEGORY}|{AS_LABEL}|{NAMED_LABEL}|{IN_ARCHIVE}"
    f"|{ADVERB})_){{0,4}}"
)
_SAVE = either(
    f"{SAVE_NOUN}_(?:을|를|좀|만|도)?_(?:좀_)?(?P<polite>해_{REQUEST}|{ASKED})",
    f"{CONTAINER}_(?:을|를|로|에다?가?)?_{PUT}_{REQUEST}",
    f"(?<=에 )(?:{OBJECT}_){PUT}_{REQUEST}",
    f"(?:적어|외워|알아|챙겨)_{REQUEST}",
    "(?:써|기억하고_있어|남겨)_(?:둬|놔|두어|둬_?줘|놔_?줘|둬_?주세요|두세요|놓으세요"
    "|줘_야_돼)(?:요)?",
    "(?:절대_)?(?:잊지|잊어버리지|까먹지)_(?:마(?:세요|라|요|십시오)?|말아_?(?:줘|주세요"
    "|라|요)?|말고_기억해_?줘?)",
    f"(?P<plain>{SAVE_NOUN}_(?:을|를|좀|만|도)?_(?:좀_)?{PLAIN_DO})",
)
_HEAD = Phrase(f"{FILLERS}{_BEFORE}(?P<verb>{_SAVE}){END}")
_PLACED = Phrase(
    f"{FILLERS}(?:(?P<object>{OBJECT})_)?{OPEN}?"
    f"(?P<category>[^\\s:：,.!?\"'“”‘’]{{1,20}}?){CLOSE}?"
    f"(?:에다가?|에|으로|로)[ ]_(?:{SAVE_NOUN}_(?:을|를)?_(?:해_{REQUEST}|{PLAIN_DO}|{ASKED})"
    f"|{PUT}_{REQUEST}){END}"
)
_NOUN_HEAD = Phrase(
    f"{FILLERS}{_BEFORE}(?:{SAVE_NOUN}|잊지_말_것|기억할_(?:것|거))_(?:[:：]|(?:--?|[–—])\\s|\\n)"
)
_NOUN_ONLY = Phrase(f"{FILLERS}(?P<object>{OBJECT})_{SAVE_NOUN}{CLOSING}$")
_TAIL = Phrase(f"(?:^|(?<=[\\s,.!?;:\"'”’)\\]】…~]))_{_BEFORE}(?P<verb>{_SAVE}){CLOSING}$")
_THING = Phrase(f"_(?:{OBJECT}|{FILLER})?{CLOSING}$")
_SPOKEN_OF = re.compile(r"\s*(?:이?라고|라는|라면|하면|이라는)(?=$|\s|[가-힣])")
_NO_PLACE = re.compile(
    r"(?:여기|거기|저기|나중|아카이브|메모장|노트|기억|메모리|머리|이거|그거|이것|그것"
    r"|컴퓨터|디스크"
    r"|파일|서버|뒤|후|전|때|시|분|일|초|db|로컬|클라우드|걸|거|것|참고|용|그대|대)$",
    re.IGNORECASE,
)
_THEIRS = re.compile(
    r"(?:네가?|니가?|너의?|당신의?|토마토의?|답변|대답|알려\s*준|답)(?=[\s가-힣]|$)"
)
_MINE = re.compile(r"(?:내|내가|제가?|나의|우리)\s")
_SAID_THAT = re.compile(
    r"(?:이?라고|다고|자고|(?:(?<=다)는|(?<=[\w\s])인)\s*(?:거|것|걸|사실)[을를]?"
    r"|라는\s*(?:거|것|걸|사실)[을를]?"
    r"|(?<=[다인은는한던된])\s*(?:거|것|걸|사실)[을를]?)$"
)
_OWN_I = re.compile(
    r"(?:고양이|길이|높이|깊이|넓이|종이|떡볶이|볶이|먹이|호랑이|원숭이|어린이|젊은이"
    r"|늙은이|멍멍이|돌이|순이)$"
)


def heading(text: str) -> Intent | None:
    """A wish to save that stands before its content: ``이거 저장해줘: ...``."""
    start = text[:CLAUSE]
    if len(text) < CLAUSE and (found := _NOUN_ONLY.match(text)):
        return _saving(found, "")
    if found := _NOUN_HEAD.match(start):
        return _headed(found, text, strong=True)
    if (found := _HEAD.match(start)) and (intent := _checked(found, text)):
        return intent
    found = _PLACED.match(start)
    if found and not _NO_PLACE.search(found["category"]):
        return _headed(found, text, strong=False)
    return None


def _checked(found: re.Match[str], text: str) -> Intent | None:
    rest = text[found.end() :]
    strong = rest.lstrip(" \t")[:1] in (":", "：", "\n", "")
    asks = text.rstrip().endswith(("?", "？"))
    if found["plain"] and asks and not strong:
        return None
    if found["plain"] and asks and not rest.strip(" ?？"):
        return None
    if _SPOKEN_OF.match(rest.lstrip("\"'”’ ")):
        return None
    return _headed(found, text, strong=strong)


def _headed(found: re.Match[str], text: str, *, strong: bool) -> Intent:
    content = after_separator(text[found.end() :])
    if not strong and _THING.match(content[:CLAUSE]) and len(content) < CLAUSE:
        content = ""
    return _saving(found, content)


def _saving(found: re.Match[str], content: str) -> Intent:
    groups = found.groupdict()
    author: Author = "either"
    if not content and (said := groups.get("object")):
        author = "assistant" if _THEIRS.search(said) else "person" if _MINE.search(said) else author
    return Intent(
        kind="save",
        language="ko",
        content=content,
        label=(groups.get("label") or groups.get("named") or "").strip() or None,
        category=groups.get("category"),
        author=author,
    )


def trailing(text: str) -> Intent | None:
    """A wish to save that stands after its content: ``...라고 메모해줘``."""
    before, line = last_line(text)
    found = _TAIL.search(line)
    if found is None:
        return None
    said = line[: found.start()]
    if found["plain"] and (ASKING.search(said) or line.rstrip().endswith(("?", "？"))):
        return None
    content = _content_of(before + said)
    if _THING.match(content[:CLAUSE]) and len(content) < CLAUSE:
        content = ""
    return _saving(found, content)


def _content_of(said: str) -> str:
    """What was said before the command, without what ties it to the verb."""
    content = said.strip().rstrip(",，;")
    found = _SAID_THAT.search(content[-20:])
    if found:
        content = _unsaid(content, found[0].strip())
    elif len(content) > 2 and content[-2].isalnum() and is_object(content):
        content = content[:-1]
    return unquoted(content.rstrip(" ,"))


def _unsaid(content: str, ending: str) -> str:
    if ending in ("다고", "자고"):
        return content[:-1]
    if ending.startswith("이라"):
        stem = content[: -len(ending)]
        copula = closed(stem[-1:]) and not _OWN_I.search(stem + "이")
        return stem if copula or not stem[-1:].isalnum() else stem + "이"
    return content[: -len(ending)].rstrip()
