"""Forms of a word that are one term, and the words that are none. Pure."""

import unicodedata

import regex

_LETTERS = regex.compile(r"[\p{Latin}\p{Greek}\p{M}\p{N}_]+")
_MARKS = regex.compile(r"\p{Mn}+")

ENGLISH_STOP = frozenset(
    """
    a about again all am an and any are as at be because been being both but by can could did do
    does doing down during each else few for from had has have having he her here hers him his how
    i if in into is it its just may me might more most my no nor not of off on once only or other
    our ours out over own please shall she should so some such than that the their them then there
    these they this those to too until up us very was we were what when where which while who whom
    whose why will with would you your yours
    don't doesn't didn't isn't aren't wasn't weren't can't couldn't won't wouldn't shouldn't hasn't
    haven't hadn't it's i'm i've i'd i'll you're you've you'll he's she's we're we've they're that's
    what's who's where's when's how's there's here's let's
    """.split()
)
"""English words that neither an index nor a query gains from."""

KOREAN_ASKING = frozenset(
    """
    이 그 저 것 수 때 더 좀 및 또는 내 내가 나는 나의 우리 무엇 무엇이 무엇을 무엇인가
    무엇인가요 무엇인지 무엇이야 무엇이었나 뭐 뭐야 뭐지 뭐였지 뭔지 뭘 뭐라고 누구 누구인가
    누구인가요 누구야 누구지 누가 누구의 누구를 누구와 언제 언제야 언제지 언제인가 언제인가요
    어디 어디야 어디지 어디인가 어디인가요 어디서 어디에 어디에서 어디로 어느 어떤 어떻게
    어떻게해 왜 몇 얼마 얼마나 얼마야 얼마인가 무슨 저장한 저장했던 저장했지 저장해둔 적어둔
    적었던 기억해둔 찾아줘 찾아 찾아봐 찾아봐줘 찾아주세요 알려줘 알려주세요 알려줄래 보여줘
    보여주세요 말해줘 가르쳐줘 있어 있나 있나요 있지 있었지 했지 했더라 관련 관련된 대한 대해
    대해서 관한 은 는 인가 인가요
    """.split()
)
"""Korean words by which one asks; in a query they say nothing of what is looked for."""

_IRREGULAR_FORMS = """
go went gone goes|see saw seen|buy bought|bring brought|think thought|take took taken|make made
give gave given|get got gotten|come came|become became|begin began begun|break broke broken
build built|catch caught|choose chose chosen|draw drew drawn|drink drank drunk|drive drove driven
eat ate eaten|fall fell fallen|feel felt|find found|fly flew flown|forget forgot forgotten
grow grew grown|hear heard|hold held|keep kept|know knew known|lead led|learn learnt|leave left
lend lent|lose lost|mean meant|meet met|pay paid|ride rode ridden|ring rang rung|rise rose risen
run ran|say said|sell sold|send sent|shoot shot|show shown|sing sang sung|sit sat
sleep slept|speak spoke spoken|spend spent|stand stood|steal stole stolen|swim swam swum
teach taught|tell told|throw threw thrown|understand understood|wake woke woken|wear wore worn
win won|write wrote written|child children|man men|woman women|person people|foot feet|tooth teeth
mouse mice|life lives|wife wives|index indices|datum data
"""
_IRREGULAR = {
    form: base
    for group in _IRREGULAR_FORMS.replace("\n", "|").split("|")
    for base, *forms in [group.split() or [""]]
    for form in forms
}
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("ing", ""), ("edly", ""), ("ed", ""))


def fold(word: str) -> str:
    """A word without case, and without accents where its script can do without (Latin, Greek)."""
    folded = word.casefold()
    if folded.isascii() or not _LETTERS.fullmatch(folded):
        return folded
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", folded)))


def stem(word: str) -> str:
    """A folded word without its English ending; what is short or no English stays as it is."""
    word = _IRREGULAR.get(word, word)
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return _even(word[: -len(ending)] + instead)
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    return _even(word)


def _even(stemmed: str) -> str:
    """The same for ``stopp`` and ``stop``, ``cache`` and ``cach``."""
    if len(stemmed) > 3 and stemmed[-1] == stemmed[-2] and stemmed[-1] not in "lsz":
        return stemmed[:-1]
    return stemmed[:-1] if stemmed.endswith("e") and len(stemmed) > 3 else stemmed
