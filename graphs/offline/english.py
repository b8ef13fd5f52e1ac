"""Reading commands on saved things in English: find, list, read, delete, change. Pure."""

import re

from graphs.offline.english_words import ABOUT, EDGES, GENERIC, LEAD, NOTE, ORDINALS, SAVED, TRAIL
from graphs.offline.intent import Intent, Target
from graphs.offline.phrases import CLOSE, OPEN, QUOTES, Phrase, either, unquoted

_Q = "(.+?)"
_MINE = (
    "(?:my |the |any |all |some |all my |all the |all of my |a |every |your |those |these |our )?"
)
_SHOW = "(?:show|give|tell|get|bring up|pull up|display|read|open|view|see|print|fetch|want)"
_SOUGHT = Phrase(
    f"^{LEAD}(?:"
    + either(
        "(?:what|which|whatever)(?: all| else| was it that)?(?: of my)?(?: notes?| entries| "
        "things?| stuff)? (?:did|have|had|do) (?:i|you|we) (?:ever |already |just "
        f"|previously )?(?:have )?{SAVED}(?: me)?(?: to remember)?(?: {ABOUT}| in| that)? "
        f"{_Q}",
        f"what i(?:'ve| have)? (?:ever )?{SAVED} {ABOUT} {_Q}",
        "(?:find|search|look(?: for| up| through| in)?|recall|retrieve|locate|pull up|fetch"
        f"|bring up|dig up)(?: me)?(?: for| through| in)? {_Q}",
        f"{_SHOW}(?: me| us)?(?: again)? {_MINE}(?:saved |archived |stored )?(?:{NOTE}|stuff"
        f"|things?|anything|everything|what i(?:'ve| have)? {SAVED}|info|information|what "
        f"you (?:have|know|remember))(?: that| which)?(?: i(?:'ve| have)? {SAVED})? {ABOUT} "
        f"{_Q}",
        f"{_SHOW}(?: me| us)?(?: again)? (?:my|the|our|that|any) (?:saved |archived )?{_Q} "
        f"(?:{NOTE})",
        f"(?:do|did|have) (?:i|we|you) (?:ever |already )?(?:have|got|{SAVED})? ?(?:any|a"
        f"|some|my)? ?(?:saved )?(?:{NOTE}|anything|something|things?|info(?:rmation)?"
        f"|stuff)(?: saved| stored| written down)? {ABOUT} {_Q}",
        f"(?:have|did) (?:i|we) (?:ever |already )?{SAVED} {_Q}\\?",
        f"(?:are|is) there (?:any|a|some) (?:saved )?(?:{NOTE}|anything) {ABOUT} {_Q}",
        f"(?:do|can) you (?:remember|recall) (?:what i (?:said|told you|saved|wrote) {ABOUT}"
        f"|anything {ABOUT}|my|the|what|when|where)? ?{_Q}",
        "where (?:did|do|have) i (?:save|store|put|write|note|keep|saved|stored|noted)(?: "
        f"down)? {_Q}",
        f"where (?:is|are|'s) (?:my|the) (?:saved )?(?:{NOTE}) {ABOUT} {_Q}",
        "what (?:do|does|did) (?:my|the) (?:notes?|archive|memos?|entry) (?:say|tell|contain"
        f"|have) {ABOUT} {_Q}",
        f"what (?:is|was|are|were|'s) in (?:my|the|that) (?:{NOTE}) {ABOUT} {_Q}",
        f"what(?:'s| is| was| were| are) (?:my|the|that) (?:{NOTE}) {ABOUT} {_Q}",
        f"remind me (?:of |about )?(?:what i (?:saved|said|wrote|noted) {ABOUT}|about|of) ?{_Q}",
        f"{_MINE}(?:saved )?(?:{NOTE}) (?:{ABOUT}) {_Q}",
        f"(?:any|anything|something)(?: saved| noted)? (?:{ABOUT}) {_Q}",
        f"what did i (?:tell|say to|mention to) you {ABOUT} {_Q}",
    )
    + f"){TRAIL}[?]?[\\s.!]*$"
)
_EVERY = (
    "(?:notes?|entries|items?|memos?|archive|stuff|things?|memories|categories|everything"
    "|index|contents?|list|saved|history)"
)
_LIST = Phrase(
    f"^{LEAD}(?:"
    + either(
        "(?:list|show|display|give|see|view|print|get|browse|open)(?: me| us)?(?: a list "
        "of)?(?P<all> all| everything| every)?(?: of)?(?: my| the| our)?(?: saved| archived"
        f"| stored| recent| latest)?(?: {_EVERY})(?: (?:that )?i(?:'ve| have)? {SAVED}| saved"
        "| so far| there is| there are| you have)*",
        "(?:list|show)(?: me)?(?: it all| them| them all| everything| all)(?: again| "
        f"(?:that )?i(?:'ve| have)? {SAVED})?",
        f"(?:show|tell|list)(?: me)? what (?:i(?:'ve| have)? {SAVED}|is saved|you (?:have"
        "|saved|remember))(?: so far)?",
        "(?:what|which)(?: all)?(?: notes?| entries| things?| stuff| kind of things)? "
        f"(?:have|did|do|had) i (?:ever |already )?(?:have )?(?:{SAVED})(?: so far| already| "
        "here| until now| yet| recently)*",
        f"(?:did|have) i (?:ever |already )?{SAVED} (?:anything|something|any notes?|a note"
        "|stuff)(?: yet| already| here| so far)*",
        "what(?:'s| is| do i have|'s all)(?: there)?(?: saved| stored)? in (?:my |the |your "
        ")?(?:archive|notes|memory)",
        "how many (?:notes|entries|memos|items|things)(?: do i have| are there| have i saved"
        "| did i save)?(?: saved)?",
        "(?:what|which) (?:notes|categories)(?: do i have| are there| exist| are saved| have "
        "i got)?(?: saved)?",
        "what(?:'s| is) (?:saved|stored|archived)(?: so far)?",
        "(?:my |all |all my |the )?(?:notes|archive|saved notes|entries|memos|categories|list"
        "|everything saved|saved items)",
        "(?:what do you (?:have|remember)(?: about me| saved)?|list|list all|show all|list "
        "everything|show everything)",
        "do i have (?:any|some) (?:saved )?(?:notes|entries|memos|items)(?: saved| yet)*",
    )
    + f"){TRAIL}[?]?[\\s.!]*$"
)
_CATEGORY = Phrase(
    f"^{LEAD}(?:"
    + either(
        "(?:list|show|display|view|see|browse|open|get)(?: me)?(?: all| everything| "
        f"what(?:'s| is)(?: saved)?)?(?: of)?(?: my| the)?(?: saved)?(?: {_EVERY})?(?: "
        f"(?:that )?i(?:'ve| have)? {SAVED})? (?:in|under|from|filed under) (?:the |my "
        f")?(?:category )?(?P<a>[^?\\n]{{1,40}}?)(?: category| folder)?",
        "(?:list|show|display|view|open|browse)(?: me)?(?: all)?(?: of)?(?: my| the)? "
        "(?P<b>[^?\\n]{1,40}?) (?:category|folder)",
        "(?:list|browse)(?: all)?(?: my| the)? (?P<c>[\\w&-]{2,30}(?: [\\w&-]{2,20})?)(?: "
        "notes| entries| items| memos)",
        "(?:list|browse)(?: all)?(?: my| the)? (?P<d>[\\w&-]{3,30})",
        "what(?:'s| is| do i have)(?: saved| filed)? (?:in|under) (?:the |my "
        ")?(?P<e>[^?\\n]{1,40}?) (?:category|folder)",
        f"what (?:have|did) i {SAVED} (?:in|under) (?:the |my )?(?P<f>[^?\\n]{{1,40}}?)(?: "
        "category| folder)?",
    )
    + f"){TRAIL}[?]?[\\s.!]*$"
)
_NUMBERED = (
    "(?:number |no\\.? ?|note |entry |item |result |#)?"
    f"(?P<nth>{'|'.join(ORDINALS)}|\\d{{1,3}}(?:st|nd|rd|th)?)(?: (?:one|notes?|entry"
    "|item|result|memo))?"
)
_NTH = f"(?:the )?{_NUMBERED}"
_NTH_ONLY = Phrase(f"^{_NTH}$")
_READ = Phrase(
    f"^{LEAD}(?:{_SHOW}|expand|read out|let me see|go to|pick|choose|more (?:about|on"
    "|of))(?: me)?(?: more)?(?: about| of| on| from)?(?: all of)? ?"
    "(?P<what>(?:the )?(?:whole|full|entire|complete) (?:thing|text|note|entry|content"
    "|contents|one|version)|it(?: all)?|this|that|(?:this|that) (?:one|note|entry)|more"
    "|(?:the |its |more )?details?|the (?:note|entry|rest|content|contents)"
    f"|{_NTH.replace('P<nth>', ':')})"
    "(?: (?:in full|in detail|in more detail|completely|aloud|to me|in its entirety"
    f"|again|in whole|fully))*{TRAIL}[?]?[\\s.!]*$"
)
_BARE_NTH = Phrase(
    f"^{LEAD}(?P<what>(?:the )(?:{'|'.join(ORDINALS)}|\\d(?:st|nd|rd|th))(?: (?:one|note"
    f"|entry|item|result|memo))?|(?:#|number |no\\.? ?)?\\d{{1,3}}"
    f"|(?:{'|'.join(ORDINALS)}) one){TRAIL}$"
)
_READ_NOTE = Phrase(
    f"^{LEAD}(?:read|open|expand|show(?: me)? the (?:full|whole|entire))(?: me)? (?:my "
    f"|the )?(?:full |whole |entire )?(?:(?:{NOTE}|text) {ABOUT} {_Q}|(.+?) "
    f"(?:{NOTE})){TRAIL}[?]?[\\s.!]*$"
)
_ABOUT_NOTE = Phrase(f"\\b(?:{NOTE}|archive|saved|archived)\\b|what i (?:saved|wrote|noted)")


def looking(text: str) -> Intent | None:
    """A wish to find, list or read something of the archive."""
    if _LIST.match(text):
        everything = bool(re.search(r"\b(?:all|every|everything)\b", text, re.IGNORECASE))
        return Intent(kind="list", language="en", every=everything)
    if found := _READ.match(text) or _BARE_NTH.match(text):
        meant = Target(ordinals=target(found["what"]).ordinals)
        return Intent(kind="read", language="en", target=meant)
    if found := _READ_NOTE.match(text):
        query = content_words(found[1] or found[2])
        if query:
            meant = Target(words=query, sure=True)
            return Intent(kind="read", language="en", target=meant)
    if found := _CATEGORY.match(text):
        name = next(filter(None, found.groups()))
        if name.split()[0].casefold() not in GENERIC:
            return Intent(kind="list", language="en", category=unquoted(name))
    if found := _SOUGHT.match(text):
        query = content_words(next(filter(None, found.groups()), ""))
        if query:
            return Intent(kind="find", language="en", query=query)
        return Intent(kind="list", language="en")
    return None


_AROUND = " ?!.," + QUOTES


def content_words(said: str) -> str:
    """What is looked for: ``said`` without the words around it that only say it was saved."""
    words = said.strip(_AROUND).split()
    while words and _plain(words[0]) in EDGES:
        words.pop(0)
    while words and _plain(words[-1]) in EDGES:
        words.pop()
    return " ".join(words).strip(_AROUND)


def _plain(word: str) -> str:
    return word.strip("?!.,\"'").casefold()


_LISTING = re.compile(r"\s*(?:,|&|\band\b|\bor\b)\s*", re.IGNORECASE)
_ITSELF = Phrase(
    "^(?:it|this|that|them|these|those|(?:this|that|the(?: last| latest)?|the saved) "
    f"(?:one|{NOTE}|thing)|the one (?:i|you) (?:just )?(?:saved|found|showed)(?: me)?"
    "|what (?:i|you) just (?:saved|found|showed)(?: me)?)(?: again)?$"
)
_ALL = re.compile(r"\b(?:all|everything|every|both|them|these|those|any)\b", re.IGNORECASE)


def target(said: str) -> Target:
    """Which entry ``said``, the object of a command, means."""
    said = said.strip(" .!?,")
    parts = [part for part in _LISTING.split(said) if part]
    found = [_NTH_ONLY.match(part) for part in parts]
    if parts and all(found) and not re.fullmatch(r"(?:the )?one", said, re.IGNORECASE):
        return Target(ordinals=tuple(dict.fromkeys(_number(one["nth"]) for one in found if one)))
    if _ITSELF.match(said):
        return Target(every=bool(_ALL.search(said)))
    every = bool(re.match(r"(?:all|everything|every)\b", said, re.IGNORECASE))
    words = content_words(re.sub(r"^(?:all|everything|every)\b", "", said, flags=re.IGNORECASE))
    known = {_plain(word) for word in words.split()}
    if not words or known <= GENERIC:
        return Target(every=every)
    sure = bool(_ABOUT_NOTE.search(said)) or said[:1] in "\"'“‘"
    return Target(words=words, sure=sure, every=every)


def _number(name: str) -> int:
    return ORDINALS.get(name.casefold()) or int(re.sub(r"\D", "", name))


_DELETE = Phrase(
    f"^{LEAD}(?:delete|erase|remove|discard|trash|get rid of|throw away|wipe"
    f"|purge)(?:[:：])? (?P<what>[^\\n:]+?){TRAIL}(?P<asks>[?]?)\\s*$"
)
_DELETE_BARE = Phrase(f"^{LEAD}(?:delete|erase|remove|discard){TRAIL}$")
_FORGET = Phrase(f"^{LEAD}forget (?P<what>[^\\n:]+?){TRAIL}[?]?$")
_SPARE = Phrase(
    f"^{LEAD}(?:forget (?:it|that|this|about it)|never ?mind|cancel(?: that)?|stop){TRAIL}$"
)
_WISH = Phrase(
    "^(?:(?:please|hey|hi|ok|okay|so|and|tomato)[\\s,]+)*(?:can|could|would|will) (?:you|u)\\b"
)


def deleting(text: str) -> Intent | None:
    """A wish to delete an entry; only ever said in so many words."""
    if _SPARE.match(text):
        return Intent(kind="spare", language="en")
    if _DELETE_BARE.match(text):
        return Intent(kind="delete", language="en")
    if found := _DELETE.match(text):
        if found["asks"] and not _WISH.match(text):
            return None
        return Intent(kind="delete", language="en", target=target(found["what"]))
    found = _FORGET.match(text)
    if found and _ABOUT_NOTE.search(found["what"]):
        return Intent(kind="delete", language="en", target=target(found["what"]))
    return None


_VALUE = f"(?:{OPEN}(?P<quoted>[^\\n]{{1,80}}){CLOSE}|(?P<value>[^\\n]{{1,80}}?))"
_FIELD = (
    "(?:(?P<label>label|name|title|heading)|(?P<category>category|folder|section)"
    "|(?P<content>content|contents|text|body))"
)
_FIELDS = ("label", "category", "content")
_CHANGE = "(?:change|set|update|edit|make|modify|fix|switch|replace|correct)"
_END = f"(?: instead)?{TRAIL}[?]?[\\s.!]*$"
_SET = Phrase(
    f"^{LEAD}{_CHANGE} (?:the |its |that |this |my )?{_FIELD}(?: (?:of|for|on|from) "
    f"(?P<what>[^\\n]{{1,80}}?))?(?: (?:to|as|into|with|be)[ :]+| (?={OPEN})){_VALUE}{_END}"
)
_SET_OF = Phrase(
    f"^{LEAD}{_CHANGE} (?P<what>[^\\n]{{1,80}}?)(?:'s|’s)? {_FIELD} (?:to|as|into|with)[ "
    f":]+{_VALUE}{_END}"
)
_RENAME = Phrase(
    f"^{LEAD}(?:rename|relabel|retitle) (?P<what>[^\\n]{{1,80}}?) (?:to|as|into)[ :]+{_VALUE}{_END}"
)
_CALL = Phrase(
    f"^{LEAD}(?:call|label|title|name) (?P<what>it|this|that|the "
    f"{_NUMBERED.replace('P<nth>', ':')}|that one|this one)[ :]+(?:as )?{_VALUE}{_END}"
)
_MOVE = Phrase(
    f"^{LEAD}(?:(?:move|refile|transfer|shift) (?P<what>[^\\n]{{1,80}}?) (?:to|into|under"
    f"|in)|(?:put|file) (?P<it>[^\\n]{{1,80}}?) (?:under|into|in)|(?:re)?categori[sz]e "
    f"(?P<one>[^\\n]{{1,80}}?) (?:as|under|into))"
    f" (?:the |my )?(?:category )?{_VALUE}(?: (?:category|folder|section|instead))*{_END}"
)
_NAMES = "(?:(?P<label>label|name|title)|(?P<category>category|folder))"
_QUOTED = f"{OPEN}(?P<quoted>[^\\n]{{1,80}}){CLOSE}"
_USE = Phrase(f"^{LEAD}(?:use|take|give it) {_VALUE} (?:as|for) (?:the |its |a )?{_NAMES}{_END}")
_SHOULD = Phrase(
    f"^{LEAD}(?:the |its |that |this |my )?{_NAMES} (?:should|must|has to|needs to) (?:be|say|read)"
    f" {_QUOTED}{_END}"
)
# "I don't like the label, make it 'x'"
_REMARK = Phrase(
    f"^[^,.;!\\n]{{0,40}}\\b{_NAMES}\\b[^,.;!\\n]{{0,40}}[,.;!] {LEAD}(?:make|call|change) it"
    f"(?: to)? {_QUOTED}{_END}"
)
_FIELD_ALONE = Phrase(f"^(?:the |its |that |this |my )?{_FIELD}$")
_MARKS = f" ,{QUOTES}"
_TOO = re.compile(
    r"^(?P<first>.{1,60}?),? and (?:the |its )?(?P<field>label|name|title|category"
    r"|folder)(?: to| as)? (?P<second>.{1,60})$",
    re.IGNORECASE,
)


def changing(text: str) -> Intent | None:
    """A wish to change an entry's label, category or content."""
    if "\n" in text or (text.rstrip().endswith("?") and not _WISH.match(text)):
        return None
    if found := _SET.match(text) or _SET_OF.match(text):
        field = next(name for name in _FIELDS if found[name])
        return _update(found["what"] or "it", field, _said(found))
    if found := _USE.match(text) or _SHOULD.match(text) or _REMARK.match(text):
        return _update("it", "label" if found["label"] else "category", _said(found))
    if found := _RENAME.match(text) or _CALL.match(text):
        if alone := _FIELD_ALONE.match(found["what"]):
            return _update("it", next(n for n in _FIELDS if alone[n]), _said(found))
        return _update(found["what"], "label", _said(found))
    if found := _MOVE.match(text):
        what = found["what"] or found["it"] or found["one"]
        return _update(what, "category", _said(found))
    return None


def _said(found: re.Match[str]) -> str:
    named = found.groupdict()
    return unquoted(named["quoted"] or named["value"])


def _update(what: str, field: str, value: str) -> Intent | None:
    if not value.strip(_MARKS):
        return None
    values = {field: value}
    if field != "content" and (both := _TOO.match(value)):
        second = "category" if both["field"].casefold() in ("category", "folder") else "label"
        values = {field: both["first"].strip(_MARKS), second: both["second"].strip(_MARKS)}
    return Intent(
        kind="update",
        language="en",
        target=target(what),
        label=values.get("label"),
        category=values.get("category"),
        content=values.get("content", ""),
    )
