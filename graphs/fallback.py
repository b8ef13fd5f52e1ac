"""What the person is told when no model has words for it: plain sentences in Korean and English."""

from collections.abc import Sequence

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
    found = [
        f"- {preview(str(message.text))}"
        for message in turn
        if isinstance(message, ToolMessage) and _tells(message)
    ]
    said = [str(m.text) for m in turn if isinstance(m, AIMessage) and m.text.strip()]
    if not found:
        return said[-1] if said else _NOTHING[spoken]
    return "\n".join([_FOUND[spoken], *found[-MOST_RESULTS:]])


def _tells(message: ToolMessage) -> bool:
    text = str(message.text)
    return message.status == "success" and bool(text.strip()) and not text.startswith(REPEATED)
