"""The end of a run as one answer, for clients that want no stream."""

from collections.abc import AsyncIterator, Sequence

from memory.records import Event
from server.errors import APIError
from server.schemas.chat import AnswerMessageOut, AnswerOut, NoticeOut


async def whole_answer(run_id: str, events: AsyncIterator[Sequence[Event]]) -> AnswerOut:
    """Follow a run to its end.

    Raises APIError 503 with the code of the run's error; for one that ended before, without an
    answer that is there, 409 ``run_stopped`` or ``run_failed``, 404 ``message_not_found``.
    """
    message: AnswerMessageOut | None = None
    notices: list[NoticeOut] = []
    failure: Event | None = None
    status: str | None = None
    async for together in events:
        for event in together:
            match event.name:
                case "message":
                    message = AnswerMessageOut.model_validate(event.data)
                case "notice":
                    notices.append(NoticeOut.model_validate(event.data))
                case "error":
                    failure = event
                case "done":
                    status = event.data.get("status")
    if failure is not None:
        raise _failed(failure, run_id)
    if message is None:
        raise _absent(status, run_id)
    return AnswerOut(run_id=run_id, message=message, notices=notices, usage=message.usage)


def _failed(event: Event, run_id: str) -> APIError:
    return APIError(503, event.data["code"], event.data["message"], details={"run_id": run_id})


def _absent(status: str | None, run_id: str) -> APIError:
    """Why a run that ended, maybe long ago, has no answer."""
    match status:
        case "complete":
            told = (404, "message_not_found", "The answer of this run was deleted.")
        case "stopped":
            told = (409, "run_stopped", "The run was stopped before it said anything.")
        case _:
            told = (409, "run_failed", "The run failed before it said anything. Ask anew.")
    return APIError(*told, details={"run_id": run_id})
