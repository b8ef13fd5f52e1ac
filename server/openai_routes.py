"""OpenAI's chat interface over the same rooms and runs, for clients that speak no other.

A conversation comes whole with each call. In a room (`X-Room-ID`) its last message alone counts,
for the room remembers; else it becomes a room of its own that is in no list and goes after a day.
"""

import time
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from server.answers import whole_answer
from server.asking import ask
from server.bodies import JSONRoute
from server.errors import APIError, documented, request_id_of
from server.identity import CurrentUser, session_watch
from server.openai_chunks import Chunks, usage_of
from server.resources import AppResources
from server.schemas.chat import IdempotencyKey
from server.schemas.fields import MAX_MESSAGE
from server.schemas.openai import (
    MODEL,
    ChoiceOut,
    CompletionIn,
    CompletionMessageOut,
    CompletionOut,
    ModelOut,
    ModelsOut,
)
from server.sse import EventStream

router = APIRouter(
    prefix="/v1",
    tags=["openai"],
    route_class=JSONRoute,
    responses=documented(404, 409, 413, 415, 429),
)

RoomHeader = Annotated[
    str | None,
    Header(alias="X-Room-ID", description="The room to go on in.", min_length=1, max_length=100),
]


@router.get("/models", summary="Models")
async def models(user: CurrentUser) -> ModelsOut:
    """The agent, as the one model there is."""
    return ModelsOut(data=[ModelOut()])


@router.post(
    "/chat/completions",
    summary="Chat as with OpenAI",
    response_model=CompletionOut,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
)
async def complete(
    request: Request,
    response: Response,
    asked: CompletionIn,
    user: CurrentUser,
    resources: AppResources,
    room_id: RoomHeader = None,
    idempotency_key: IdempotencyKey = None,
) -> CompletionOut | Response:
    """Ask the agent; what it does with its tools stays inside. The answer names its room."""
    if asked.model != MODEL:
        raise APIError(404, "model_not_found", f"There is one model: {MODEL}.")
    question = _question(asked, alone=room_id is None)
    run = await ask(
        resources,
        user,
        room_id,
        question,
        idempotency_key=idempotency_key,
        request_id=request_id_of(request),
    )
    events, created = resources.runs.follow(user, run.id), int(time.time())
    if asked.stream:
        usage = bool(asked.stream_options and asked.stream_options.include_usage)
        stream = EventStream(
            events,
            session=session_watch(request, resources),
            encode=Chunks(run.id, created, usage=usage),
        )
        stream.headers["X-Room-ID"] = run.room_id
        return stream
    answer = await whole_answer(run.id, events)
    response.headers["X-Room-ID"] = run.room_id
    said = CompletionMessageOut(content=answer.message.content)
    counted = usage_of(answer.usage.model_dump() if answer.usage else None)
    return CompletionOut(
        id=run.id, created=created, choices=[ChoiceOut(message=said)], usage=counted
    )


def _question(asked: CompletionIn, *, alone: bool) -> str:
    """The last message, after what was said before it where no room remembers that."""
    last = asked.messages[-1]
    if last.role != "user" or not last.text.strip() or len(last.text) > MAX_MESSAGE:
        raise APIError(
            422,
            "invalid_field",
            f"messages: the last must be the user's, of 1 to {MAX_MESSAGE:,} characters",
            details={"field": "messages"},
        )
    before = [
        f"{one.role}: {one.text.strip()}"
        for one in asked.messages[:-1]
        if one.role in ("system", "developer", "user", "assistant") and one.text.strip()
    ]
    return _after(before, last.text) if alone and before else last.text


def _after(before: list[str], question: str) -> str:
    """The question under as much of what was said before as fits, the newest first to stay."""
    frame = "<conversation>\n{}\n</conversation>\n\n"
    left = MAX_MESSAGE - len(question) - len(frame)
    kept: list[str] = []
    for said in reversed(before):
        left -= len(said) + 2
        if left < 0:
            break
        kept.append(said)
    return frame.replace("{}", "\n\n".join(kept[::-1])) + question if kept else question
