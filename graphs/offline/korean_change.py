"""Reading wishes to delete and change in Korean: only ever said in so many words. Pure."""

import re

from graphs.offline.intent import IT, Intent, Target
from graphs.offline.korean_lookup import SPOKEN_OF
from graphs.offline.korean_particles import ASKING
from graphs.offline.korean_targets import NOTES, target
from graphs.offline.korean_words import ASKED, CHANGE, ERASE, FIELD, MOVE, REMOVE, REQUEST
from graphs.offline.phrases import CLOSE, OPEN, Phrase, unquoted

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
    if re.search(r"[:：]", what) or len(what) > 80 or ASKING.search(what):
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
    return bool(_POINTING.search(what) or SPOKEN_OF.match(what) or NOTES.search(what))


_WANTED = f"{CHANGE}(?:_{REQUEST}|_{ASKED}|라|요|)?"
_VALUE = f"(?:{OPEN}(?P<quoted>[^\\n]{{1,80}}?){CLOSE}|(?P<value>[^\\n]{{1,80}}?))"
_UPDATE = Phrase(
    f"^(?P<what>.*?)_(?:의|에|은|는)?_{FIELD}(?:명|_이름)?_(?:을|를|은|는|만|도)?[ "
    f"\\t:：]*{_VALUE}_(?:이?라고|으로"
    "|\\(으\\)로|로)_(?:좀_|다시_)*"
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
_NOT_THAT = Phrase(
    "(?:^|(?<=\\s))(?:라벨|레이블|이름|제목|타이틀|카테고리|분류|폴더)_(?:은|는|을|를)?_(?:말고|대신)_,?_"
)
_REMARK = Phrase(
    "^(?P<field>라벨|레이블|이름|제목|타이틀|카테고리|분류)_(?:이|가)_[^.!?~\\n]{1,40}[.!?~]+_(?P<rest>[^.!?~\\n]+.*)$"
)
_SENTENCE_ENDS = re.compile(r"[.!?]\s")
_NOT_SO = Phrase("^.{1,40}?(?:이|가)?[ \\t]+(?:아니라|아니고|말고|대신에?)[ \\t]+,?_")
_FROM = Phrase("^.{1,40}?에서[ \\t]+")


def changing(text: str) -> Intent | None:
    """A wish to change an entry's label, category or content."""
    if "\n" in text:
        return None
    text = _NOT_THAT.sub("", text)
    if remark := _REMARK.match(text):
        text = f"{remark['field']}을 {remark['rest']}"
    if both := _BOTH.search(text):
        meant = target(text[: both.start()])
        return _update(meant, label=unquoted(both["label"]), category=unquoted(both["category"]))
    if named := _NAME_IT.match(text):
        return _update(target(named["what"]), label=unquoted(named["quoted"] or named["value"]))
    if found := _UPDATE.match(text):
        field = next(name for name in ("label", "category", "content") if found[name])
        value = found["quoted"] or _meant_value(found["value"], field)
        return _update(target(found["what"]), **{field: value}) if value else None
    found = _MOVE.match(text)
    if found is None or (
        found["kind"] is None and found["verb"][:2] not in ("옮겨", "이동", "분류")
    ):
        return None
    return _update(target(found["what"]), category=unquoted(found["category"]))


def _meant_value(said: str, field: str) -> str:
    """What a field is to be, of ``said``: which may tell, too, what it is not to be."""
    if field == "content":
        return unquoted(said)
    if _SENTENCE_ENDS.search(said):
        return ""
    said = _NOT_SO.sub("", said)
    return unquoted(_FROM.sub("", said) if field == "category" else said)


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
