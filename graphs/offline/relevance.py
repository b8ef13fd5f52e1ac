"""How well texts answer words that were asked: for quoting, and for knowing what is meant. Pure."""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

from memory.lexical import terms
from memory.text import normalize, sentences, words
from memory.word_forms import ENGLISH_STOP, KOREAN_ASKING, fold, stem

QUOTE_CHARACTERS = 600
QUOTE_SENTENCES = 3
_READ_CHARACTERS = 20_000
_LEAST = 0.34

_STOP = (
    ENGLISH_STOP
    | KOREAN_ASKING
    | frozenset(
        "tell show give know get got let much many use used need want find "
        "뭔가요 뭐였더라 언제였지 얼마였지 알려줄래 이야 야 이에요 예요 해 해요 해야 하는 "
        "하면 하고 할 하나 하나요 "
        "하지 돼 되나 되나요 될까 된 너 넌 제 제가 저는 정말 진짜 혹시 그럼 그런데 그리고 "
        "이거 그거 저거 것은 거야 게 "
        "방법 줘 주세요 있는 있을까 있었나 몇".split()
    )
)
_ENDINGS = re.compile(
    r"(?:이었더라|이었지|였더라|였지|인가요|인가|이에요|예요|입니까|이야|이지|에서는"
    r"|에서도|에서|에게|한테|으로|까지|부터"
    r"|이랑|하고|이라고|라고|을|를|은|는|이|가|의|에|로|와|과|도|만|야|지|죠)$"
)
_HANGUL = re.compile(r"[가-힣]")


class Labelled(Protocol):
    """Something with a label."""

    @property
    def label(self) -> str: ...

    @property
    def category(self) -> str: ...

    @property
    def snippet(self) -> str: ...


Entry = TypeVar("Entry", bound=Labelled)


def folded_words(text: str) -> list[str]:
    """The words of a text without case."""
    return [fold(word) for word in words(text)]


def key_words(text: str) -> list[str]:
    """The words of a question that carry its meaning, without particles and endings."""
    asked = (word for word in folded_words(text[:1_000]) if word not in _STOP)
    bare = dict.fromkeys(_bare(word) for word in asked)
    return [word for word in bare if word]  # of a mark without its letter nothing is left


def _bare(word: str) -> str:
    if not _HANGUL.search(word):
        return stem(word.removesuffix("'s").removesuffix("’s"))
    bare = _ENDINGS.sub("", word)
    return bare if len(bare) >= 2 or (bare and not _HANGUL.search(bare)) else word


def coverage(wanted: Sequence[str], text: str) -> float:
    """Which share of the ``wanted`` key words is in a text, 0..1; longer words tell more."""
    if not wanted:
        return 0.0
    there = folded_words(text)
    forms = {*there, *map(_bare, there), *terms(text)}
    joined = "".join(there)
    missing = sum(_size(word) * (1 - _found(word, forms, joined)) for word in wanted)
    return 1 - missing / sum(map(_size, wanted))


def _size(word: str) -> int:
    """About the letters of a word: a Hangul syllable has two or three."""
    return len(word) + len(_HANGUL.findall(word))


def _found(word: str, forms: set[str], joined: str) -> float:
    if word in forms:
        return 1.0
    if not _HANGUL.search(word):
        return 0.0
    if len(word) >= 2 and word in joined:
        return 1.0
    pairs = [one + other for one, other in pairwise(word)]
    share = sum(pair in joined for pair in pairs) / len(pairs) if len(pairs) > 1 else 0.0
    return share if share >= 0.6 else 0.0


def is_relevant(asked: str, *texts: str) -> bool:
    """Whether texts that a search gave have to do with what was asked."""
    return coverage(key_words(asked), "\n".join(texts)) >= _LEAST


def same_label(entries: Sequence[Entry], label: str) -> list[Entry]:
    folded = normalize(label)
    return [one for one in entries if one.label == label or normalize(one.label) == folded]


def clear_match(entries: Sequence[Entry], asked: str) -> Entry | None:
    """The only entry that ``asked`` can mean: by its label, or by having all its words alone."""
    if len(exact := same_label(entries, asked)) == 1:
        return exact[0]
    wanted = key_words(asked)
    by_label = [one for one in entries if coverage(wanted, one.label) >= 1.0]
    if len(by_label) == 1:
        return by_label[0]
    whole = [
        one
        for one in entries
        if coverage(wanted, f"{one.label}\n{one.category}\n{one.snippet}") >= 1.0
    ]
    return whole[0] if len(whole) == 1 and not by_label else None


def best_sentences(asked: str, content: str, room: int = QUOTE_CHARACTERS) -> list[str]:
    """The sentences of a content that answer best, in their order; its first if none does."""
    parts = sentences(content[:_READ_CHARACTERS])
    if not parts:
        return []
    wanted = key_words(asked)
    scores = [coverage(wanted, part) for part in parts]
    best = max(scores)
    if best == 0:
        return _bounded(parts, range(min(2, len(parts))), room)
    ranked = sorted(range(len(parts)), key=lambda index: (-scores[index], index))
    chosen = [index for index in ranked if scores[index] >= best / 2][:QUOTE_SENTENCES]
    if len(chosen) == 1 and len(parts[chosen[0]]) < 60 and chosen[0] + 1 < len(parts):
        # A heading or a short line is told by what follows it.
        chosen.append(chosen[0] + 1)
    return _bounded(parts, chosen, room)


def _bounded(parts: Sequence[str], chosen: Sequence[int], room: int) -> list[str]:
    kept: list[int] = []
    for index in chosen:
        if not kept or len(parts[index]) <= room:
            kept.append(index)
            room -= len(parts[index])
    return [parts[index][:QUOTE_CHARACTERS] for index in sorted(kept)]
