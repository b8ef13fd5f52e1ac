"""The end of a run as one answer, for clients that want no stream."""

from collections.abc import AsyncIterator, Sequence

from memory.records import Event
from server.errors import APIError
from server.schemas.chat import AnswerMessageOut, AnswerOut, NoticeOut


async def whole_answer(run_id: str, events: AsyncIterator[Sequence[Event]]) -> AnswerOut:
    """Follow a run to its end.

    Raises APIError 503 with the code of the run's error, 409 ``run_stopped`` for one that was
    stopped before it said anything.
    """
    message: AnswerMessageOut | None = None
    notices: list[NoticeOut] = []
    failure: Event | None = None
    async for together in events:
        for event in together:
            match event.name:
                case "message":
                    message = AnswerMessageOut.model_validate(event.data)
                case "notice":
                    notices.append(NoticeOut.model_validate(event.data))
                case "error":
                    failure = event
    if failure is not None:
        raise _failed(failure, run_id)
    if message is None:
        raise APIError(
            409, "run_stopped", "The run ended before it said anything.", details={"run_id": run_id}
        )
    return AnswerOut(run_id=run_id, message=message, notices=notices, usage=message.usage)


def _failed(event: Event, run_id: str) -> APIError:
    return APIError(503, event.data["code"], event.data["message"], details={"run_id": run_id})
