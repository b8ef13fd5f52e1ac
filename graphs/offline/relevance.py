"""How well texts answer words that were asked: for quoting, and for knowing what is meant. Pure."""

import re
from collections.abc import Sequence
from typing import Protocol, TypeVar

from memory.text import normalize, sentences, words

QUOTE_CHARACTERS = 600
QUOTE_SENTENCES = 3
_READ_CHARACTERS = 20_000
_LEAST = 0.34

_STOP = frozenset(
    "a an the is are was were be been am do does did have has had i you he she it we "
    "they my your our their me us "
    "of in on at to for from by with about as and or but not no so if then than that "
    "this these those there here "
    "what which who whom whose when where why how can could should would will shall may "
    "might must please tell show "
    "give know any some all just also get got let i'm it's what's don't does doesn't "
    "again much many use used using "
    "뭐 뭐야 뭐지 무엇 무엇인가요 뭔가요 뭐였지 뭐였더라 어떻게 어떤 어디 어디야 어디에 "
    "언제 언제야 왜 누구 얼마 얼마야 몇 "
    "있어 있나 있나요 있지 있어요 알려줘 알려주세요 말해줘 나 내 내가 제 제가 나의 그 이 "
    "저 것 거 게 좀 더 수 할 하는 하면 "
    "해 해야 해요 돼 되나 되나요 될까 하나 하나요 하지 인가 인가요 이야 야 대해 대한 "
    "대해서 관해 관한 관련 때 및 그리고 또는 "
    "너 넌 우리 정말 진짜 혹시 그럼 그런데 이거 그거 저거 무슨 방법 줘 주세요".split()
)
_ENDINGS = re.compile(
    r"(?:이었더라|이었지|였더라|였지|인가요|인가|이에요|예요|입니까|이야|이지|에서는"
    r"|에서도|에서|에게|한테|으로|까지|부터"
    r"|이랑|하고|이라고|라고|을|를|은|는|이|가|의|에|로|와|과|도|만|야|지|죠)$"
)
_HANGUL = re.compile(r"[가-힣]")
_SUFFIX = re.compile(r"(?:'s|’s|ies|es|s|ing|ed|ly)$")


class Labelled(Protocol):
    """Something with a label."""

    @property
    def label(self) -> str: ...

    @property
    def category(self) -> str: ...

    @property
    def snippet(self) -> str: ...


Entry = TypeVar("Entry", bound=Labelled)


def key_words(text: str) -> list[str]:
    """The words of a question that carry its meaning, without particles and endings."""
    return list(dict.fromkeys(_stem(word) for word in words(text[:1_000]) if word not in _STOP))


def _stem(word: str) -> str:
    if _HANGUL.search(word):
        bare = _ENDINGS.sub("", word)
        return bare if len(bare) >= 2 or (bare and not _HANGUL.search(bare)) else word
    bare = _SUFFIX.sub("", word)
    return bare if len(bare) >= 3 else word


def coverage(wanted: Sequence[str], text: str) -> float:
    """Which share of the ``wanted`` stems is in a text, 0..1."""
    if not wanted:
        return 0.0
    there = set(words(text))
    stems = {_stem(word) for word in there} | there
    folded = normalize(text).replace(" ", "")
    return sum(_found(word, stems, folded) for word in wanted) / len(wanted)


def _found(word: str, stems: set[str], folded: str) -> float:
    if word in stems:
        return 1.0
    if not _HANGUL.search(word):
        return 0.0
    if len(word) >= 2 and word in folded:
        return 1.0
    pairs = [word[index : index + 2] for index in range(len(word) - 1)]
    share = sum(pair in folded for pair in pairs) / len(pairs) if len(pairs) > 1 else 0.0
    return share if share >= 0.6 else 0.0


def is_relevant(asked: str, *texts: str) -> bool:
    """Whether texts that a search gave have to do with what was asked."""
    return coverage(key_words(asked), "\n".join(texts)) >= _LEAST


def relevant(entries: Sequence[Entry], asked: str) -> list[Entry]:
    """The entries that have to do with ``asked``, in their order."""
    return [one for one in entries if is_relevant(asked, one.label, one.category, one.snippet)]


def same_label(entries: Sequence[Entry], label: str) -> list[Entry]:
    folded = normalize(label)
    return [one for one in entries if one.label == label or normalize(one.label) == folded]


def clear_match(entries: Sequence[Entry], asked: str) -> Entry | None:
    """The only entry that ``asked`` can mean: by its label, or as the only one with all its words."""
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


def best_sentences(asked: str, content: str) -> list[str]:
    """The sentences of a content that answer best, in their order; its first if none does."""
    parts = sentences(content[:_READ_CHARACTERS])
    if not parts:
        return []
    wanted = key_words(asked)
    scores = [coverage(wanted, part) for part in parts]
    best = max(scores)
    if best == 0:
        return _bounded(parts, range(min(2, len(parts))))
    ranked = sorted(range(len(parts)), key=lambda index: (-scores[index], index))
    chosen = [index for index in ranked if scores[index] >= best / 2][:QUOTE_SENTENCES]
    if len(chosen) == 1 and len(parts[chosen[0]]) < 60 and chosen[0] + 1 < len(parts):
        # A heading or a short line is told by what follows it.
        chosen.append(chosen[0] + 1)
    return _bounded(parts, chosen)


def _bounded(parts: Sequence[str], chosen: Sequence[int]) -> list[str]:
    kept: list[int] = []
    room = QUOTE_CHARACTERS
    for index in chosen:
        if not kept or len(parts[index]) <= room:
            kept.append(index)
            room -= len(parts[index])
    return [parts[index][:QUOTE_CHARACTERS] for index in sorted(kept)]
