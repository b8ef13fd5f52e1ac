"""Saving with the person's review: draft -> categorize -> summarize -> review -> save.

``review`` interrupts with {summary, category, duplicates}, and ``problem`` when an edit could not
be taken. It is resumed with {"summary"?, "category"?, "save"?}: what is given replaces the draft,
``"save": false`` throws it away.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NotRequired, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from memory.archive_rules import check_content
from memory.errors import Conflict, Invalid
from memory.protocols import Archive
from memory.records import Near, Source
from tools.drafting import Drafter
from tools.labels import category_problem, label_problem, tidy
from tools.noise import find_noise, reason

Update = dict[str, Any]
Outcome = Literal["saved", "duplicate", "discarded", "not_summarizable"]

_FIELDS = {"summary", "category"}


class Duplicate(TypedDict):
    """An entry that says the same (``exact``) or nearly so."""

    id: str
    summary: str
    exact: bool


class SourceState(TypedDict):
    """The message that a content came from."""

    room_id: str
    key: str


class ArchivistInput(TypedDict):
    """A content to save, its category if the person named one, the message it came from."""

    content: str
    category: NotRequired[str | None]
    source: NotRequired[SourceState | None]


class ArchivistState(TypedDict):
    """The draft as it grows, then what became of it. Holds nothing but JSON values."""

    content: str
    category: NotRequired[str | None]
    source: NotRequired[SourceState | None]
    summary: NotRequired[str]
    reason: NotRequired[str]
    duplicates: NotRequired[list[Duplicate]]
    problem: NotRequired[str | None]
    outcome: NotRequired[Outcome | None]
    id: NotRequired[str | None]


class ArchivistOutput(TypedDict, total=False):
    """What became of the content; ``id`` names the entry that holds it now, if any."""

    outcome: Outcome
    id: str | None
    summary: str
    category: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivistContext:
    """Whose archive it is."""

    user: str = "local"


class Review(BaseModel):
    """A person's answer to a draft."""

    model_config = ConfigDict(extra="forbid")

    summary: str | None = Field(default=None, description="Another label: 1..30 characters.")
    category: str | None = Field(default=None, description="Another category.")
    save: bool = Field(default=True, description="Whether to save it at all.")


ArchivistGraph = CompiledStateGraph[
    ArchivistState, ArchivistContext, ArchivistInput, ArchivistOutput
]


class Archivist:
    """The nodes of the archivist graph."""

    def __init__(self, drafter: Drafter, archive: Archive) -> None:
        self._drafter = drafter
        self._archive = archive

    async def draft(self, state: ArchivistState, runtime: Runtime[ArchivistContext]) -> Update:
        """Look at the content: is there something to label, and is it there already?"""
        content = state["content"]
        fresh: Update = {"problem": None, "outcome": None, "id": None, "duplicates": []}
        if noise := find_noise(content):
            return fresh | {"reason": reason(noise, content), "outcome": "not_summarizable"}
        check_content(content)
        near = await self._archive.near(user_of(runtime.context), content)
        return fresh | {"duplicates": duplicates_of(near)}

    async def categorize(self, state: ArchivistState, runtime: Runtime[ArchivistContext]) -> Update:
        """A category: the one named, one that the person has, or a new one."""
        name, _ = await self._drafter.place(
            user_of(runtime.context), state["content"], state.get("category")
        )
        return {"category": name}

    async def summarize(self, state: ArchivistState) -> Update:
        """A label, or why there is none."""
        label = await self._drafter.label(state["content"])
        if label.text is None:
            return {"reason": label.reason, "outcome": "not_summarizable"}
        return {"summary": label.text}

    async def review(self, state: ArchivistState) -> Update:
        """Show the draft to the person and take their edits; with a problem, ask again."""
        return reviewed(interrupt(shown(state)))

    async def save(self, state: ArchivistState, runtime: Runtime[ArchivistContext]) -> Update:
        """Save what was reviewed; a bound that only the store knows goes back to the person."""
        try:
            entry = await self._archive.save(
                user_of(runtime.context),
                label=state["summary"],
                category=state["category"] or "",
                content=state["content"],
                source=_source(state),
            )
        except Conflict as error:
            if error.code != "duplicate":
                raise
            return {"outcome": "duplicate", "id": str(error.details.get("id", ""))}
        except Invalid as error:
            if error.details.get("field") not in _FIELDS:
                raise
            return {"problem": str(error)}
        return {"outcome": "saved", "id": entry.id, "problem": None}


def user_of(context: ArchivistContext | None) -> str:
    """Whose archive it is; a run without a context is the local user's. Pure."""
    return (context or ArchivistContext()).user


def duplicates_of(nearest: Sequence[Near]) -> list[Duplicate]:
    """Near entries as they are shown to a person. Pure."""
    return [
        {"id": near.entry.id, "summary": near.entry.label, "exact": near.exact} for near in nearest
    ]


def shown(state: ArchivistState) -> dict[str, object]:
    """What the person reviews. Pure."""
    draft: dict[str, object] = {
        "summary": state["summary"],
        "category": state["category"],
        "duplicates": state.get("duplicates", []),
    }
    return draft | {"problem": state["problem"]} if state.get("problem") else draft


def reviewed(answer: object) -> Update:
    """What a person's answer changes, or the problem with it. Pure."""
    try:
        review = Review.model_validate({} if answer is None else answer)
    except ValidationError:
        return {"problem": 'Answer with {"summary": ..., "category": ..., "save": true or false}.'}
    if not review.save:
        return {"outcome": "discarded", "problem": None}
    edits: Update = {}
    problems: list[str] = []
    for name, value, problem_of in (
        ("summary", review.summary, label_problem),
        ("category", review.category, category_problem),
    ):
        if value is None:
            continue
        if problem := problem_of(tidy(value)):
            problems.append(problem)
        else:
            edits[name] = tidy(value)
    return edits | {"problem": " ".join(problems) or None}


def after_draft(state: ArchivistState) -> Literal["categorize", "__end__"]:
    return "__end__" if state.get("outcome") else "categorize"


def after_summarize(state: ArchivistState) -> Literal["review", "__end__"]:
    return "__end__" if state.get("outcome") else "review"


def after_review(state: ArchivistState) -> Literal["review", "save", "__end__"]:
    if state.get("outcome"):
        return "__end__"
    return "review" if state.get("problem") else "save"


def after_save(state: ArchivistState) -> Literal["review", "__end__"]:
    return "review" if state.get("problem") else "__end__"


def _source(state: ArchivistState) -> Source | None:
    source = state.get("source")
    return Source(room_id=source["room_id"], key=source["key"]) if source else None


def build_archivist_graph(
    drafter: Drafter,
    archive: Archive,
    *,
    checkpointer: BaseCheckpointSaver[Any] | None = None,
) -> ArchivistGraph:
    """The archivist over one archive; its interrupt needs a checkpointer, here or from outside."""
    archivist = Archivist(drafter, archive)
    graph = StateGraph(
        ArchivistState,
        context_schema=ArchivistContext,
        input_schema=ArchivistInput,
        output_schema=ArchivistOutput,
    )
    graph.add_node("draft", archivist.draft)
    graph.add_node("categorize", archivist.categorize)
    graph.add_node("summarize", archivist.summarize)
    graph.add_node("review", archivist.review)
    graph.add_node("save", archivist.save)

    graph.add_edge(START, "draft")
    graph.add_conditional_edges("draft", after_draft, ["categorize", END])
    graph.add_edge("categorize", "summarize")
    graph.add_conditional_edges("summarize", after_summarize, ["review", END])
    graph.add_conditional_edges("review", after_review, ["review", "save", END])
    graph.add_conditional_edges("save", after_save, ["review", END])
    return graph.compile(checkpointer=checkpointer, name="archivist")
