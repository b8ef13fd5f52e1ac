"""When a model is asked again, and what reaches the listener, with models that need no socket."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import cast

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage

from graphs.model_calls import TRIES, Model, pause_after, stream_model
from graphs.model_errors import (
    ModelBroken,
    ModelError,
    ModelRateLimited,
    ModelRefused,
    ModelUnavailable,
)

Step = AIMessageChunk | BaseException
FIRST = AIMessageChunk(content="", response_metadata={"model_provider": "openai"})
END = AIMessageChunk(content="", response_metadata={"finish_reason": "stop"})
CALL = AIMessageChunk(
    content="",
    tool_call_chunks=[{"name": "t", "args": "", "id": "1", "index": 0, "type": "tool_call_chunk"}],
)


class Scripted:
    """Says the next of its scripts at each call."""

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self._scripts = list(scripts)
        self.calls = 0

    async def astream(self, messages: object) -> AsyncIterator[AIMessageChunk]:
        self.calls += 1
        for step in self._scripts[min(self.calls, len(self._scripts)) - 1]:
            if isinstance(step, BaseException):
                raise step
            yield step


async def listen(model: Scripted, heard: list[str]) -> None:
    deadline = asyncio.get_running_loop().time() + 60
    asked = cast("Model", model)
    said = [HumanMessage("안녕")]
    stream = stream_model(asked, said, deadline=deadline, first_pause=0.0)
    heard.extend([str(chunk.text) async for chunk in stream])


def test_pauses_grow_unless_the_server_says_how_long() -> None:
    pauses = [pause_after(ModelUnavailable(), attempt, 1.0) or 0 for attempt in (1, 2, 3)]
    assert 0.75 <= pauses[0] <= 1.25 < pauses[1] <= 2.5 < pauses[2] <= 5
    assert pause_after(ModelRateLimited(9.0), 2, 1.0) == 9.0


@pytest.mark.parametrize(
    ("error", "tries"),
    [
        (ModelUnavailable(), TRIES),
        (ModelUnavailable(61.0), 1),
        (ModelRateLimited(0.0), TRIES),
        (ModelRateLimited(61.0), 1),
        (ModelRefused(), 1),
        (ModelBroken(), 1),
    ],
    ids=repr,
)
async def test_only_what_may_pass_is_tried_again(error: ModelError, tries: int) -> None:
    model = Scripted([error])
    with pytest.raises(type(error)):
        await listen(model, [])
    assert model.calls == tries


@pytest.mark.parametrize("first", [AIMessageChunk(content="말"), CALL], ids=["text", "a tool call"])
async def test_nothing_is_tried_again_once_it_has_begun(first: AIMessageChunk) -> None:
    model = Scripted([FIRST, first, ModelUnavailable()])
    with pytest.raises(ModelBroken):
        await listen(model, [])
    assert model.calls == 1


async def test_an_opening_without_words_is_no_beginning() -> None:
    model = Scripted([FIRST, ModelUnavailable()], [FIRST, AIMessageChunk(content="네"), END])
    heard: list[str] = []
    await listen(model, heard)
    assert "".join(heard) == "네"


async def test_a_stream_that_ends_without_a_reason_is_not_whole() -> None:
    model = Scripted([FIRST], [FIRST, AIMessageChunk(content="반"), END, FIRST])
    heard: list[str] = []
    await listen(model, heard)
    assert model.calls == 2
    assert "".join(heard) == "반"


@pytest.mark.parametrize("error", [KeyError("x"), AttributeError("x"), ValueError("x")], ids=repr)
async def test_an_unknown_error_is_mapped_and_logged(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ModelBroken) as raised:
        await listen(Scripted([error]), [])
    assert raised.value.__cause__ is error
    assert type(error).__name__ in caplog.text


async def test_a_cancellation_is_passed_on() -> None:
    model = Scripted([asyncio.CancelledError()])
    with pytest.raises(asyncio.CancelledError):
        await listen(model, [])
    assert model.calls == 1


async def test_a_library_s_own_time_out_is_not_the_deadline() -> None:
    model = Scripted([TimeoutError()])
    with pytest.raises(ModelUnavailable):
        await listen(model, [])
    assert model.calls == TRIES
