"""LangServe's routes and playgrounds: the only file that knows LangServe.

They do what the REST routes do, for the same user and within the same bounds; nothing that a
client sends as a configuration counts.
"""

import asyncio
import logging
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Annotated, Any, cast

import orjson
from fastapi import FastAPI, HTTPException, Request
from fastapi.routing import APIRoute
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langserve import CustomUserType, add_routes
from pydantic import ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from sse_starlette import EventSourceResponse
from starlette.responses import Response

from graphs.model_errors import ModelError
from graphs.title import Said
from memory.errors import Invalid, StoreError
from memory.events import ERROR, MESSAGE, TOKEN, TOOL_START
from memory.records import Event
from server.archive import draft_entry
from server.asking import ask
from server.errors import APIError, add_error_handlers, request_id_of, status_of
from server.identity import current_user
from server.resources import Resources
from server.schemas.archive import DraftIn, DuplicateOut, Plain
from server.schemas.chat import ToolName
from server.schemas.fields import In, Out, Text

MOST_INPUTS = 16
"""How many inputs a batch may have."""

MOST_MESSAGES = 200
"""How long a conversation may be."""

ENDPOINTS: Sequence[Any] = (
    "invoke",
    "batch",
    "stream",
    "stream_log",  # what the playground listens to
    "stream_events",
    "input_schema",
    "output_schema",
    "playground",
)

# The playground's page has its own scripts and makes validators out of schemas while it runs.
PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval';"
    " style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
)

_PAGE_FILES = "/playground/{file_path:path}"
_ASKED = "__asked"  # langchain keeps such names out of what it tells of a run

log = logging.getLogger("tomato.server")


def _absent(value: object) -> bool:
    return value is None


def _without_default(schema: dict[str, Any]) -> None:
    """The playground can't draw a field that may be null; one that may be absent it can."""
    schema.pop("default", None)


def _open(schema: dict[str, Any]) -> None:
    """Let the schema allow what it does not draw."""
    schema.pop("additionalProperties", None)


class AgentIn(In, CustomUserType):
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


class DraftAsked(DraftIn, CustomUserType):
    """A content to draft a label and a category for; nothing is stored."""

    category: Plain | SkipJsonSchema[None] = Field(
        None,
        description="A category of the person's choice.",
        json_schema_extra=_without_default,
    )


class SaidIn(In):
    """What one side said."""

    role: str = Field(description="`user` or `assistant`.", pattern="^(user|assistant)$")
    content: Text = Field(description="Its text.")


class TitleIn(In, CustomUserType):
    """A conversation, oldest message first."""

    conversation: list[SaidIn] = Field(description="Its messages.", max_length=MOST_MESSAGES)


class SummaryIn(TitleIn):
    """A conversation and the summary of what came before it."""

    summary: Text | SkipJsonSchema[None] = Field(
        None, description="The summary so far.", json_schema_extra=_without_default
    )


class DraftMadeOut(Out):
    """A label and a category, or the reason why there is none; LangServe takes no union."""

    summarizable: bool = Field(description="Whether there is something to label.")
    summary: str | None = Field(None, description="A label.", exclude_if=_absent)
    category: str | None = Field(None, description="A category.", exclude_if=_absent)
    duplicates: list[DuplicateOut] | None = Field(
        None, description="What is there already.", exclude_if=_absent
    )
    reason: str | None = Field(None, description="Why there is no draft.", exclude_if=_absent)


class TitleOut(Out):
    """A title."""

    title: str | None = Field(description="One line; null if none could be made.")


class SummaryOut(Out):
    """A summary."""

    summary: str | None = Field(description="The new summary; null if the old one stays.")


Pieces = AsyncIterator[Any]
Begin = Callable[["Asked", Any], Awaitable[Pieces]]


@dataclass(slots=True)
class Asked:
    """One request: who asks, and what was begun for it before its answer starts."""

    user: str
    request_id: str
    resources: Resources
    context: Context
    begun: Pieces | None = None


async def ask_agent(asked: Asked, given: AgentIn) -> Pieces:
    """Start a turn; the pieces are its answer's text."""
    run = await ask(
        asked.resources,
        asked.user,
        given.room_id,
        given.message,
        tools=given.tools,
        request_id=asked.request_id,
    )
    return _text(asked.resources.runs.follow(asked.user, run.id))


async def draft(asked: Asked, given: DraftAsked) -> Pieces:
    """Make a label and a category; nothing is stored."""
    made = await draft_entry(given, asked.user, asked.resources)
    return _one(DraftMadeOut.model_validate(made))


async def title(asked: Asked, given: TitleIn) -> Pieces:
    """Make a title."""
    made = await asked.resources.graphs.title.ainvoke({"conversation": _said(given)})
    return _one(TitleOut(title=made.get("title")))


async def summarize(asked: Asked, given: SummaryIn) -> Pieces:
    """Fold messages into a summary."""
    made = await asked.resources.graphs.summary.ainvoke(
        {"summary": given.summary, "conversation": _said(given)}
    )
    return _one(SummaryOut(summary=made.get("summary")))


ROUTES: Sequence[tuple[str, type[In], Any, Begin]] = (
    ("/agent", AgentIn, str, ask_agent),
    ("/draft", DraftAsked, DraftMadeOut, draft),
    ("/title", TitleIn, TitleOut, title),
    ("/summary", SummaryIn, SummaryOut, summarize),
)


def build_langserve_app(state: Any, resources: Resources) -> FastAPI:
    """An application with LangServe's routes alone; ``state`` is that of the one it belongs to."""
    # The playground needs the method, whose replacement LangServe's last release does not know.
    warnings.filterwarnings("ignore", "astream_log is deprecated")
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.state = state
    app.router.route_class = LangServeRoute
    add_error_handlers(app)
    for path, model, output, begin in ROUTES:
        add_routes(
            app,
            _runnable(model, begin).with_types(input_type=model, output_type=output),
            path=path,
            # A batch keeps nothing but these of what the modifier makes. Nothing that a client
            # sends for it is among it: the modifier makes it anew.
            config_keys=("configurable",),
            per_req_config_modifier=_modifier(resources, model, begin),
            enabled_endpoints=ENDPOINTS,
            enable_feedback_endpoint=False,
            enable_public_trace_link_endpoint=False,
        )
    return app


def _runnable(model: type[In], begin: Begin) -> Runnable[Any, Any]:
    async def answer(given: Any, config: RunnableConfig) -> AsyncIterator[Any]:
        asked: Asked = config["configurable"][_ASKED]
        pieces = asked.begun or await _apart(asked, begin(asked, model.model_validate(given)))
        async for piece in pieces:
            yield piece

    return RunnableLambda(answer)


async def _apart(asked: Asked, beginning: Awaitable[Pieces]) -> Pieces:
    """Begin outside of the runnable: within it, a run's own events would be the client's too."""
    coroutine = cast("Coroutine[Any, Any, Pieces]", beginning)
    return await asyncio.create_task(coroutine, context=asked.context.copy())


def _modifier(
    resources: Resources, model: type[In], begin: Begin
) -> Callable[[dict[str, Any], Request], Awaitable[dict[str, Any]]]:
    """What LangServe calls before each answer: all that can be refused is refused here."""

    async def modify(config: dict[str, Any], request: Request) -> dict[str, Any]:
        user = await current_user(request, resources)
        asked = Asked(user, request_id_of(request), resources, copy_context())
        body, endpoint = await request.json(), request.url.path.rpartition("/")[2]
        if endpoint == "batch":
            await _check_batch(asked, model, body["inputs"])
        elif endpoint.startswith("stream"):
            # Once a stream has begun there is no status to tell a refusal with.
            _check_names(body)
            asked.begun = await begin(asked, model.model_validate(body["input"]))
        return {"configurable": {_ASKED: asked}}

    return modify


async def _check_batch(asked: Asked, model: type[In], inputs: object) -> None:
    """All of a batch or nothing of it."""
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= MOST_INPUTS:
        raise Invalid.field("inputs", f"it must be a list of 1 to {MOST_INPUTS}")
    checked = [model.model_validate(one) for one in inputs]
    rooms = [one.room_id for one in checked if isinstance(one, AgentIn) and one.room_id]
    if len(set(rooms)) < len(rooms):
        raise Invalid.field("inputs", "a room takes one message at a time")
    for room_id in rooms:
        await asked.resources.rooms.get(asked.user, room_id)


def _check_names(body: dict[str, Any]) -> None:
    """What streams of events may be narrowed by: lists of names, if anything."""
    for kind in ("names", "types", "tags"):
        for field in (f"include_{kind}", f"exclude_{kind}"):
            names = body.get(field) or []
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise Invalid.field(field, "it must be a list of names")


Handle = Callable[[Request], Coroutine[Any, Any, Response]]


def _of_files(handle: Handle) -> Handle:
    """LangServe opens what an address names, whatever it names: what is no file is not there."""

    async def handle_files(request: Request) -> Response:
        try:
            response = await handle(request)
        except (OSError, ValueError) as error:
            raise HTTPException(404) from error
        if response.status_code == 404:
            raise HTTPException(404)
        return response

    return handle_files


class LangServeRoute(APIRoute):
    """A route of LangServe: its streams end in our words, its pages load nothing from afar."""

    def get_route_handler(self) -> Handle:
        handle = super().get_route_handler()
        if self.path.endswith(_PAGE_FILES):
            handle = _of_files(handle)

        async def handle_in_our_words(request: Request) -> Response:
            response = await handle(request)
            if isinstance(response, EventSourceResponse):
                events = cast("AsyncIterator[dict[str, Any]]", response.body_iterator)
                response.body_iterator = _in_our_words(events, request_id_of(request))
            elif response.headers.get("content-type", "").startswith("text/html"):
                response.headers["Content-Security-Policy"] = PAGE_POLICY
            return response

        return handle_in_our_words


async def _in_our_words(events: AsyncIterator[dict[str, Any]], request_id: str) -> Pieces:
    """The events of a stream; an error as one of its own, in the form that all errors have."""
    try:
        async for event in events:
            if event.get("event") != "error":  # LangServe's word for any; ours comes below
                yield event
    except (StoreError, ModelError, APIError) as error:
        log.warning("%s", error.code)
        yield {"event": "error", "data": _error(error, request_id)}
    finally:
        with suppress(RuntimeError):  # it answers to being closed with one more event
            await cast("Any", events).aclose()


def _error(error: StoreError | ModelError | APIError, request_id: str) -> str:
    status = status_of(error) if isinstance(error, StoreError) else 503
    told = {"code": error.code, "message": str(error), "request_id": request_id}
    if isinstance(error, APIError):
        told["message"] = error.message
    data = {"status_code": status, "message": told["message"], "error": told}
    return orjson.dumps(data).decode()


async def _text(followed: AsyncIterator[Sequence[Event]]) -> AsyncIterator[str]:
    """What the agent says, as it says it."""
    spoken, gap = False, False
    async for event in _singly(followed):
        if event.name == TOKEN:
            yield ("\n\n" if gap else "") + str(event.data["text"])
            spoken, gap = True, False
        elif event.name == TOOL_START:
            gap = spoken
        elif event.name == MESSAGE and not spoken:
            yield str(event.data["content"])
        elif event.name == ERROR:
            raise APIError(503, event.data["code"], event.data["message"])


async def _singly(followed: AsyncIterator[Sequence[Event]]) -> AsyncIterator[Event]:
    async for events in followed:
        for event in events:
            yield event


async def _one(answer: Out) -> AsyncIterator[Any]:
    yield answer.model_dump(mode="json")


def _said(given: TitleIn) -> list[Said]:
    return [{"role": said.role, "content": said.content} for said in given.conversation]
