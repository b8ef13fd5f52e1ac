"""Whether a person's own words ask for what can't be undone; reads Korean and English. Pure.

The words are theirs alone: quotes, what stands after a colon and all lines but the first may be
pasted, and count for nothing. The rule is meant to be too strict rather than too loose: a wish that
it misses costs one question. It doesn't know which entry is meant, nor who wrote a text that is
pasted without quotes on the first line.
"""

import re

from memory.text import sentences

_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|(?<!\w)'[^']+'|‘[^’]*’|「[^」]*」|『[^』]*』|`[^`]*`")
_CITED = re.compile(r"^\s*>.*$", re.MULTILINE)
_PASTED = re.compile(r"[:：](?:\s|$).*")

_DELETE = (
    r"(?:delete|erase|remove|discard|trash|purge|destroy|wipe|drop|forget(?! it\b)"
    r"|get rid of|throw (?:away|out))"
)
_REWRITE = (
    r"(?:change|update|edit|modify|fix|correct|replace|rewrite|overwrite|set|make|add|append"
    rf"|put|extend|shorten|switch|insert|swap|rename|merge|{_DELETE})"
)
# An order, a request or a wish; a verb elsewhere may be told, asked about or forbidden.
_LEAD = (
    r"(?:^|[.!?;,~]\s*|\b(?:please|and|then|just|now|also|kindly|ahead|let's|let us|(?:can|could"
    r"|would|will) (?:you|we)|(?:want|wish|like|need|ask|asked|tell|told|have|ok"
    r"|okay|fine|you) to|(?:you|i) (?:can|may|should|must)|yes|yeah|yep|ok|okay|sure)"
    r"\s+)(?:(?:also|just|now|please|really|simply|go|ahead|and)\s+){0,4}"
)
_KO_DELETE = r"(?:지워|없애|날려|(?:삭제|제거|폐기)\s?해|(?<!\w)버려)"
_KO_DELETING = r"(?:지우|없애|날리|(?:삭제|제거|폐기)\s?하)"
_KO_REWRITE = (
    r"(?:바꿔|바꾸어|고쳐|적어|써|넣어|붙여|늘려|줄여|(?:변경|수정|교체|대체|추가|갱신|정정|편집"
    rf"|업데이트|보완|반영|삽입)\s?해|{_KO_DELETE})"
)
_KO_REWRITING = (
    r"(?:바꾸|고치|적|쓰|넣|붙이|(?:변경|수정|교체|대체|추가|갱신|정정|편집|업데이트)\s?하"
    rf"|{_KO_DELETING})"
)
_KO_NOUN = r"(?:삭제|제거|폐기)"
_KO_REWRITE_NOUN = rf"(?:변경|수정|교체|추가|갱신|정정|업데이트|{_KO_NOUN})"
_KO_WISH = (
    r"\s?(?:버려|놔|두어|둬)?\s?(?:줘|주(?!는|었|셨)|줄(?:래|\s?수)|달라|달래|라(?!면)|요|야\s?(?:해"
    r"|돼|겠|지)|도\s?(?:돼|되|괜찮|좋)(?!.*\?)|$|[.!~,…;])"
)
_KO_WILL = r"(?:자(?!\w)|자고|고\s|고\s?싶|세요|십시오|시오|렴|길\s?바|기\s?바|도록)"
_KO_NOUN_WISH = r"\s?(?:요|부탁|바람|바랍|좀|처리\s?해|$|[.!~,…;])"

_HOW = re.compile(
    r"어떻게|방법|하는\s?법|\bhow (?:do|can|to|would|should|could)\b|\bwhy\b|왜", re.IGNORECASE
)
_YES = re.compile(
    r"^(?:yes|yeah|yep|yup|sure|ok|okay|go ahead|please do|do it|do so|confirm(?:ed)?|right"
    r"|correct|agreed|y|both|all(?: of them)?|the (?:first|second|third|fourth|fifth|last)(?: one)?"
    r"|#?\d{1,3}|응|어|웅|엉|네|넵|넹|예|옙|그래|그래요|좋아|좋아요|맞아|맞아요|ㅇㅇ|ㅇㅋ|오케이|오키|부탁해"
    r"|부탁합니다|해줘|해\s주세요|해주세요|그렇게\s?해.*|진행해.*|\d{1,3}\s?번.*|(?:첫|두|세|네|다섯)"
    r"\s?번째.*|마지막.*|둘\s?다|전부|모두|다)(?:$|[\s,.!~…])",
    re.IGNORECASE,
)
_NO = re.compile(
    r"\b(?:no|not|don'?t|don’t|never|stop|cancel|wait|keep|but)\b|아니|아뇨|말고|지\s?마|지\s?말|취소"
    r"|그만|잠깐|두고|놔둬|그냥\s?둬|안\s?돼|하지",
    re.IGNORECASE,
)
REPLY_CHARACTERS = 60


class Wish:
    """One kind of change, and how people ask for it."""

    def __init__(self, verb: str, stem: str, stem_open: str, noun: str) -> None:
        self._asked = re.compile(
            f"{_LEAD}{verb}\\b|{stem}{_KO_WISH}|{stem_open}{_KO_WILL}|{noun}{_KO_NOUN_WISH}",
            re.IGNORECASE,
        )
        self._named = re.compile(f"\\b{verb}|{stem}|{stem_open}|지울|{noun}", re.IGNORECASE)

    def in_words(self, said: str, offer: str = "") -> bool:
        """Whether ``said`` asks for it, or agrees to ``offer``, the answer that it replies to."""
        own = _own_words(said)
        if any(self._asked.search(part) for part in sentences(own) if not _HOW.search(part)):
            return True
        agreed = len(own) <= REPLY_CHARACTERS and _YES.match(own) and not _NO.search(own)
        return bool(agreed) and self._offered(offer)

    def _offered(self, offer: str) -> bool:
        own = _CITED.sub(" ", offer)
        asked = (_QUOTED.sub(" ", part).strip() for part in sentences(own))
        return any(part.endswith(("?", "？")) and self._named.search(part) for part in asked)


def _own_words(said: str) -> str:
    """The first line without what is quoted in it or announced by a colon."""
    lines = said.strip().splitlines()
    return _PASTED.sub("", _QUOTED.sub(" ", lines[0])).strip() if lines else ""


DELETION = Wish(_DELETE, _KO_DELETE, _KO_DELETING, _KO_NOUN)
REWRITING = Wish(_REWRITE, _KO_REWRITE, _KO_REWRITING, _KO_REWRITE_NOUN)
