"""LangServe's routes and playgrounds: the only file that knows LangServe.

They do what the REST routes do, for the same user and within the same bounds; nothing that a
client sends as a configuration counts.
"""

import warnings
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import ConfigDict, Field, ValidationError
from pydantic.json_schema import SkipJsonSchema

from memory.events import ERROR, TOKEN, TOOL_START
from server.archive import draft_out
from server.errors import APIError, add_error_handlers
from server.identity import current_user
from server.resources import Resources
from server.schemas.archive import DraftIn, DraftOut, NoDraftOut, Plain
from server.schemas.chat import ToolName
from server.schemas.fields import In, Out, Text

MOST_MESSAGES = 200

Handler = Callable[..., Any]

_asking: ContextVar[str] = ContextVar("asking")
"""Who asks, for as long as a request lasts: LangServe's batch drops what is put into its config."""


def _without_default(schema: dict[str, Any]) -> None:
    """The playground can't draw a field that may be null; one that may be absent it can."""
    schema.pop("default", None)


def _open(schema: dict[str, Any]) -> None:
    """Let the schema allow what it does not draw."""
    schema.pop("additionalProperties", None)


class AgentIn(In):
    """A message to the agent, in a room of its own unless one is named.

    `tools` may name the tools to use: an empty list is none, without it all are. The playground
    can leave no list away, so that it is not among the fields that are drawn.
    """

    model_config = ConfigDict(json_schema_extra=_open)

    message: Text = Field(description="1..32,000 characters.")
    room_id: Annotated[str, Field(max_length=64)] | SkipJsonSchema[None] = Field(
        None, description="The room to go on in.", json_schema_extra=_without_default
    )
    tools: SkipJsonSchema[Annotated[list[ToolName], Field(max_length=100)] | None] = None


class DraftAsked(DraftIn):
    """A content to draft for."""

    category: Plain | SkipJsonSchema[None] = Field(
        None,
        description="A category of the person's choice.",
        json_schema_extra=_without_default,
    )


class SaidIn(In):
    """What one side said."""

    role: str = Field(description="`user` or `assistant`.", pattern="^(user|assistant)$")
    content: Text = Field(description="Its text.")


class TitleIn(In):
    """A conversation, oldest message first."""

    conversation: list[SaidIn] = Field(description="Its messages.", max_length=MOST_MESSAGES)


class SummaryIn(TitleIn):
    """A conversation and the summary of what came before it."""

    summary: Text | SkipJsonSchema[None] = Field(
        None, description="The summary so far.", json_schema_extra=_without_default
    )


class TitleMadeOut(Out):
    """The title, if one could be made."""

    title: str | None = Field(description="At most 40 characters, on one line.")


class SummaryMadeOut(Out):
    """The new summary."""

    summary: str | None = Field(description="Null if the old one stays.")


class Runnables:
    """What each path runs, over the open resources."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources

    async def agent_config(self, config: dict[str, Any], request: Request) -> dict[str, Any]:
        """The asking user; a room or tool that is not there is refused before a stream begins."""
        config = await _user_config(config, request)
        for one in _inputs(await request.json() if request.method == "POST" else {}):
            try:
                asked = AgentIn.model_validate(one)
            except ValidationError as error:
                raise RequestValidationError(error.errors(include_url=False)) from error
            self._resources.turns.check_tools(asked.tools)
            if asked.room_id is not None:
                await self._resources.rooms.get(_asking.get(), asked.room_id)
        return config

    async def agent(self, given: Any) -> AsyncIterator[str]:
        """Ask the agent; its answer's text, piece by piece."""
        asked, user = AgentIn.model_validate(given), _asking.get()
        room_id = asked.room_id
        if room_id is None:
            room_id = (await self._resources.rooms.create(user, listed=False)).id
        run = await self._resources.turns.start(user, room_id, asked.message, tools=asked.tools)
        spoken = False
        async for event in self._resources.runs.follow(user, run.id):
            if event.name == TOKEN:
                spoken = True
                yield event.data["text"]
            elif event.name == TOOL_START and spoken:
                spoken = False
                yield "\n\n"
            elif event.name == ERROR:
                raise APIError(503, event.data["code"], event.data["message"])

    async def draft(self, given: Any) -> dict[str, Any]:
        """A label and a category for a content; nothing is stored."""
        new = DraftIn.model_validate(given)
        made = await self._resources.drafter.draft(_asking.get(), new.content, new.category)
        return draft_out(made).model_dump()

    async def title(self, given: Any) -> dict[str, Any]:
        """A title for a conversation."""
        asked = TitleIn.model_validate(given)
        made = await self._resources.graphs.title.ainvoke({"conversation": _said(asked)})
        return TitleMadeOut(title=made.get("title")).model_dump()

    async def summary(self, given: Any) -> dict[str, Any]:
        """A rolling summary of a conversation."""
        asked = SummaryIn.model_validate(given)
        made = await self._resources.graphs.summary.ainvoke(
            {"summary": asked.summary, "conversation": _said(asked)}
        )
        return SummaryMadeOut(summary=made.get("summary")).model_dump()


def build_langserve_app(state: Any, resources: Resources) -> FastAPI:
    """An application with LangServe's routes alone; ``state`` is that of the one it belongs to."""
    with warnings.catch_warnings():
        # The last release of LangServe was made for older versions of what it stands on.
        warnings.simplefilter("ignore")
        from langserve import add_routes

        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        app.state = state
        add_error_handlers(app)
        runnables = Runnables(resources)
        served: Sequence[tuple[str, Handler, type[In], Any, Any]] = (
            ("/agent", runnables.agent, AgentIn, str, runnables.agent_config),
            ("/draft", runnables.draft, DraftAsked, DraftOut | NoDraftOut, _user_config),
            ("/title", runnables.title, TitleIn, TitleMadeOut, _user_config),
            ("/summary", runnables.summary, SummaryIn, SummaryMadeOut, _user_config),
        )
        for path, handler, asked, answer, modifier in served:
            runnable: Runnable[Any, Any] = RunnableLambda(handler, name=path[1:])
            add_routes(
                app,
                runnable.with_types(input_type=asked, output_type=answer),
                path=path,
                config_keys=(),
                per_req_config_modifier=modifier,
            )
    return app


def _inputs(sent: Any) -> list[Any]:
    """The inputs of a call or of a batch of calls; what is neither is LangServe's to refuse."""
    if not isinstance(sent, dict):
        return []
    several = sent.get("inputs", [])
    return several if isinstance(several, list) and "input" not in sent else [sent.get("input")]


async def _user_config(config: dict[str, Any], request: Request) -> dict[str, Any]:
    _asking.set(await current_user(request))
    return config


def _said(asked: TitleIn) -> list[Any]:
    return [said.model_dump() for said in asked.conversation]
