"""Runs seen again: the rest of their events, and stopping them."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response

from server.errors import documented
from server.identity import CurrentUser, OwnedRun, session_watch
from server.resources import AppResources
from server.schemas.chat import RunOut
from server.sse import CONTENT, EventStream

MAX_EVENT = 2**53

router = APIRouter(prefix="/api/runs/{run_id}", tags=["runs"], responses=documented(404))

LastEventId = Annotated[
    int | None,
    Header(description="Only events after this id; browsers send it.", ge=0, le=MAX_EVENT),
]
After = Annotated[
    int, Query(description="The same, for clients that can't set headers.", ge=0, le=MAX_EVENT)
]


@router.get(
    "/events",
    summary="Follow a run",
    response_class=Response,
    responses={200: {"content": CONTENT}},
)
async def follow(
    request: Request,
    run: OwnedRun,
    user: CurrentUser,
    resources: AppResources,
    last_event_id: LastEventId = None,
    after: After = 0,
) -> Response:
    """The rest of the events, live or kept; never runs anything again."""
    seen = after if last_event_id is None else last_event_id
    events = resources.runs.follow(user, run.id, after=seen)
    return EventStream(events, session=session_watch(request, resources))


@router.post("/cancel", summary="Cancel a run", status_code=202)
async def cancel(run: OwnedRun, user: CurrentUser, resources: AppResources) -> RunOut:
    """Stop it soon; what was said so far is stored as `stopped`. An ended run stays as it is."""
    await resources.runs.cancel(user, run.id)
    return RunOut(run_id=run.id, status=run.status)
