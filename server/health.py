"""Whether the server lives and whether it is ready."""

from fastapi import APIRouter, Request, Response

from memory.errors import Unavailable
from server.identity import LOCAL_USER
from server.opening import Opening
from server.schemas.health import AliveOut, ReadyOut

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Alive")
async def healthz() -> AliveOut:
    """Answers as soon as the process listens, whatever else is still opening."""
    return AliveOut()


@router.get(
    "/readyz",
    summary="Ready",
    responses={503: {"model": ReadyOut, "description": "Something is down or still opening"}},
)
async def readyz(request: Request, response: Response) -> ReadyOut:
    """Each dependency; 503 unless all are ok."""
    opening: Opening = request.app.state.opening
    if opening.state != "ok":
        return _not_ready(response, ReadyOut(status="not_ready", checks={"agent": opening.state}))
    resources = await opening.resources()
    try:
        await resources.rooms.page(LOCAL_USER, limit=1)
    except Unavailable:
        return _not_ready(
            response, ReadyOut(status="not_ready", checks={"agent": "ok", "storage": "down"})
        )
    return ReadyOut(status="ready", checks={"agent": "ok", "storage": "ok"})


def _not_ready(response: Response, ready: ReadyOut) -> ReadyOut:
    response.status_code = 503
    response.headers["Retry-After"] = "1"
    return ready
