"""When a model repeats itself: which calls run, which get their first result again. Pure."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from langchain_core.messages.tool import ToolCall

from graphs.limits import Progress, Result

Verdict = Literal["run", "repeat", "refuse", "stop"]

REPEATED = "You made this call before; this is its first result. Do not make it again.\n"
_STOPPED = "You have made this call before. No more tools are used in this turn: answer now."


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What becomes of each call of one message, in their order."""

    calls: Sequence[ToolCall]
    signatures: Sequence[str]
    verdicts: Sequence[Verdict]
    progress: Progress

    @property
    def to_run(self) -> list[ToolCall]:
        return [c for c, verdict in zip(self.calls, self.verdicts, strict=True) if verdict == "run"]

    @property
    def ran(self) -> list[str]:
        """The signatures of the calls that run, in the order of ``to_run``."""
        both = zip(self.signatures, self.verdicts, strict=True)
        return [signature for signature, verdict in both if verdict == "run"]

    @property
    def stops(self) -> bool:
        return "stop" in self.verdicts

    def results(self, fresh: Sequence[Result]) -> list[Result]:
        """One result for each call; ``fresh`` are those of ``to_run``."""
        known = {**self.progress.results, **dict(zip(self.ran, fresh, strict=True))}
        return list(self._results(known))

    def _results(self, known: Mapping[str, Result]) -> Iterator[Result]:
        judged = zip(self.calls, self.signatures, self.verdicts, strict=True)
        for call, signature, verdict in judged:
            if verdict == "refuse":
                yield Result(text=self.progress.refused[str(call["id"])], ok=False)
            elif verdict == "stop":
                yield Result(text=_STOPPED, ok=False)
            elif verdict == "repeat":
                first = known[signature]
                yield Result(text=REPEATED + first.text, ok=first.ok)
            else:
                yield known[signature]


def judge(calls: Sequence[ToolCall], progress: Progress) -> Plan:
    """Decide for each call of a message; after one that stops, none of the message runs."""
    trail, seen = list(progress.trail), set(progress.results)
    signatures, verdicts = [], []
    for call in calls:
        signature = signature_of(call["name"], call["args"])
        verdict: Verdict = "stop" if "stop" in verdicts else _verdict(trail, seen, signature)
        if str(call["id"]) in progress.refused:
            verdict = "stop" if verdict == "stop" else "refuse"
        if verdict == "run":
            seen.add(signature)
        trail.append(signature)
        signatures.append(signature)
        verdicts.append(verdict)
    return Plan(calls=calls, signatures=signatures, verdicts=verdicts, progress=progress)


def after(
    progress: Progress, plan: Plan, fresh: Sequence[Result], writes: Callable[[str], bool]
) -> Progress:
    """The progress once ``plan`` was carried out.

    A successful write makes what was read before it old: reading it again is then no repetition.
    """
    results = {**progress.results, **dict(zip(plan.ran, fresh, strict=True))}
    wrote = any(
        result.ok and writes(call["name"]) for call, result in zip(plan.to_run, fresh, strict=True)
    )
    if wrote:
        results = {
            signature: result for signature, result in results.items() if writes(_name(signature))
        }
    return replace(
        progress,
        messages=progress.messages + len(plan.calls),
        tool_calls=progress.tool_calls + len(plan.calls),
        trail=(*progress.trail, *plan.signatures),
        results=results,
        refused={},
    )


def signature_of(name: str, args: Mapping[str, Any]) -> str:
    """The same text for the same tool with the same arguments, in whatever order they come."""
    return f"{name} {json.dumps(args, sort_keys=True, ensure_ascii=False)}"


def _name(signature: str) -> str:
    return signature.partition(" ")[0]


def _verdict(trail: Sequence[str], seen: set[str], signature: str) -> Verdict:
    """A third time, or the fourth step of A, B, A, B, ends tool use; a second is a repeat."""
    alternates = len(trail) >= 3 and trail[-2] == signature and trail[-1] == trail[-3] != signature
    repeated = signature in seen or trail[-2:] == [signature, signature]
    if alternates or (trail.count(signature) >= 2 and repeated):
        return "stop"
    return "repeat" if signature in seen else "run"
