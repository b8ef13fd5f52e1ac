"""Labels by extraction: the phrase of a text that names it best, in the text's own words. Pure."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from graphs.offline.relevance import folded_words
from memory.text import LABEL_LIMIT, cut_label, grapheme_count, language, sentences

_SAMPLE = 8_000
_SENTENCES = 6
_STARTS = 4
_MARKUP = re.compile(r"^(?:#{1,6}\s+|[-*+>•·]\s+|\d{1,3}[.)]\s+|\[[ xX]\]\s*|```\w*\s*)+")
_EMPHASIS = re.compile(r"[*`~|]+|__+|\[(?=[^\]]{1,200}\]\()|\]\([^)\s]{1,500}\)")
_SCHEME = re.compile(r"\b(?:https?|ftp)://(?:www\.)?")
_EDGE = " \t,;:.!?…~-–—/\\|·=\"'“”‘’「」『』()[]{}<>*#`"
_CLOSED_BY = dict(zip("([{<「『“‘\"'", ")]}>」』”’\"'", strict=True))
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
_HANGUL = re.compile(r"[가-힣]")
_PART = re.compile(r"(.{10,})[/._?&=:-]")
_LETTER = re.compile(r"[^\W_]")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufef"
    r"f\ud800-\udfff]"
)

_WEAK = frozenset(
    "a an the is are was were be been am do does did have has had i you he she it we "
    "they my your our their its of in on "
    "at to for from by with about as and or but not so if then than that this these "
    "those there here will would can "
    "could should may might must just also very really please note remember save when "
    "while because which who what how "
    "into over under up down out off again each every all some any no only such more "
    "most other after before during "
    "그리고 그런데 그래서 하지만 그러나 또는 및 이 그 저 것 거 수 등 때 더 좀 잘 참고로 "
    "일단 우선 먼저 꼭 매우 아주 정말 "
    "있다 없다 있어 없어 있음 없음 한다 했다 하는 하고 하면 해서 된다 됐다 되는 이다 "
    "입니다 합니다 했습니다 있습니다 없습니다 "
    "나는 내가 나의 내 제 우리 우리는 저는 너는 이거 그거 저거 이것 그것 여기 거기 지금 "
    "오늘 대한 대해 위해 통해 따라 같은 같이".split()
)
# An opening that names nothing.
_OPENING = re.compile(
    r"^(?:(?:참고로|일단|우선|그리고|그런데|그래서|안녕하세요|note(?: that)?|fyi|btw|hi"
    r"|hello|so|and|but|also"
    r"|remember(?: that)?|please|the|a|an)(?=[\s,.:!])[\s,.:!]*){1,3}",
    re.IGNORECASE,
)
_LOOSE_END = frozenset(
    "a an the is are was were be of in on at to for from by with about as and or but not "
    "so if then than that this these "
    "those will would can could should may might must it its my your our their which who "
    "when while into over each every "
    "및 또는 그리고 등 수 것 거 때 더 그 이 저 한 할 하는 하고 하면 해서 되는 된 위해 "
    "통해 대한 대해".split()
)
_PARTICLE = re.compile(
    r"(?<=[가-힣A-Za-z0-9)%])(?:에서는|에서도|으로는|에게는|까지는|부터는|에서|에게|한테"
    r"|으로|까지|부터|이랑|에는|을|를|은|는|의|에|로|와|과)$"
)
_NO_PARTICLE = frozenset(
        "회의 주의 정의 강의 문의 결과 효과 성과 사과 학과 마을 가을 노을 겨울 서울 경로 "
        "도로 진로 별로 서로 새로 회로 선로 피로 "
                         "동의 합의 토의 논의 편의 의의 결의 예의 제의 호의 창의 협의 건의 "
                         "항의 유의 하의 상의 거의 과로 위로 바로 따로 "
                         "그대로 스스로 "
                         "기와 대화와 치과 외과 내과 안과 교과 통과 초과 부과 경과 여과 은 "
                         "는 을 를 의 에 로 와 과 얼음을 지은 작은 큰 "
                         "많은 높은 낮은 좋은 같은".split())  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    weight: float


def label_of(content: str, limit: int = LABEL_LIMIT) -> str:
    """A phrase of ``content`` on one line of 1..``limit`` characters; empty without any word."""
    sample = _INVISIBLE.sub(" ", content[:_SAMPLE])
    lines = [line for line in map(_plain, sentences(sample)) if _LETTER.search(line)]
    if not lines:
        return ""
    heading = _heading(sample)
    if heading and grapheme_count(heading) <= limit:
        return heading
    counts = Counter(folded_words(sample))
    first = lines[:_SENTENCES]
    spoken = language(sample)
    own = [line for line in first if language(line) == spoken] or first
    best = max(
        (_phrase(line, counts, limit, place) for place, line in enumerate(own)),
        key=lambda found: found[0],
    )[1]
    return best or _cut(own[0], limit)


def _plain(line: str) -> str:
    """A line without the marks of Markdown, lists and links."""
    line = _EMPHASIS.sub("", _MARKUP.sub("", line.strip()))
    return _bare(" ".join(_SCHEME.sub("", line).split()))


def _bare(text: str) -> str:
    """``text`` without the marks at its edges; a pair is kept whole or taken off whole."""
    partners = _partners(text)
    start, end = 0, len(text)
    while start < end:
        if text[start] in _EDGE and partners.get(start) in (None, end - 1):
            end -= start in partners
            start += 1
        elif text[end - 1] in _EDGE and end - 1 not in partners:
            end -= 1
        else:
            break
    return text[start:end]


def _partners(text: str) -> dict[int, int]:
    """Where the other one of a pair stands, for each bracket and quote that has one."""
    found: dict[int, int] = {}
    waiting: dict[str, list[int]] = {mark: [] for mark in _CLOSED_BY.values()}
    for place, mark in enumerate(_APOSTROPHE.sub("-", text)):
        if waiting.get(mark):
            opened = waiting[mark].pop()
            found |= {opened: place, place: opened}
        elif mark in _CLOSED_BY:
            waiting[_CLOSED_BY[mark]].append(place)
    return found


def _heading(sample: str) -> str:
    first = next((line for line in sample.splitlines() if line.strip()), "")
    marked = re.match(r"\s*#{1,6}\s+\S", first)
    plain = _plain(first)
    return plain if marked and _LETTER.search(plain) else ""


def _phrase(line: str, counts: Counter[str], limit: int, place: int) -> tuple[float, str]:
    """The best phrase of a line with its score; the beginning of a text counts for more."""
    line = _OPENING.sub("", line) or line
    late = 0.75**place
    if grapheme_count(line) <= limit:
        weight = sum(_weight(word, counts) for word in line.split())
        return (weight + 1) * late, line
    parts = [_Word(word, _weight(word, counts)) for word in line.split()]
    starts = [place for place, word in enumerate(parts) if word.weight > 0][:_STARTS]
    spans = [span for span in (_span(parts, start, limit) for start in starts) if span]
    if not spans:
        return 0.0, _cut(line, limit)
    # What a sentence is about stands first, unless a long word leaves too little of it.
    span = next((one for one in spans if _length(one) > limit / 3), max(spans, key=_length))
    return sum(word.weight for word in span) * late, _trimmed(span)


def _length(span: Sequence[_Word]) -> int:
    return grapheme_count(" ".join(word.text for word in span))


def _cut(line: str, limit: int) -> str:
    """The beginning of a line; a word too long for it is cut at one of its marks."""
    label = _bare(cut_label(line, limit))
    if label and " " not in label and (found := _PART.match(label)):
        return found[1]
    return label


def _span(parts: Sequence[_Word], start: int, limit: int) -> list[_Word]:
    """As many words from ``start`` on as fit, without a loose end."""
    span: list[_Word] = []
    for word in parts[start:]:
        longer = " ".join(one.text for one in [*span, word])
        if grapheme_count(longer) > limit:
            break
        span.append(word)
        if word.text[-1:] in ",;:" and len(span) >= 3:
            break
    while len(span) > 1 and span[-1].text.casefold().strip(_EDGE) in _LOOSE_END:
        span.pop()
    return span


def _trimmed(span: Sequence[_Word]) -> str:
    text = _bare(" ".join(word.text for word in span))
    last = text.rsplit(" ", 1)[-1]
    if len(last) > 1 and _HANGUL.search(last) and last not in _NO_PARTICLE:
        bare = _PARTICLE.sub("", text)
        text = bare if len(bare.rsplit(" ", 1)[-1]) >= 2 or " " not in bare else text
    return _bare(text) or text


def _weight(word: str, counts: Counter[str]) -> float:
    """How much a word tells: names, numbers and what is said again tell more."""
    found = folded_words(word)
    if not found or all(one in _WEAK for one in found):
        return 0.0
    often = max(counts[one] for one in found)
    weight = 1.0 + 0.4 * min(often - 1, 4)
    if re.search(r"[A-Z0-9_./]", word):
        weight += 0.4
    return weight + 0.05 * min(len(word), 10)
