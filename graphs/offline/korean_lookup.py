"""Reading wishes to find, list and read in Korean. Pure."""

import re

from graphs.offline.intent import IT, Intent, Target
from graphs.offline.korean_particles import closed
from graphs.offline.korean_targets import (
    ALL,
    IN_NOTES,
    LEAD,
    NOTED,
    NOTES,
    SAVED_THING,
    SUBJECT,
    WHAT,
    WRITTEN,
    bare_word,
    content_words,
    only_numbers,
    ordinals,
)
from graphs.offline.korean_words import CLOSING, GENERIC, LOOK, REQUEST, SEEK, SHOW
from graphs.offline.phrases import CLOSE, OPEN, Phrase, either, unquoted

_DID_SAVE = either(
    f"{NOTED}(?:해_?(?:뒀|두었|놨|놓았|줬|달라고_?했)|했|하고_?있|(?:되어|돼|돼서)_?있"
    "|됐|되었|하라고_?했)",
    f"{WRITTEN}_?(?:뒀|놨|놓았|두었)",
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
    "(?:이|가|은|는)?_(?:총_)?몇_?개_?(?:야|지|예요|에요|인가요|나_있어요?|있어요?|있지|있나요?)",
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
_DID = Phrase(f"(?:{SUBJECT}_){{0,2}}(?P<did>{_DID_SAVE})_?{_WONDER}{CLOSING}$")
_RECALL = Phrase(
    "(?:을|를|은|는|이|가|도)?_(?:기억_?(?:나|나니|나요|나세요|하니|하나요|하세요|해요?"
    "|하고_?있(?:어요?|니|나요?)))_\\?+\\s*$"
)
_RECALL_ANYWAY = Phrase(
    "(?:을|를|은|는|이|가|도)?_기억_?(?:나니|나요|나|하니|하고_?있니)_[.?!]*\\s*$"
)
_NOTE_LAST = Phrase("(?:메모|노트|기록)_(?:이|가|들|들이|는|은|도)?$")
_LISTED = Phrase("(?:목록|리스트|카테고리)")
_WHOLE = Phrase("(?:자세히|자세하게|상세히|전문|원문|본문|전체_?내용|내용_?전체|끝까지|전부_읽어)")
_CATEGORY = Phrase(
    f"(?:^|(?<=\\s)){OPEN}?(?P<category>[^\\s\"'“”‘’]{{1,30}}?){CLOSE}?_(?:카테고리|폴더"
    "|분류)(?:에|의|는|은|를|을|에는|안에)?(?=\\s|$|[가-힣])"
)
SPOKEN_OF = Phrase(
    "(?:방금_|아까_|지금_|그_|이_)?(?:(?:내가_)?(?:저장|찾|말|메모|보여_준?"
    "|알려_준?)_?(?:한|은|준|해_?준)?_)?"
    "(?:이|그|저|요)?_(?:거|것|걸|건|게|메모|항목|노트|글|내용|기록|엔트리|녀석"
    "|놈)?_(?:을|를|도|은|는|만|좀)?_(?:다시_|좀_"
    "|더_|그냥_|이제_)*$"
)


def looking(text: str) -> Intent | None:
    """A wish to find, list or read something of the archive."""
    body = LEAD.sub("", text.strip())
    shown = _LOOKED.search(body) or _SEEN.search(body)
    sought = _SOUGHT.search(body)
    verb = shown or sought
    stem = body[: verb.start()] if verb else body.rstrip(" .!?~…")
    numbers = ordinals(stem)
    if numbers and only_numbers(stem):
        return Intent(kind="read", language="ko", target=Target(ordinals=numbers))
    if recalled := _RECALL.search(body) or _RECALL_ANYWAY.search(body):
        return _lookup(body[: recalled.start()], find=True)
    if sought:
        return _lookup(stem, find=True)
    return _asked(body, stem, shown)


def _asked(body: str, stem: str, shown: re.Match[str] | None) -> Intent | None:
    if did := _DID.search(body):
        stem = body[: did.start()]
        asks = body.rstrip().endswith(("?", "？")) or WHAT.search(stem)
        wonders = not re.search(r"(?:어|어요|는데)[\s.!~]*$", body)
        return _lookup(stem, find=True) if asks or wonders else None
    what = _ASKED_WHAT.search(body)
    if found := shown or what:
        stem = _before(body, found)
        if SAVED_THING.search(stem) or IN_NOTES.search(stem) or _LISTED.search(stem):
            return _lookup(stem, find=False)
        if what and _NOTE_LAST.search(stem):
            return _lookup(stem, find=False)
        if shown and (NOTES.search(stem) or SPOKEN_OF.match(stem) or _WHOLE.search(stem)):
            return _lookup(stem, find=False)
        return None
    if _LISTED.search(body) or NOTES.search(body) or _WHOLE.search(body):
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
    if category and bare_word(category["category"]) not in GENERIC:
        rest = content_words(stem[: category.start()] + " " + stem[category.end() :])
        name = unquoted(category["category"])
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
    if not find and (whole or SPOKEN_OF.match(stem)) and not _is_list(stem):
        return Intent(kind="read", language="ko", target=IT)
    return Intent(kind="list", language="ko", every=bool(ALL.search(stem)))


def _is_list(stem: str) -> bool:
    plural = re.search(r"(?:들|목록|리스트|아카이브|저장한|모든|모두|전부)", stem)
    return bool(plural) or bool(
        re.fullmatch(r"\s*(?:내|나의|제)\s*(?:메모|노트|기록)\S{0,2}\s*", stem)
    )
