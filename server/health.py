"""Whether the server lives and whether it is ready."""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from memory.errors import Unavailable
from server.opening import Opening, State
from server.resources import AppResources
from server.schemas.health import AliveOut, ReadyOut
from server.stores import Check

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Alive")
async def healthz() -> AliveOut:
    """Answers as soon as the process listens, whatever else is still opening."""
    return AliveOut()


@router.get("/metrics", summary="Metrics", response_class=PlainTextResponse)
async def metrics(resources: AppResources) -> Response:
    """For Prometheus, in its text format; no names, no content."""
    counted = resources.metrics
    return Response(counted.exposition(), media_type=counted.content_type)


@router.get(
    "/readyz",
    summary="Ready",
    responses={503: {"model": ReadyOut, "description": "Something is down or still opening"}},
)
async def readyz(request: Request, response: Response) -> ReadyOut:
    """Each dependency; 503 unless all are ok."""
    opening: Opening = request.app.state.opening
    checks: dict[str, State] = {"agent": opening.state}
    if opening.state == "ok":
        asked = (await opening.resources()).checks
        states = await asyncio.gather(*map(_state, asked.values()))
        checks.update(zip(asked, states, strict=True))
    if set(checks.values()) == {"ok"}:
        return ReadyOut(status="ready", checks=checks)
    response.status_code = 503
    response.headers["Retry-After"] = "1"
    return ReadyOut(status="not_ready", checks=checks)


async def _state(check: Check) -> State:
    try:
        await check()
    except Unavailable:
        return "down"
    return "ok"
