"""Talks with the offline model over the real tools and a real archive, turn by turn."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver

from graphs.chat import ChatGraph, build_chat_graph
from graphs.offline import OfflineChatModel
from graphs.state import ChatContext, Notice, Said, ToolStart
from tests.unit.tools.trial_archive import TrialArchive, open_archive
from tools.catalog import build_tools
from tools.drafting import Drafter


@dataclass
class Chat:
    """One room; ``calls`` are the tool calls of its last turn, ``notices`` of all its turns."""

    graph: ChatGraph
    archive: TrialArchive
    tools: tuple[str, ...] | None = None
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    async def say(self, message: str) -> str:
        self.calls.clear()
        answer = ""
        async for event in self.graph.astream(
            {"messages": [HumanMessage(message)]},
            {"configurable": {"thread_id": "room"}},
            context=ChatContext(user="me", tools=self.tools),
            stream_mode="custom",
        ):
            if isinstance(event, ToolStart):
                self.calls.append((event.name, dict(event.args)))
            if isinstance(event, Notice):
                self.notices.append(event)
            if isinstance(event, Said) and event.message.type == "ai":
                answer = str(event.message.text) or answer
        return answer

    @property
    def called(self) -> list[str]:
        return [name for name, _ in self.calls]

    async def labels(self) -> list[str]:
        """The labels of the archive, sorted."""
        return sorted(entry.label for entry in await self.archive.of("me"))

    async def forget_tools(self) -> None:
        """Leave only what was said in plain text, as an old window does."""
        config: Any = {"configurable": {"thread_id": "room"}}
        kept = (await self.graph.aget_state(config)).values["messages"]
        await self.graph.aupdate_state(config, {"messages": _gone(kept)}, as_node="conclude")


def _gone(messages: Sequence[AnyMessage]) -> list[Any]:
    return [
        RemoveMessage(str(message.id))
        for message in messages
        if message.type == "tool" or getattr(message, "tool_calls", None)
    ]


@asynccontextmanager
async def open_chat(folder: Path) -> AsyncIterator[Chat]:
    model = OfflineChatModel()
    async with open_archive(folder) as archive:
        tools = build_tools(archive, Drafter(model, archive))
        graph = build_chat_graph(model, tools, checkpointer=InMemorySaver(), archive=archive)
        yield Chat(graph, archive)
