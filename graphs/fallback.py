"""What the person is told when no model has words for it: plain sentences in Korean and English."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, ToolMessage

from graphs.calls import preview
from graphs.limits import Reason, Stop, StopKind
from graphs.repetition import REPEATED
from memory.text import language

MOST_RESULTS = 3

_LIMITS: dict[Reason, tuple[StopKind, dict[str, str]]] = {
    "steps": (
        "step_limit",
        {
            "en": "The limit of steps for one answer was reached.",
            "ko": "한 번의 답변에 쓸 수 있는 단계 수에 도달했습니다.",
        },
    ),
    "repetition": (
        "repeat_stop",
        {
            "en": "The assistant was repeating itself, so it stopped using tools.",
            "ko": "같은 작업이 되풀이되어 도구 사용을 멈췄습니다.",
        },
    ),
    "time": (
        "time_limit",
        {
            "en": "The time for one answer ran out.",
            "ko": "한 번의 답변에 쓸 수 있는 시간이 다 되었습니다.",
        },
    ),
    "length": (
        "step_limit",
        {
            "en": "The answer grew too long and was cut.",
            "ko": "답변이 너무 길어져 줄였습니다.",
        },
    ),
}

_CANCELLED = {"en": "The answer was stopped.", "ko": "답변을 멈췄습니다."}
_QUEUED = {
    "en": "Others are being answered; this one comes as soon as there is a place.",
    "ko": "앞선 답변이 끝나는 대로 답해 드립니다. 잠시만 기다려 주세요.",
}
_NOTHING = {
    "en": "I could not find an answer this time. Please ask again, perhaps in other words.",
    "ko": "이번에는 답을 찾지 못했습니다. 다른 말로 다시 물어봐 주세요.",
}
_FOUND = {
    "en": "I could not finish the answer, but this is what I found:",
    "ko": "답변을 끝내지 못했지만, 여기까지 찾았습니다:",
}
_CUT_JSON = ('{"', "[{", '["')
"""How JSON begins that was too long to be kept whole."""
_DONE = {
    "saved": {"en": "saved", "ko": "저장함"},
    "updated": {"en": "changed", "ko": "바꿈"},
    "deleted": {"en": "deleted", "ko": "삭제함"},
}


def stop_for(reason: Reason, question: str) -> Stop:
    """Why a turn ended early, in the language of the question."""
    kind, words = _LIMITS[reason]
    return Stop(kind=kind, detail=words[language(question)])


def cancelled_words(question: str) -> str:
    """That the person stopped the answer, in the language of the question."""
    return _CANCELLED[language(question)]


def queued_words(question: str) -> str:
    """That the question waits for its answer, in the language of the question."""
    return _QUEUED[language(question)]


def plain_answer(question: str, turn: Sequence[AnyMessage]) -> str:
    """A sentence on what the tools of this turn found, in the language of the question."""
    spoken = language(question)
    results = [
        tuple(_lines(str(message.text), spoken))
        for message in turn
        if isinstance(message, ToolMessage) and _tells(message)
    ]
    found = list(dict.fromkeys(filter(None, results)))[-MOST_RESULTS:]
    said = [str(m.text) for m in turn if isinstance(m, AIMessage) and m.text.strip()]
    if not found:
        return said[-1] if said else _NOTHING[spoken]
    lines = dict.fromkeys(f"- {preview(line)}" for result in found for line in result)
    return "\n".join([_FOUND[spoken], *lines])


def _tells(message: ToolMessage) -> bool:
    text = str(message.text)
    return message.status == "success" and bool(text.strip()) and not text.startswith(REPEATED)


def _lines(text: str, spoken: str) -> Iterator[str]:
    """What a result tells, for a person to read: a text itself, of JSON the entries' labels."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        if not text.lstrip().startswith(_CUT_JSON):
            yield text
        return
    if not isinstance(data, dict | list):
        yield data if isinstance(data, str) else text
        return
    labels = list(_labels(data, "", spoken))
    if not labels and isinstance(data, dict):
        labels = [value for value in data.values() if isinstance(value, str)]
    yield from (label for label in labels if label.strip())


def _labels(data: Any, name: str, spoken: str) -> Iterator[str]:
    """The labels in a tool's JSON, with what was done to the entry where ``name`` tells it."""
    if isinstance(data, list):
        for item in data:
            yield from _labels(item, name, spoken)
    elif isinstance(data, Mapping):
        if isinstance(label := data.get("label"), str):
            yield f"{label} ({_DONE[name][spoken]})" if name in _DONE else label
            return
        for key, value in data.items():
            yield from _labels(value, key, spoken)
