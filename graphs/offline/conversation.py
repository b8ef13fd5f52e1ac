"""A chat as the offline model sees it: the newest question, this turn's tools, earlier entries.

What tools answered and what was said before are data here: entries that a number or "it" may mean.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from graphs.offline.relevance import clear_match

_LISTS = ("found", "entries")
_SINGLE = ("saved", "already_saved", "updated", "entry")
_NUMBERED = re.compile(r"^[ \t]{0,4}(\d{1,2})[.)] (.{1,400})$", re.MULTILINE)
# A label with its category, as this model names an entry.
_NAMED = re.compile(r"“([^”\n]{1,200})” \(")
_QUOTED = re.compile(r"“([^”\n]{1,200})”")


@dataclass(frozen=True, slots=True)
class Ref:
    """An entry that was named in the talk; without an ``id`` only its label is known."""

    id: str
    label: str
    category: str = ""
    snippet: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """A tool call that has its result; ``data`` is the result's JSON object, or empty."""

    name: str
    args: Mapping[str, Any]
    ok: bool
    text: str
    data: Mapping[str, Any]

    @property
    def refs(self) -> list[Ref]:
        """The entries of a result that is a list."""
        return [ref for key in _LISTS for one in _list(self.data.get(key)) for ref in _ref(one)]

    @property
    def single(self) -> Ref | None:
        """The one entry that a result is about."""
        return next((ref for key in _SINGLE for ref in _ref(self.data.get(key))), None)

    @property
    def shown(self) -> Ref | None:
        """The entry of a result that only one can be meant by."""
        if self.single is not None:
            return self.single
        refs = self.refs
        if self.name == "archive_search":
            return clear_match(refs, str(self.args.get("query", "")))
        return refs[0] if len(refs) == 1 else None


@dataclass(frozen=True, slots=True)
class Turn:
    """One question with what was done and said about it."""

    question: str
    steps: tuple[Step, ...]
    answer: str


class Conversation:
    """Turns, oldest first; the last one is to be answered."""

    def __init__(self, messages: Sequence[BaseMessage]) -> None:
        self.turns = list(_turns(messages)) or [Turn("", (), "")]

    @property
    def question(self) -> str:
        return self.turns[-1].question

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.turns[-1].steps

    @property
    def earlier(self) -> Sequence[Turn]:
        return self.turns[:-1]

    def done(self, name: str) -> list[Step]:
        """What one tool did in this turn."""
        return [step for step in self.steps if step.name == name]

    def spoken_of(self) -> Ref | None:
        """The one entry that the newest turn about any was about, if it was about one."""
        for turn in reversed(self.earlier):
            about = [step for step in turn.steps if step.ok and step.data]
            if about:
                return _about(about, turn.answer)
            if _QUOTED.search(turn.answer):
                labels = dict.fromkeys(_NAMED.findall(turn.answer))
                return Ref("", next(iter(labels))) if len(labels) == 1 else None
        return None

    def numbered(self) -> dict[int, Ref]:
        """The entries of the list that was shown last, by the numbers that they were shown with."""
        gone: set[str] = set()
        for turn in reversed(self.earlier):
            gone |= {str(step.args.get("id")) for step in turn.steps if "deleted" in step.data}
            if listed := _listed(turn):
                return {number: ref for number, ref in listed.items() if ref.id not in gone}
        return {}


def _listed(turn: Turn) -> dict[int, Ref]:
    """The list that a turn showed: as its answer numbers it, or as the tool gave it."""
    refs = next((step.refs for step in reversed(turn.steps) if step.ok and step.refs), [])
    if refs and not turn.answer:
        return dict(enumerate(refs, 1))
    lines = {int(number): line for number, line in _NUMBERED.findall(turn.answer)}
    if not refs:
        return _labels(lines)
    shown = _matched(lines, refs)
    in_order = {number: ref for number, ref in enumerate(refs, 1) if ref.label in turn.answer}
    return in_order if shown.items() <= in_order.items() and shown else shown


def _about(steps: Sequence[Step], answer: str) -> Ref | None:
    """The entry that a turn ended with; what it deleted or did not show can't be meant."""
    last = steps[-1]
    if "deleted" in last.data:
        return None
    ref = last.shown
    return ref if ref is not None and (not answer or ref.label in answer) else None


def _matched(lines: Mapping[int, str], refs: Sequence[Ref]) -> dict[int, Ref]:
    found = {}
    for number, line in lines.items():
        named = [ref for ref in refs if ref.label and ref.label in line]
        if named:
            found[number] = max(named, key=lambda ref: len(ref.label))
    return found


def _labels(lines: Mapping[int, str]) -> dict[int, Ref]:
    named = {number: _QUOTED.search(line) for number, line in lines.items()}
    return {number: Ref("", found[1]) for number, found in named.items() if found}


def _turns(messages: Sequence[BaseMessage]) -> Iterator[Turn]:
    turn: list[BaseMessage] = []
    for message in messages:
        if isinstance(message, HumanMessage) and turn:
            yield _turn(turn)
            turn = []
        turn.append(message)
    if turn:
        yield _turn(turn)


def _turn(messages: Sequence[BaseMessage]) -> Turn:
    asked = messages[0] if isinstance(messages[0], HumanMessage) else None
    said = [m.text for m in messages if isinstance(m, AIMessage) and not m.tool_calls]
    answers = [str(text) for text in said if text.strip()]
    return Turn(
        question=str(asked.text) if asked else "",
        steps=tuple(_steps(messages)),
        answer=answers[-1] if answers else "",
    )


def _steps(messages: Sequence[BaseMessage]) -> Iterator[Step]:
    calls = {
        str(call["id"]): call
        for message in messages
        if isinstance(message, AIMessage)
        for call in message.tool_calls
    }
    for message in messages:
        if not isinstance(message, ToolMessage):
            continue
        call = calls.get(message.tool_call_id)
        text = str(message.text)
        ok = message.status == "success"
        yield Step(
            name=call["name"] if call else str(message.name or ""),
            args=call["args"] if call else {},
            ok=ok,
            text=text,
            data=_object(text) if ok else {},
        )


def _object(text: str) -> Mapping[str, Any]:
    """The JSON object in a result, also behind a word to the model; empty if there is none."""
    start = text.find("{")
    if start < 0:
        return {}
    try:
        found, _ = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _ref(value: object) -> Iterator[Ref]:
    if isinstance(value, dict) and isinstance(value.get("id"), str):
        texts = (str(value.get(key) or "") for key in ("label", "category", "snippet"))
        yield Ref(value["id"], *texts)
