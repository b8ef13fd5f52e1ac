"""A message to the agent: starts a run and follows it, as a stream or to its end."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.responses import Response

from server.answers import whole_answer
from server.asking import ask
from server.bodies import JSONRequest, JSONRoute
from server.errors import documented, request_id_of
from server.identity import CurrentUser, current_user, session_watch
from server.resources import AppResources, app_resources
from server.schemas.chat import AnswerOut, ChatIn, IdempotencyKey
from server.schemas.fields import MAX_ID, RoomId
from server.sse import CONTENT, EventStream


class ChatRoute(JSONRoute):
    """Reads an ordinary request by itself, at a fraction of what FastAPI's general way costs, by
    which every other goes.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        generally = APIRoute.get_route_handler(self)

        async def handle(request: Request) -> Response:
            request = JSONRequest(request, self.max_bytes)
            asked = _ordinary(request, await request.body() and await request.json())
            if asked is None:
                return await generally(request)
            resources = await app_resources(request)
            user = await current_user(request, resources)
            room_id = request.path_params["room_id"]
            answer = await chat(request, room_id, asked, user, resources)
            assert isinstance(answer, Response)  # noqa: S101 - asked for as a stream
            return answer

        return handle


def _ordinary(request: Request, body: object) -> ChatIn | None:
    """What a request asks that wants a stream and has no key, and in which nothing is wrong."""
    if "idempotency-key" in request.headers or len(request.path_params["room_id"]) > MAX_ID:
        return None
    try:
        asked = ChatIn.model_validate(body)
    except ValidationError:
        return None
    return asked if asked.stream else None


router = APIRouter(
    tags=["chat"], route_class=ChatRoute, responses=documented(404, 409, 413, 415, 429)
)


@router.post(
    "/api/rooms/{room_id}/chat",
    summary="Chat",
    response_model=AnswerOut,
    responses={200: {"content": CONTENT}},
)
async def chat(
    request: Request,
    room_id: RoomId,
    asked: ChatIn,
    user: CurrentUser,
    resources: AppResources,
    idempotency_key: IdempotencyKey = None,
) -> AnswerOut | Response:
    """Ask the agent. The run goes on if the client goes away; a room has one at a time."""
    run = await ask(
        resources,
        user,
        room_id,
        asked.message,
        tools=asked.tools,
        idempotency_key=idempotency_key,
        request_id=request_id_of(request),
    )
    events = resources.runs.follow(user, run.id)
    return (
        EventStream(events, session=session_watch(request, resources))
        if asked.stream
        else await whole_answer(run.id, events)
    )
