"""The rolling summary: the old one and what was said since, folded into a new one."""

import re
from typing import Any, Literal, NotRequired, TypedDict

from langchain_core.language_models import BaseChatModel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic import BaseModel, Field

from graphs.title import Said, heard
from prompts import load
from tools.labels import without_thoughts
from tools.structured import ask

MAX_CHARACTERS = 2_000
MODEL_SECONDS = 60.0

_MESSAGE_CHARACTERS = 8_000
_LEAST, _MOST = 100, 20_000
_ASKED = 0.8  # models overshoot what they are asked for
_LETTER = re.compile(r"[^\W_]")


class SummaryInput(TypedDict):
    """The summary so far, the messages after it oldest first, and the new one's bound."""

    conversation: list[Said]
    summary: NotRequired[str | None]
    max_characters: NotRequired[int]


class SummaryOutput(TypedDict):
    """The summary that replaces the old one; None when that must stay."""

    summary: str | None


class SummaryState(TypedDict):
    """The old summary until there is a new one, what is to be folded in, the bound."""

    conversation: list[Said]
    summary: NotRequired[str | None]
    max_characters: NotRequired[int]


SummaryGraph = CompiledStateGraph[SummaryState, None, SummaryInput, SummaryOutput]


class RollingSummary(BaseModel):
    """A summary of a conversation."""

    summary: str = Field(description="The old summary and the new messages, as one text.")


class Summarizer:
    """The nodes of the summary graph."""

    def __init__(self, model: BaseChatModel) -> None:
        self._model = model
        self._system = load("summary").render()

    async def read(self, state: SummaryState) -> dict[str, Any]:
        """What the two sides said, each message bounded; tool output has no part in it."""
        said = heard(state["conversation"], characters=_MESSAGE_CHARACTERS)
        return {"conversation": said, "max_characters": bound(state.get("max_characters"))}

    async def skip(self, state: SummaryState) -> dict[str, Any]:
        """With nothing to fold in, the old summary stays."""
        return {"summary": None}

    async def fold(self, state: SummaryState) -> dict[str, Any]:
        """Ask for the new summary and keep it if it is one."""
        most = state["max_characters"]
        answer = await ask(
            self._model,
            RollingSummary,
            system=self._system,
            data={
                "summary": state.get("summary"),
                "conversation": state["conversation"],
                "max_characters": int(most * _ASKED),
            },
            seconds=MODEL_SECONDS,
        )
        return {"summary": summary_of(answer.summary, most) if answer else None}


def bound(max_characters: int | None) -> int:
    """The bound asked for, within reason. Pure."""
    return max(_LEAST, min(max_characters or MAX_CHARACTERS, _MOST))


def summary_of(text: str, max_characters: int) -> str | None:
    """A model's summary, None if it is empty or longer than its bound. Pure."""
    summary = without_thoughts(text)
    if len(summary) > max_characters or not _LETTER.search(summary):
        return None
    return summary


def after_read(state: SummaryState) -> Literal["fold", "skip"]:
    return "fold" if state["conversation"] else "skip"


def build_summary_graph(model: BaseChatModel) -> SummaryGraph:
    """The graph that folds messages into a summary; it raises for nothing that a model does."""
    summarizer = Summarizer(model)
    graph = StateGraph(SummaryState, input_schema=SummaryInput, output_schema=SummaryOutput)
    graph.add_node("read", summarizer.read)
    graph.add_node("fold", summarizer.fold)
    graph.add_node("skip", summarizer.skip)

    graph.add_edge(START, "read")
    graph.add_conditional_edges("read", after_read, ["fold", "skip"])
    graph.add_edge("fold", END)
    graph.add_edge("skip", END)
    return graph.compile(name="summary")
