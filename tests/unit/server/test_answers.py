"""A run's events as one answer."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest

from memory.records import Event
from server.answers import whole_answer
from server.errors import APIError

MESSAGE = {"key": "t00000001-0001", "content": "네", "status": "complete", "usage": None}
NOTICE = {"kind": "step_limit", "detail": "The limit of 8 model calls was reached."}
ERROR = {"code": "model_unavailable", "message": "Try again.", "request_id": "r"}


async def stream(*events: tuple[str, Mapping[str, Any]]) -> AsyncIterator[Sequence[Event]]:
    for number, (name, data) in enumerate(events, 1):
        yield [Event(number, name, data)]


async def test_the_answer_holds_the_message_and_the_notices() -> None:
    answer = await whole_answer(
        "run_1",
        stream(
            ("run", {}),
            ("token", {"text": "네"}),
            ("notice", NOTICE),
            ("message", {**MESSAGE, "usage": {"input_tokens": 3, "output_tokens": 1}}),
            ("done", {"status": "complete"}),
        ),
    )
    assert answer.message.content == "네"
    assert [notice.kind for notice in answer.notices] == ["step_limit"]
    assert answer.usage is not None
    assert answer.usage.input_tokens == 3


async def test_a_failed_run_is_an_error_with_its_code() -> None:
    with pytest.raises(APIError) as failed:
        await whole_answer("run_1", stream(("error", ERROR), ("message", MESSAGE), ("done", {})))
    assert (failed.value.status_code, failed.value.code) == (503, "model_unavailable")
    assert failed.value.details == {"run_id": "run_1"}


async def test_a_run_stopped_before_it_spoke_is_a_conflict() -> None:
    with pytest.raises(APIError) as stopped:
        await whole_answer("run_1", stream(("run", {}), ("done", {"status": "stopped"})))
    assert (stopped.value.status_code, stopped.value.code) == (409, "run_stopped")


async def test_a_run_without_an_answer_is_told_of_as_it_ended() -> None:
    with pytest.raises(APIError) as deleted:
        await whole_answer("run_1", stream(("done", {"status": "complete"})))
    assert (deleted.value.status_code, deleted.value.code) == (404, "message_not_found")
    with pytest.raises(APIError) as failed:
        await whole_answer("run_1", stream(("done", {"status": "failed"})))
    assert (failed.value.status_code, failed.value.code) == (409, "run_failed")
    assert deleted.value.details == failed.value.details == {"run_id": "run_1"}
