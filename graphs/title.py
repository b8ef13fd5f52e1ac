"""The title of a conversation, from what was said in it alone: read -> name."""

import re
from collections.abc import Sequence
from typing import Any, Literal, NotRequired, TypedDict

from langchain_core.language_models import BaseChatModel
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from pydantic import BaseModel, Field

from memory.text import TITLE_LIMIT, cut_label, grapheme_count
from prompts import load
from tools.labels import tidy
from tools.structured import ask

MODEL_SECONDS = 30.0

_FIRST, _LAST = 4, 4
_MESSAGE_CHARACTERS = 1_500
_NAMED = re.compile(r"^(?:title|제목)\s*[:：]\s*", re.IGNORECASE)
_LETTER = re.compile(r"[^\W_]")


class Said(TypedDict):
    """What one side said; only ``user`` and ``assistant`` are listened to."""

    role: str
    content: str


class TitleInput(TypedDict):
    """A conversation, oldest message first."""

    conversation: list[Said]


class TitleOutput(TypedDict):
    """A title of at most 40 grapheme clusters on one line, or None when none could be made."""

    title: str | None


class TitleState(TypedDict):
    """The conversation, what of it the model gets, the title."""

    conversation: list[Said]
    heard: NotRequired[list[Said]]
    title: NotRequired[str | None]


TitleGraph = CompiledStateGraph[TitleState, None, TitleInput, TitleOutput]


class RoomTitle(BaseModel):
    """A title for a conversation."""

    title: str = Field(description="The title: one line, in the language of the person.")


class Titler:
    """The nodes of the title graph."""

    def __init__(self, model: BaseChatModel) -> None:
        self._model = model
        self._system = load("title").render(limit=str(TITLE_LIMIT))

    async def read(self, state: TitleState) -> dict[str, Any]:
        """What the two sides said at the beginning and lately; no tools, no system prompt."""
        said = heard(state["conversation"], characters=_MESSAGE_CHARACTERS)
        if len(said) > _FIRST + _LAST:
            said = said[:_FIRST] + said[-_LAST:]
        return {"heard": said, "title": None}

    async def name(self, state: TitleState) -> dict[str, Any]:
        """Ask for a title and keep it if it is one."""
        answer = await ask(
            self._model,
            RoomTitle,
            system=self._system,
            data={"conversation": state["heard"]},
            seconds=MODEL_SECONDS,
        )
        return {"title": title_of(answer.title) if answer else None}


def heard(conversation: Sequence[Said], *, characters: int) -> list[Said]:
    """The words of the two sides, each message cut to ``characters``. Pure."""
    return [
        {"role": said["role"], "content": said["content"][:characters]}
        for said in conversation
        if said["role"] in ("user", "assistant") and said["content"].strip()
    ]


def title_of(text: str) -> str | None:
    """A model's title as it can be shown, None if it is no title. Pure."""
    lines = tidy(text).splitlines()
    title = tidy(_NAMED.sub("", lines[0])) if len(lines) == 1 else ""
    if not _LETTER.search(title):
        return None
    if grapheme_count(title) > 2 * TITLE_LIMIT:
        return None  # that is an answer or a thought, not a title that grew
    return cut_label(title, TITLE_LIMIT) or None


def after_read(state: TitleState) -> Literal["name", "__end__"]:
    """Where nobody said anything there is nothing to name."""
    return "name" if state.get("heard") else "__end__"


def build_title_graph(model: BaseChatModel) -> TitleGraph:
    """The graph that titles a conversation; it raises for nothing that a model does."""
    titler = Titler(model)
    graph = StateGraph(TitleState, input_schema=TitleInput, output_schema=TitleOutput)
    graph.add_node("read", titler.read)
    graph.add_node("name", titler.name)

    graph.add_edge(START, "read")
    graph.add_conditional_edges("read", after_read, ["name", END])
    graph.add_edge("name", END)
    return graph.compile(name="title")
