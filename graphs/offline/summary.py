"""Rolling summaries by extraction: the sentences that later turns may need, in order. Pure."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from graphs.offline.intents import read_intent
from graphs.offline.relevance import folded_words
from graphs.offline.wording import is_own
from memory.text import Language, language, sentences

_MESSAGE = 8_000
_SENTENCE = 300
_OLD_BONUS = 1.5

_WHO: dict[Language, dict[str, str]] = {
    "ko": {"user": "사용자", "assistant": "어시스턴트"},
    "en": {"user": "The person", "assistant": "The assistant"},
}
_DECIDED = re.compile(
    r"결정|하기로|정했|합의|확정|선택|변경|바꾸|바꿨|마감|기한|예정|약속|해야|하자|필요"
    r"|중요|반드시|이름은|저는|나는|내\s|생일|주소"
    r"|\b(?:decid\w*|agree\w*|chose|choose|will|must|need\w*|deadline|due|plan\w*|should"
    r"|important|always|never|prefer\w*"
    r"|my name|i am|i'm|i work|i live|use|switch\w*|because|todo|next|fix\w*|error|saved"
    r"|deleted)\b",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"\d")
_NAME = re.compile(
    r"(?<!^)(?<![.!?] )\b[A-Z][a-zA-Z]+|[a-zA-Z]+[_./-][a-zA-Z_./-]+|`[^`]+`"
    r"|[“‘'\"][^”’'\"]{2,40}[”’'\"]"
)
_CHAT = re.compile(
    r"^(?:안녕|고마|감사|네[.!,\s]|응|ㅋ|ㅎ|hi\b|hello|thanks|thank you|ok\b|okay|sure|great"
    r"|you're welcome|천만)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Line:
    """What one side said."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    place: int
    text: str
    score: float


def summary_of(old: str, conversation: Sequence[Line], limit: int) -> str:
    """At most ``limit`` characters: what tells most of the old summary and of what came after."""
    own = " ".join(line.content[:_MESSAGE] for line in conversation if line.role == "user")
    spoken = language(own or old)
    texts = [*_old_lines(old), *_new_lines(conversation, spoken)]
    counts = Counter(word for text, _ in texts for word in set(folded_words(text)))
    candidates = [
        _Candidate(place, text, _score(text, counts) + bonus)
        for place, (text, bonus) in enumerate(texts)
    ]
    chosen = _fitting(sorted(candidates, key=lambda one: (-one.score, -one.place)), limit)
    if not chosen:
        return " ".join(old.split())[:limit]
    return "\n".join(one.text for one in sorted(chosen, key=lambda one: one.place))


def _old_lines(old: str) -> Iterator[tuple[str, float]]:
    for line in old.splitlines():
        parts = [line] if len(line) <= _SENTENCE else sentences(line)
        for part in filter(None, map(str.strip, parts)):
            yield part[:_SENTENCE], _OLD_BONUS


def _new_lines(conversation: Sequence[Line], spoken: Language) -> Iterator[tuple[str, float]]:
    """Sentences with who said them; later ones count a little more."""
    for index, line in enumerate(conversation):
        who = _WHO[spoken].get(line.role)
        if who is None or _says_nothing(line):
            continue
        recent = index / len(conversation)
        mine = 0.5 if line.role == "user" else 0.0
        for sentence in sentences(line.content[:_MESSAGE]):
            text = " ".join(sentence.split())[:_SENTENCE]
            # What the assistant said without a fact in it was said for the moment only.
            tells = line.role == "user" or _facts(text) > 0
            if tells and len(folded_words(text)) >= 2 and not _CHAT.match(text):
                yield f"- {who}: {text}", recent + mine


def _says_nothing(line: Line) -> bool:
    if line.role == "assistant":
        return is_own(line.content) and not re.match(r"저장했|Saved|바꿨|Changed", line.content)
    return read_intent(line.content).kind in ("greet", "thanks", "help", "list", "read")


def _score(text: str, counts: Counter[str]) -> float:
    said = set(folded_words(text))
    themes = sum(counts[word] for word in said if counts[word] > 1 and len(word) > 1)
    return _facts(text) + 0.1 * min(themes, 10) - 0.002 * len(text)


def _facts(text: str) -> float:
    """How much numbers, decisions and names a sentence holds."""
    told = 1.5 * bool(_NUMBER.search(text)) + 1.5 * bool(_DECIDED.search(text))
    return told + 0.5 * min(len(_NAME.findall(text)), 3)


def _fitting(ranked: Sequence[_Candidate], limit: int) -> list[_Candidate]:
    chosen: list[_Candidate] = []
    seen: set[str] = set()
    room = limit
    for one in ranked:
        told = " ".join(folded_words(one.text))
        if told not in seen and len(one.text) + 1 <= room:
            chosen.append(one)
            seen.add(told)
            room -= len(one.text) + 1
    return chosen
