"""Reading commands in Korean: what a message asks for, or None when it asks for none. Pure."""

import re

from graphs.offline.intent import IT, Author, Intent, Target
from graphs.offline.korean_words import (
    ADVERB,
    AS_LABEL,
    ASKED,
    CHANGE,
    CLOSING,
    CONTAINER,
    END,
    ERASE,
    FIELD,
    FILLER,
    GENERIC,
    IN_ARCHIVE,
    IN_CATEGORY,
    LOOK,
    MOVE,
    NAMED_LABEL,
    OBJECT,
    ORDINALS,
    PARTICLES,
    PLAIN_DO,
    PUT,
    REMOVE,
    REQUEST,
    SAVE_NOUN,
    SEEK,
    SHOW,
)
from graphs.offline.phrases import CLAUSE, CLOSE, OPEN, Phrase, after_separator, either, last_line
from graphs.offline.phrases import unquoted as _unquoted

_BEFORE = (
    f"(?:(?:(?P<object>{OBJECT})|{IN_CATEGORY}|{AS_LABEL}|{NAMED_LABEL}|{IN_ARCHIVE}"
    f"|{ADVERB})_){{0,4}}"
)
_FILLERS = f"(?:{FILLER}(?:[\\s,.!~]+|$)){{0,3}}"
_SAVE = either(
    f"{SAVE_NOUN}_(?:을|를|좀|만|도)?_(?:좀_)?(?P<polite>해_{REQUEST}|{ASKED})",
    f"{CONTAINER}_(?:을|를|로|에다?가?)?_{PUT}_{REQUEST}",
    f"(?:적어|외워|알아|챙겨)_{REQUEST}",
    "(?:써|기억하고_있어|남겨)_(?:둬|놔|두어|둬_?줘|놔_?줘|둬_?주세요|두세요|놓으세요"
    "|줘_야_돼)(?:요)?",
    "(?:절대_)?(?:잊지|잊어버리지|까먹지)_(?:마(?:세요|라|요|십시오)?|말아_?(?:줘|주세요"
    "|라|요)?|말고_기억해_?줘?)",
    f"(?P<plain>{SAVE_NOUN}_(?:을|를|좀|만|도)?_(?:좀_)?{PLAIN_DO})",
)
_HEAD = Phrase(f"{_FILLERS}{_BEFORE}(?P<verb>{_SAVE}){END}")
_PLACED = Phrase(
    f"{_FILLERS}(?:(?P<object>{OBJECT})_)?{OPEN}?"
    f"(?P<category>[^\\s:：,.!?\"'“”‘’]{{1,20}}?){CLOSE}?"
    f"(?:에다가?|에|으로|로)[ ]_(?:{SAVE_NOUN}_(?:을|를)?_(?:해_{REQUEST}|{PLAIN_DO}|{ASKED})"
    f"|{PUT}_{REQUEST}){END}"
)
_NOUN_HEAD = Phrase(
    f"{_FILLERS}{_BEFORE}(?:{SAVE_NOUN}|잊지_말_것|기억할_(?:것|거))_(?:[:：]|(?:--?|[–—])\\s|\\n)"
)
_NOUN_ONLY = Phrase(f"{_FILLERS}(?P<object>{OBJECT})_{SAVE_NOUN}{CLOSING}$")
_TAIL = Phrase(f"(?:^|(?<=[\\s,.!?;:\"'”’)\\]】…~]))_{_BEFORE}(?P<verb>{_SAVE}){CLOSING}$")
_THING = Phrase(f"_(?:{OBJECT}|{FILLER})?{CLOSING}$")
_SPOKEN_OF = re.compile(r"\s*(?:이?라고|라는|라면|하면|이라는)(?=$|\s|[가-힣])")
_ASKING = re.compile(r"(?:어떻게|어디에?다?|왜|언제|뭘|무엇을|누가|뭐를|자동으로)\s*$")
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
    if (found := _NOUN_ONLY.match(text)) if len(text) < CLAUSE else None:
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
    if found["plain"] and (_ASKING.search(said) or line.rstrip().endswith(("?", "？"))):
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
    elif content.endswith(("를", "을")) and len(content) > 2 and content[-2].isalnum():
        if _is_object(content):
            content = content[:-1]
    return _unquoted(content.rstrip(" ,"))


def _is_object(word: str) -> bool:
    """Whether the last syllable is the object particle that fits the syllable before it."""
    before = word[-2]
    if not "가" <= before <= "힣":
        return True
    return closed(before) == (word[-1] == "을")


def closed(syllable: str) -> bool:
    """Whether a Hangul syllable ends in a consonant."""
    return "가" <= syllable <= "힣" and (ord(syllable) - 0xAC00) % 28 != 0


def _unsaid(content: str, ending: str) -> str:
    if ending in ("다고", "자고"):
        return content[:-1]
    if ending.startswith("이라"):
        stem = content[: -len(ending)]
        copula = closed(stem[-1:]) and not _OWN_I.search(stem + "이")
        return stem if copula or not stem[-1:].isalnum() else stem + "이"
    return content[: -len(ending)].rstrip()


_SUBJECT = (
    "(?:내가|제가|나|저|네가|니가|너|우리가|전에|예전에|아까|지난번에|이전에|저번에|방금|어제|그때"
    "|최근에?|지금까지|여태|오늘|지난주에?)"
)
_NOTED = "(?:저장|메모|기록|보관|기억|아카이브|아카이빙|세이브|노트)_(?:을_|를_)?"
_WRITTEN = "(?:적어|써|남겨|넣어|알려)"
_SAVED = either(
    f"{_NOTED}(?:해_?(?:둔|두었던|놓은|놨던|뒀던|줬던|준|달라고_?(?:한|했던))|했었던|했던|한|된"
    "|(?:되어|돼)_?(?:있는|있던)|하라고_?(?:한|했던)|하고_?있는)",
    f"{_WRITTEN}_?(?:둔|놓은|놨던|뒀던|준|달라고_?한)",
    "적은|남긴",
)
_DID_SAVE = either(
    f"{_NOTED}(?:해_?(?:뒀|두었|놨|놓았|줬|달라고_?했)|했|하고_?있|(?:되어|돼|돼서)_?있"
    "|됐|되었|하라고_?했)",
    f"{_WRITTEN}_?(?:뒀|놨|놓았|두었)",
)
_WONDER = (
    "(?:었|았)?(?:더라고요|더라|지요?|죠|나요?|니|냐|던가요?|는지|을까요?|습니까|는데|어요?|어)"
)
_IS_WHAT = either(
    "(?:이|가|은|는|들?이)?_(?:뭐|뭔|무엇|뭣)_?(?:였|이었|인|이)?_?"
    "(?:더라|야|지요?|예요|에요|죠|냐|나요|가요|입니까|어요?|어)?(?:_있_?(?:어요?|지"
    "|나요?|더라|을까요?|니))?",
    "(?:뭐가|뭔가|무엇이|뭐|어떤_게|어떤_것이)_있_?(?:어요?|지요?|나요?|더라|을까요?|니"
    "|는지|습니까|었지)",
    "(?:이|가|은|는|도|라도)?_있_?(?:어요?|지요?|나요?|니|을까요?|는지|던가|었나|었지|습니까|을까)",
    "(?:이|가|은|는)?_(?:어디|언제|얼마|몇_?번?)_?(?:야|지|였지|였더라|에_?있(?:어요?|지"
    "|나요?)|있(?:어요?|지)|이지|인가요?|이야)",
    "(?:이|가|은|는)?_(?:어떻게|뭐라고)_?(?:돼|되지|되더라|적었지|되나요?|썼지)",
)
_LOOKED = Phrase(f"(?:한번_|좀_)?(?:{SHOW}|{SEEK})(?:_?{REQUEST}|_?{LOOK})?{CLOSING}$")
_SOUGHT = Phrase(
    f"(?:^|(?<=\\s)|(?<=[을를좀은는도]))_(?:{SEEK}(?:_?{REQUEST}|_?{LOOK}"
    f"|_?보여_?{REQUEST})?|검색|찾기"
    f"|검색_?(?:부탁(?:해요?|드려요|드립니다|합니다)?)|찾고_싶어요?){CLOSING}$"
)
_SEEN = Phrase(f"(?:^|(?<=\\s)|(?<=[을를좀은는도]))_(?:{LOOK}|보여|보기|열기){CLOSING}$")
_ASKED_WHAT = Phrase(f"(?:{_IS_WHAT}){CLOSING}$")
_SAVED_THING = Phrase(f"(?:{_SUBJECT}_){{0,3}}(?:{_SAVED})(?=\\s|$|[가-힣])")
_DID = Phrase(f"(?:{_SUBJECT}_){{0,2}}(?P<did>{_DID_SAVE})_?{_WONDER}{CLOSING}$")
_WHAT = Phrase(
    "(?:^|(?<=\\s))(?:뭐라고|뭐라|무엇을|무엇|뭐를|뭐가|뭘|뭐|무슨|어떤|어디에?다?|언제)(?=\\s|$)"
)
_RECALL = Phrase(
    "(?:을|를|은|는|이|가|도)?_(?:기억_?(?:나|나니|나요|나세요|하니|하나요|하세요|해요?"
    "|하고_?있(?:어요?|니|나요?)))_\\?+\\s*$"
)
_RECALL_ANYWAY = Phrase(
    "(?:을|를|은|는|이|가|도)?_기억_?(?:나니|나요|나|하니|하고_?있니)_[.?!]*\\s*$"
)
_NOTES = Phrase("(?:메모|노트|아카이브|보관함|목록|리스트|저장_?내역|저장_?목록|기록)")
_LISTED = Phrase("(?:목록|리스트|카테고리)")
_WHOLE = Phrase("(?:자세히|자세하게|상세히|전문|원문|본문|전체_?내용|내용_?전체|끝까지|전부_읽어)")
_ALL = Phrase("(?:^|(?<=\\s))(?:모두|모든|전부|전체|다|싹|몽땅)(?=\\s|$|[가-힣])")
_CATEGORY = Phrase(
    f"(?:^|(?<=\\s)){OPEN}?(?P<category>[^\\s\"'“”‘’]{{1,30}}?){CLOSE}?_(?:카테고리|폴더"
    "|분류)(?:에|의|는|은|를|을|에는|안에)?(?=\\s|$|[가-힣])"
)
_IN_NOTES = Phrase(
    "(?:메모|노트|아카이브|보관함|기록|메모장|저장소)_?(?:들)?_?(?:중에서?|에서|에는?"
    "|안에)(?=\\s|$)"
)
_IT = Phrase(
    "(?:방금_|아까_|지금_|그_|이_)?(?:(?:내가_)?(?:저장|찾|말|메모|보여_준?"
    "|알려_준?)_?(?:한|은|준|해_?준)?_)?"
    "(?:이|그|저|요)?_(?:거|것|걸|건|게|메모|항목|노트|글|내용|기록|엔트리|녀석"
    "|놈)?_(?:을|를|도|은|는|만|좀)?_(?:다시_|좀_"
    "|더_|그냥_|이제_)*$"
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


def looking(text: str) -> Intent | None:
    """A wish to find, list or read something of the archive."""
    body = re.sub(rf"^{_FILLERS}".replace("_", r"[ \t]{0,2}"), "", text.strip())
    shown = _LOOKED.search(body) or _SEEN.search(body)
    sought = _SOUGHT.search(body)
    stem = body[: (shown or sought).start()] if (shown or sought) else body.rstrip(" .!?~…")
    numbers = ordinals(stem)
    if numbers and _only_numbers(stem):
        return Intent(kind="read", language="ko", target=Target(ordinals=numbers))
    if recalled := _RECALL.search(body) or _RECALL_ANYWAY.search(body):
        return _lookup(body[: recalled.start()], find=True)
    if sought:
        return _lookup(stem, find=True)
    return _asked(body, stem, shown)


def _asked(body: str, stem: str, shown: re.Match[str] | None) -> Intent | None:
    if did := _DID.search(body):
        stem = body[: did.start()]
        asks = body.rstrip().endswith(("?", "？")) or _WHAT.search(stem)
        wonders = not re.search(r"(?:어|어요|는데)[\s.!~]*$", body)
        return _lookup(stem, find=True) if asks or wonders else None
    what = _ASKED_WHAT.search(body)
    if found := shown or what:
        stem = _before(body, found)
        if _SAVED_THING.search(stem) or _IN_NOTES.search(stem) or _LISTED.search(stem):
            return _lookup(stem, find=False)
        if shown and (_NOTES.search(stem) or _IT.match(stem) or _WHOLE.search(stem)):
            return _lookup(stem, find=False)
        return None
    if _LISTED.search(body) or _NOTES.search(body) or _WHOLE.search(body):
        bare = content_words(body)
        return _lookup(body, find=False) if not bare and len(body) <= 30 else None
    return None


def _before(body: str, found: re.Match[str]) -> str:
    """What stands before a question; the 이 of ``와이파이 있어`` is no particle."""
    start = found.start()
    own = start > 0 and body[start] == "이" and not closed(body[start - 1])
    return body[: start + own]


def _lookup(stem: str, *, find: bool) -> Intent:
    category = _CATEGORY.search(stem)
    if category and _bare(category["category"]) not in GENERIC:
        rest = content_words(stem[: category.start()] + " " + stem[category.end() :])
        name = _unquoted(category["category"])
        kind = "find" if rest else "list"
        return Intent(kind=kind, language="ko", query=rest, category=name)  # type: ignore[arg-type]
    query = content_words(stem)
    whole = _WHOLE.search(stem)
    if query:
        if whole:
            return Intent(kind="read", language="ko", target=Target(words=query, sure=True))
        listed = re.search(r"(?:목록|리스트)\s*(?:을|를|좀)?\s*$", stem)
        if listed and " " not in query:
            return Intent(kind="list", language="ko", category=query)
        return Intent(kind="find", language="ko", query=query)
    if not find and (whole or _IT.match(stem)) and not _is_list(stem):
        return Intent(kind="read", language="ko", target=IT)
    return Intent(kind="list", language="ko", every=bool(_ALL.search(stem)))


def _is_list(stem: str) -> bool:
    plural = re.search(r"(?:들|목록|리스트|아카이브|저장한|모든|모두|전부)", stem)
    return bool(plural) or bool(
        re.fullmatch(r"\s*(?:내|나의|제)\s*(?:메모|노트|기록)\S{0,2}\s*", stem)
    )


def content_words(stem: str) -> str:
    """What is looked for: ``stem`` without the words that only say that it was saved."""
    text = _WHAT.sub(" ", _IN_NOTES.sub(" ", _SAVED_THING.sub(" ", stem)))
    kept = [word for word in text.split() if _bare(word) not in GENERIC]
    while kept and kept[-1].strip("?!.,~…") == "":
        kept.pop()
    return _unquoted(" ".join([*kept[:-1], _trimmed(kept[-1])])) if kept else ""


def _bare(word: str) -> str:
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
    if word[-1:] in ("을", "를") and len(word) > 1 and _is_object(word):
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


def _only_numbers(text: str) -> bool:
    rest = _NTH.sub(" ", _NUMBER.sub(" ", text))
    return bool(_REST.match(rest.strip()))


def target(text: str) -> Target:
    """Which entry ``text``, the object of a command, means."""
    text = re.sub(rf"^{_FILLERS}".replace("_", r"[ \t]{0,2}"), "", text.strip())
    every = bool(_ALL.search(text))
    numbers = ordinals(text)
    if numbers and _only_numbers(text):
        return Target(ordinals=numbers)
    words = content_words(text)
    if not words:
        return Target(every=every)
    sure = bool(_NOTES.search(text) or _SAVED_THING.search(text) or re.search("항목", text))
    quoted = text.strip()[:1] in "\"'“‘「『"
    return Target(words=words, sure=sure or quoted, every=every)


_DELETE = Phrase(
    f"^(?P<what>.*?)_(?:을|를|은|는|도|만)?_(?:(?:좀|싹|그냥|이제|영구히|완전히|바로)_)*"
    f"(?:{REMOVE}_(?:을|를)?_(?:좀_)?(?:(?P<do>해_{REQUEST}|{ASKED}|해_버려|해_버려_?{REQUEST})"
    "|(?P<plain>해라|해요|해|하자)|(?P<noun>))"
    f"|(?P<erase>{ERASE}(?:_?{REQUEST}|라|요)?))_(?P<end>[\\s.!?~…,ㅋㅎㅠㅜ^;]*)$"
)
_DELETE_HEAD = Phrase(
    f"^(?:{REMOVE}_(?:해_{REQUEST}|해|)|{ERASE}(?:_?{REQUEST})?)_[:：]_(?P<what>[^\\n]+)$"
)
_POINTING = Phrase("(?:이|그|저|요)_(?:거|것|걸|건|메모|항목|노트|글|내용|기록)")


def deleting(text: str) -> Intent | None:
    """A wish to delete an entry; only ever said in so many words."""
    if head := _DELETE_HEAD.match(text):
        return Intent(kind="delete", language="ko", target=target(head["what"]))
    found = _DELETE.match(text)
    if found is None or "\n" in text:
        return None
    what = re.split(r"[.!?]\s+", found["what"])[-1]
    if re.search(r"[:：]", what) or len(what) > 80 or _ASKING.search(what):
        return None
    asks = "?" in found["end"] or "？" in found["end"]
    softly = found["plain"] is not None or found["noun"] is not None
    if asks and (softly or (found["erase"] or "").endswith(("지워", "지워요"))):
        return None
    meant = target(what)
    if found["noun"] is not None and meant.words and not meant.sure:
        return None
    if softly and meant == IT and what.strip() and not _points(what):
        return None
    return Intent(kind="delete", language="ko", target=meant)


def _points(what: str) -> bool:
    return bool(_POINTING.search(what) or _IT.match(what) or _NOTES.search(what))


_WANTED = f"{CHANGE}(?:_{REQUEST}|_{ASKED}|라|요|)?"
_VALUE = f"(?:{OPEN}(?P<quoted>[^\\n]{{1,80}}?){CLOSE}|(?P<value>[^\\n]{{1,80}}?))"
_UPDATE = Phrase(
    f"^(?P<what>.*?)_(?:의|에|은|는)?_{FIELD}_(?:을|를|은|는|만|도)?[ "
    f"\\t:：]*{_VALUE}_(?:이?라고|으로"
    "|로)_(?:좀_|다시_)*"
    f"{_WANTED}_[\\s.!?~]*$"
)
_MOVE = Phrase(
    "^(?P<what>.*?)_(?:을|를|은"
    f"|는)?_{OPEN}?(?P<category>[^\\s\"'“”‘’]{{1,30}}?){CLOSE}?_(?P<kind>카테고리|폴더|분류)?"
    f"_(?:으로|로|에)_(?:좀_|다시_)*(?P<verb>{MOVE})(?:_{REQUEST}|_{ASKED}|라|요|)?_[\\s.!?~]*$"
)
_NAME_IT = Phrase(
    f"^(?P<what>.*?)_(?:을|를|은|는)?_{_VALUE}_(?:이?라고|으로"
    "|로)_(?:이름_?(?:을_)?(?:붙여|지어|바꿔)|불러"
    f"|라벨_?(?:을_)?(?:붙여|달아)|부르자)(?:_{REQUEST})?_[\\s.!?~]*$"
)
_BOTH = Phrase(
    "(?:라벨|이름|제목|레이블)_(?:은|을|는)?_(?P<label>[^,\\n]{1,60}?)_(?:으로|로|,|이고|하고)_,?_"
    f"(?:카테고리|분류)_(?:는|를|은)?_(?P<category>[^,\\n]{{1,40}}?)_(?:으로"
    f"|로)_{_WANTED}_[\\s.!?~]*$"
)


def changing(text: str) -> Intent | None:
    """A wish to change an entry's label, category or content."""
    if "\n" in text:
        return None
    if both := _BOTH.search(text):
        meant = target(text[: both.start()])
        return _update(meant, label=_unquoted(both["label"]), category=_unquoted(both["category"]))
    if named := _NAME_IT.match(text):
        return _update(target(named["what"]), label=_unquoted(named["quoted"] or named["value"]))
    if found := _UPDATE.match(text):
        value = _unquoted(found["quoted"] or found["value"])
        field = next(name for name in ("label", "category", "content") if found[name])
        return _update(target(found["what"]), **{field: value}) if value else None
    found = _MOVE.match(text)
    if found is None or (
        found["kind"] is None and found["verb"][:2] not in ("옮겨", "이동", "분류")
    ):
        return None
    return _update(target(found["what"]), category=_unquoted(found["category"]))


def _update(
    meant: Target, *, label: str | None = None, category: str | None = None, content: str = ""
) -> Intent:
    return Intent(
        kind="update",
        language="ko",
        target=meant,
        label=label,
        category=category,
        content=content,
    )
