"""A message to the agent: starts a run and follows it, as a stream or to its end."""

from fastapi import APIRouter, Request
from starlette.responses import Response

from server.answers import whole_answer
from server.bodies import JSONRoute
from server.errors import documented, request_id_of
from server.identity import CurrentUser, session_watch
from server.resources import AppResources
from server.schemas.chat import AnswerOut, ChatIn, IdempotencyKey
from server.schemas.fields import RoomId
from server.sse import CONTENT, EventStream

router = APIRouter(
    tags=["chat"], route_class=JSONRoute, responses=documented(404, 409, 413, 415, 429)
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
    await resources.rate_limits.spend_by_user("chat", user)
    await resources.accounting.admit(user)
    run = await resources.turns.start(
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
