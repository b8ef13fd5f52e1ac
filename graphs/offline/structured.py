"""The structured answers by their schema's name, from the JSON object that asks for them. Pure."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphs.offline.labels import label_of
from graphs.offline.summary import Line, summary_of
from graphs.offline.titles import title_of
from graphs.offline.topics import category_of
from memory.text import language
from tools.noise import find_noise, reason

Data = Mapping[str, Any]


def fill(schema: str, asked: str) -> str:
    """The fields of ``schema`` as JSON; ValueError, in plain words, if it is none of the known.

    ``asked`` is the human message: a JSON object, or, if it can't be read, a content as it stands.
    """
    if schema not in _FILLERS:
        raise ValueError(
            f"The offline model can't give a structured answer of the kind {schema!r}: no language "
            "model is configured. Set OPENAI_API_KEY or OPENAI_BASE_URL, and TOMATO_MODEL."
        )
    return json.dumps(_FILLERS[schema](_data(asked)))


def _data(asked: str) -> Data:
    try:
        data = json.loads(asked)
    except (ValueError, RecursionError):
        data = None
    if isinstance(data, dict):
        return data
    return {"content": asked, "conversation": [{"role": "user", "content": asked}]}


def _label(data: Data) -> Data:
    content = _text(data.get("content"))
    noise = find_noise(content)
    if noise is not None:
        return {"summarizable": False, "label": "", "reason": reason(noise, content)}
    label = label_of(content)
    if not label:
        korean = language(content) == "ko"
        why = "라벨로 쓸 낱말이 없습니다." if korean else "There are no words to make a label of."
        return {"summarizable": False, "label": "", "reason": why}
    return {"summarizable": True, "label": label, "reason": ""}


def _category(data: Data) -> Data:
    names = [name for name in _list(data.get("categories")) if isinstance(name, str)]
    return {"category": category_of(_text(data.get("content")), names)}


def _title(data: Data) -> Data:
    return {"title": title_of(_said(data))}


def _summary(data: Data) -> Data:
    most = data.get("max_characters")
    limit = most if isinstance(most, int) and most > 0 else 2_000
    return {"summary": summary_of(_text(data.get("summary")), _said(data), limit)}


def _said(data: Data) -> Sequence[Line]:
    lines = (one for one in _list(data.get("conversation")) if isinstance(one, dict))
    return [Line(_text(one.get("role")), _text(one.get("content"))) for one in lines]


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


_FILLERS: Mapping[str, Callable[[Data], Data]] = {
    "LabelDraft": _label,
    "CategoryDraft": _category,
    "RoomTitle": _title,
    "RollingSummary": _summary,
}
