"""Whether the server lives and whether it is ready, and how old the last good backup is."""

import asyncio

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from memory.errors import Unavailable
from memory.last_backup import is_late
from memory.times import now
from server.opening import Opening, State
from server.resources import AppResources, Resources
from server.schemas.health import AliveOut, BackupOut, ReadyOut
from server.stores import Check

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Alive")
async def healthz() -> AliveOut:
    """Answers as soon as the process listens, whatever else is still opening."""
    return AliveOut()


@router.get("/metrics", summary="Metrics", response_class=PlainTextResponse)
async def metrics(resources: AppResources) -> Response:
    """For Prometheus, in its text format; no names, no content."""
    counted, backup = resources.metrics, await _backup(resources)
    counted.backed_up(backup.age_seconds, late=backup.late)
    return Response(counted.exposition(), media_type=counted.content_type)


@router.get(
    "/readyz",
    summary="Ready",
    responses={503: {"model": ReadyOut, "description": "Something is down or still opening"}},
)
async def readyz(request: Request, response: Response) -> ReadyOut:
    """Each dependency; 503 unless all are ok. A late backup is told, and is no reason for it."""
    opening: Opening = request.app.state.opening
    checks: dict[str, State] = {"agent": opening.state}
    backup = None
    if opening.state == "ok":
        resources = await opening.resources()
        asked = resources.checks
        states = await asyncio.gather(*map(_state, asked.values()))
        checks.update(zip(asked, states, strict=True))
        backup = await _backup(resources)
    if set(checks.values()) == {"ok"}:
        return ReadyOut(status="ready", checks=checks, backup=backup)
    response.status_code = 503
    response.headers["Retry-After"] = "1"
    return ReadyOut(status="not_ready", checks=checks, backup=backup)


async def _state(check: Check) -> State:
    try:
        await check()
    except Unavailable:
        return "down"
    return "ok"


async def _backup(resources: Resources) -> BackupOut:
    made_at = await resources.last_good.made_at()
    moment = now()
    age = moment - made_at if made_at else None
    return BackupOut(
        made_at=made_at,
        age_seconds=int(age.total_seconds()) if age is not None else None,
        late=resources.settings.backup_at is not None and is_late(made_at, moment),
    )
