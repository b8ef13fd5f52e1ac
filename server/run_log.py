"""What the log tells of a run: its ids on every line within it, and one line at its end."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from memory.events import ERROR, MESSAGE, NOTICE
from memory.records import Run, Status
from memory.runs import Emit, Work
from server.context import request_id_now, run_id_now, uid_now
from server.metrics import LIMITS

log = logging.getLogger("tomato.runs")


def logged(run: Run, work: Work) -> Work:
    """``work`` under the ids of its run, told when it has ended."""
    request_id = request_id_now.get()
    run_id_now.set(run.id)  # for the line of the request that begins it

    async def carry_out(emit: Emit) -> Status:
        request_id_now.set(request_id)
        run_id_now.set(run.id)
        uid_now.set(run.owner)
        extra: dict[str, Any] = {"room_id": run.room_id}

        def heard(name: str, data: Mapping[str, Any]) -> None:
            if name == NOTICE and data["kind"] in LIMITS:
                extra["ended_by"] = data["kind"]
            elif name == ERROR:
                extra["code"] = data["code"]
            elif name == MESSAGE:
                extra.update(data["usage"] or {})
            emit(name, data)

        began = time.perf_counter()
        end: Status = "failed"
        try:
            end = await work(heard)
        except asyncio.CancelledError:
            end = "stopped"
            raise
        finally:
            extra |= {"end": end, "ms": round((time.perf_counter() - began) * 1000, 1)}
            log.log(logging.WARNING if end == "failed" else logging.INFO, "ended", extra=extra)
        return end

    return carry_out
