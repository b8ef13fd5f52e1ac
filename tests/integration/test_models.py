"""The real OpenAI client over a real port: what it sends, what comes back, how it fails."""

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, HumanMessage
from langchain_core.tools import tool
from pydantic import BaseModel, Field, SecretStr

from graphs.model_calls import TRIES, stream_model
from graphs.model_errors import (
    ModelBroken,
    ModelError,
    ModelRateLimited,
    ModelRefused,
    ModelUnavailable,
)
from graphs.reply import Reply as Heard
from server.models import ModelSpec, build_chat_model, close_chat_model
from tests.services import openai_wire as wire
from tests.services.openai_server import Call, OpenAIServer, Reply

PATIENCE = 30.0
KOREAN = "안녕하세요, 토마토입니다. 무엇을 도와드릴까요? 🍅"
QUESTION = [HumanMessage("어제 저장한 메모를 찾아줘")]


@tool
def archive_search(query: str, limit: int = 5) -> str:
    """Search the archive."""
    return f"{query} {limit}"


@pytest.fixture
async def model(openai_server: OpenAIServer) -> AsyncIterator[BaseChatModel]:
    model = model_of(openai_server.base_url)
    yield model
    await close_chat_model(model)


def model_of(
    base_url: str, *, seconds: float = PATIENCE, key: SecretStr | None = None
) -> BaseChatModel:
    spec = ModelSpec(
        name=f"openai:{wire.MODEL}", base_url=base_url, timeout_seconds=seconds, api_key=key
    )
    return build_chat_model(spec)


async def ask(model: Any, *, seconds: float = PATIENCE) -> Heard:
    """The whole reply."""
    heard = Heard()
    await listen(heard, model, seconds=seconds)
    return heard


def chunks(
    model: Any, *, seconds: float = PATIENCE, first_pause: float = 0.0
) -> AsyncGenerator[AIMessageChunk, None]:
    deadline = asyncio.get_running_loop().time() + seconds
    return stream_model(model, QUESTION, deadline=deadline, first_pause=first_pause)


async def fail(model: Any, *, seconds: float = PATIENCE) -> tuple[str, ModelError]:
    """What had come when the model failed, and its error."""
    heard = Heard()
    with pytest.raises(ModelError) as raised:
        await listen(heard, model, seconds=seconds)
    return heard.text, raised.value


async def listen(heard: Heard, model: Any, *, seconds: float) -> None:
    async for chunk in chunks(model, seconds=seconds):
        heard.add(chunk)


def delta(**fields: object) -> bytes:
    return wire.event(wire.chunk(fields))


# Answers


async def test_text_comes_in_pieces_and_with_its_usage(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    openai_server.reply(
        Reply(chunks=["안녕", "하세요", " and ", "hello"], usage=(30, 4), pause=0.05)
    )
    heard = Heard()
    texts = [heard.add(chunk) async for chunk in chunks(model)]
    assert [text for text in texts if text] == ["안녕", "하세요", " and ", "hello"]
    message = heard.message()
    assert message.usage_metadata is not None
    assert message.usage_metadata["input_tokens"] == 30
    assert message.usage_metadata["output_tokens"] == 4
    (request,) = openai_server.requests
    assert request["model"] == wire.MODEL
    assert request["stream"] is True
    assert request["stream_options"] == {"include_usage": True}
    assert request["messages"] == [{"role": "user", "content": QUESTION[0].content}]


async def test_a_reply_may_come_whole(model: BaseChatModel, openai_server: OpenAIServer) -> None:
    openai_server.reply(Reply(text=KOREAN))
    assert (await model.ainvoke(QUESTION)).text == KOREAN
    assert not openai_server.requests[0].get("stream")


@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
async def test_characters_may_be_split_between_reads(
    model: BaseChatModel, openai_server: OpenAIServer, size: int
) -> None:
    body = b"".join(wire.stream(Reply(text=KOREAN), {}))
    openai_server.reply(Reply(raw=[body[at : at + size] for at in range(0, len(body), size)]))
    assert (await ask(model)).text == KOREAN


async def test_a_tool_call_is_put_together_from_its_pieces(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    arguments = {"query": "김치찌개 레시피와 장보기 목록", "limit": 3}
    openai_server.reply(
        Reply(text="찾아볼게요.", tool_calls=[Call(name="archive_search", arguments=arguments)])
    )
    message = (await ask(model.bind_tools([archive_search]))).message()
    assert message.text == "찾아볼게요."
    (call,) = message.tool_calls
    assert (call["name"], call["args"]) == ("archive_search", arguments)
    offered = openai_server.requests[0]["tools"]
    assert [one["function"]["name"] for one in offered] == ["archive_search"]


async def test_parallel_calls_keep_apart(model: BaseChatModel, openai_server: OpenAIServer) -> None:
    asked = [Call(name="archive_search", arguments={"query": f"{n}번"}, id=f"c{n}") for n in (1, 2)]
    openai_server.reply(Reply(tool_calls=asked))
    message = (await ask(model.bind_tools([archive_search]))).message()
    assert [(call["id"], call["args"]) for call in message.tool_calls] == [
        ("c1", {"query": "1번"}),
        ("c2", {"query": "2번"}),
    ]


async def test_pieces_of_calls_may_come_mixed(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    def piece(index: int, arguments: str, **names: str) -> bytes:
        function = {"arguments": arguments, **({"name": "archive_search"} if names else {})}
        return delta(tool_calls=[{"index": index, "function": function, **names}])

    openai_server.reply(
        Reply(
            raw=[
                piece(0, "", id="c0", type="function"),
                piece(1, "", id="c1", type="function"),
                piece(0, '{"query": "하'),
                piece(1, '{"query": "두'),
                piece(0, '나"}'),
                piece(1, '울"}'),
                wire.event(wire.chunk({}, finish="tool_calls")),
                wire.DONE,
            ]
        )
    )
    message = (await ask(model.bind_tools([archive_search]))).message()
    assert [call["args"] for call in message.tool_calls] == [{"query": "하나"}, {"query": "두울"}]


async def test_broken_arguments_are_told_as_such(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(tool_calls=[Call(name="archive_search", arguments='{"query": "열')]))
    message = (await ask(model.bind_tools([archive_search]))).message()
    assert not message.tool_calls
    assert [call["name"] for call in message.invalid_tool_calls] == ["archive_search"]


async def test_an_answer_may_hold_no_text(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply())
    message = (await ask(model)).message()
    assert message.text == ""
    assert not message.tool_calls
    assert len(openai_server.requests) == 1


class Label(BaseModel):
    """A label."""

    label: str = Field(max_length=30)
    certain: bool


@pytest.mark.parametrize("method", ["json_schema", "function_calling"])
async def test_structured_answers(
    model: BaseChatModel, openai_server: OpenAIServer, method: str
) -> None:
    openai_server.reply(Reply(data={"label": "김치찌개", "certain": True}))
    asked = model.with_structured_output(Label, method=method)
    assert await asked.ainvoke(QUESTION) == Label(label="김치찌개", certain=True)
    assert isinstance(await asked.ainvoke(QUESTION), Label)  # what the server makes up by itself


# Failures before the first word


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503])
async def test_a_passing_failure_is_not_seen(
    model: BaseChatModel, openai_server: OpenAIServer, status: int
) -> None:
    openai_server.reply(Reply(status=status), Reply(text="두 번째에는 됩니다"))
    assert (await ask(model)).text == "두 번째에는 됩니다"
    assert len(openai_server.requests) == 2


async def test_the_pause_that_the_server_asks_for_is_kept(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    asked = [{"Retry-After": "0"}, {"Retry-After": "7", "Retry-After-Ms": "20"}]
    openai_server.reply(*(Reply(status=429, headers=headers) for headers in asked))
    openai_server.reply(Reply(text="ok"))
    texts = [chunk.text async for chunk in chunks(model, first_pause=10_000.0)]
    assert "".join(texts) == "ok"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, ModelRateLimited), (500, ModelUnavailable), (503, ModelUnavailable)],
)
async def test_a_lasting_failure_ends_after_a_few_tries(
    model: BaseChatModel, openai_server: OpenAIServer, status: int, kind: type[ModelError]
) -> None:
    openai_server.script = lambda _: Reply(status=status, headers={"Retry-After": "0"})
    _, error = await fail(model)
    assert type(error) is kind
    assert error.retry_after == 0
    assert len(openai_server.requests) == TRIES


@pytest.mark.parametrize("status", [429, 503])
async def test_a_pause_beyond_the_deadline_fails_at_once(
    model: BaseChatModel, openai_server: OpenAIServer, status: int
) -> None:
    openai_server.script = lambda _: Reply(status=status, headers={"Retry-After": "90"})
    _, error = await fail(model, seconds=60)
    assert error.retry_after == 90
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
async def test_what_no_retry_can_mend_is_tried_once(
    model: BaseChatModel, openai_server: OpenAIServer, status: int
) -> None:
    openai_server.script = lambda _: Reply(status=status)
    _, error = await fail(model)
    assert type(error) is ModelRefused
    assert "sk-secret" not in str(error)
    assert len(openai_server.requests) == 1


async def test_no_credit_is_not_taken_for_a_rate_limit(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    openai_server.script = lambda _: Reply(status=429, error_code="insufficient_quota")
    _, error = await fail(model)
    assert type(error) is ModelRefused
    assert len(openai_server.requests) == 1


async def test_nobody_listens_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        model = model_of(f"http://127.0.0.1:{taken.getsockname()[1]}/v1")
        _, error = await fail(model)
        await close_chat_model(model)
    assert type(error) is ModelUnavailable


async def test_a_silent_server_is_given_up(openai_server: OpenAIServer) -> None:
    openai_server.script = lambda _: Reply(hang=True)
    model = model_of(openai_server.base_url, seconds=0.1)
    _, error = await fail(model)
    await close_chat_model(model)
    assert type(error) is ModelUnavailable
    await openai_server.disconnected(TRIES)


async def test_an_error_body_that_never_comes(openai_server: OpenAIServer) -> None:
    openai_server.script = lambda _: Reply(status=500, raw=[b"{", b"}"], hang_after=1)
    model = model_of(openai_server.base_url, seconds=0.1)
    _, error = await fail(model)
    await close_chat_model(model)
    assert type(error) is ModelUnavailable


async def test_a_connection_lost_before_the_first_word_is_tried_again(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(text="gone", cut_after=1), Reply(text="다시"))
    assert (await ask(model)).text == "다시"
    assert len(openai_server.requests) == 2


@pytest.mark.parametrize(
    ("code", "kind", "tries"),
    [
        ("server_error", ModelUnavailable, TRIES),
        (None, ModelUnavailable, TRIES),
        (429, ModelRateLimited, TRIES),
        (400, ModelRefused, 1),
    ],
)
async def test_an_error_told_inside_the_stream(
    model: BaseChatModel,
    openai_server: OpenAIServer,
    code: object,
    kind: type[ModelError],
    tries: int,
) -> None:
    told = wire.event({"error": {"message": "sk-secret-in-error", "type": "x", "code": code}})
    openai_server.script = lambda _: Reply(raw=[told])
    _, error = await fail(model)
    assert type(error) is kind
    assert "sk-secret" not in str(error)
    assert len(openai_server.requests) == tries


# Failures after the first word: never tried again, what was said stays said


async def test_a_connection_lost_in_the_middle(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(chunks=["하나 ", "둘 ", "셋"], cut_after=3))
    text, error = await fail(model)
    assert text == "하나 둘 "
    assert type(error) is ModelBroken
    assert len(openai_server.requests) == 1


async def test_an_end_without_a_reason_is_no_end(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(raw=[delta(content="반쪽짜리 "), delta(content="답")]))
    text, error = await fail(model)
    assert text == "반쪽짜리 답"
    assert type(error) is ModelBroken


async def test_silence_in_the_middle(openai_server: OpenAIServer) -> None:
    openai_server.reply(Reply(chunks=["생각", "중"], hang_after=2))
    model = model_of(openai_server.base_url, seconds=0.1)
    text, error = await fail(model)
    await close_chat_model(model)
    assert text == "생각"
    assert type(error) is ModelBroken
    await openai_server.disconnected()


BROKEN = {
    "no JSON": b"data: {not json\n\n",
    "no UTF-8": b'data: {"choices": "\xed\x95"}\n\n',
    "a list": b"data: []\n\n",
    "a number": b"data: 7\n\n",
    "no choices": b'data: {"choices": null}\n\n',
    "choices of another kind": b'data: {"choices": [7]}\n\n',
    "a choice without delta": b'data: {"choices": [{"index": 0}]}\n\n',
    "a tool call of another kind": delta(tool_calls=[{"index": "x", "function": 3}]),
}


@pytest.mark.parametrize("piece", BROKEN.values(), ids=BROKEN)
async def test_nonsense_in_the_middle(
    model: BaseChatModel, openai_server: OpenAIServer, piece: bytes
) -> None:
    openai_server.reply(Reply(raw=[delta(content="먼저 "), piece]))
    text, error = await fail(model)
    assert text == "먼저 "
    assert type(error) is ModelBroken
    assert len(openai_server.requests) == 1


@pytest.mark.parametrize("body", [b"", b"<html>Welcome</html>", wire.DONE])
async def test_an_answer_that_is_none(
    model: BaseChatModel, openai_server: OpenAIServer, body: bytes
) -> None:
    openai_server.reply(Reply(raw=[body]))
    text, error = await fail(model)
    assert text == ""
    assert type(error) is ModelBroken


# Whoever stops listening


@pytest.mark.parametrize("reply", [Reply(hang=True), Reply(text=KOREAN, hang_after=3)])
async def test_a_cancelled_call_closes_its_connection(
    model: BaseChatModel, openai_server: OpenAIServer, reply: Reply
) -> None:
    openai_server.reply(reply)
    asking = asyncio.create_task(ask(model))
    await openai_server.received()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    await openai_server.disconnected()
    assert (await ask(model)).text  # the model can be asked again


async def test_who_has_heard_enough_closes_the_connection(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(text=KOREAN, hang_after=4))
    async with aclosing(chunks(model)) as stream:
        async for chunk in stream:
            if chunk.text:
                break
    await openai_server.disconnected()


@pytest.mark.parametrize(
    ("reply", "said"),
    [(Reply(hang=True), ""), (Reply(chunks=["하나", "둘"], hang_after=2), "하나")],
)
async def test_the_deadline_ends_a_call(
    model: BaseChatModel, openai_server: OpenAIServer, reply: Reply, said: str
) -> None:
    openai_server.reply(reply)
    heard = Heard()
    with pytest.raises(TimeoutError):
        await listen(heard, model, seconds=0.2)
    assert heard.text == said
    await openai_server.disconnected()
    assert len(openai_server.requests) == 1


async def test_the_deadline_cuts_no_work_on_a_chunk(
    model: BaseChatModel, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(text=KOREAN, hang_after=4))
    begun, done = 0, 0

    async def work() -> None:
        nonlocal begun, done
        async for _ in chunks(model, seconds=0.1):
            begun += 1
            await asyncio.sleep(0.2)
            done += 1

    with pytest.raises(TimeoutError):
        await work()
    assert begun == done > 0


# What is sent, and where to


async def test_a_server_may_need_no_key(model: BaseChatModel, openai_server: OpenAIServer) -> None:
    await ask(model)
    assert openai_server.headers[0]["authorization"] == "Bearer none"


async def test_the_key_is_sent_and_never_shown(openai_server: OpenAIServer) -> None:
    model = model_of(openai_server.base_url, key=SecretStr("sk-real"))
    await ask(model)
    await close_chat_model(model)
    assert openai_server.headers[0]["authorization"] == "Bearer sk-real"
    assert "sk-real" not in repr(model)


async def test_the_environment_changes_nothing(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = "http://127.0.0.1:9/v1"
    for name, value in {
        "OPENAI_API_KEY": "sk-environment",
        "OPENAI_ADMIN_KEY": "sk-admin",
        "OPENAI_BASE_URL": elsewhere,
        "OPENAI_API_BASE": elsewhere,
        "OPENAI_PROXY": elsewhere,
        "OPENAI_ORG_ID": "org-environment",
        "OPENAI_ORGANIZATION": "org-environment",
        "OPENAI_PROJECT_ID": "project-environment",
        "OPENAI_CUSTOM_HEADERS": "Authorization: Bearer other\nX-Environment: 1",
        "LANGSMITH_GATEWAY": elsewhere,
        "LC_OUTPUT_VERSION": "v1",
        "LANGCHAIN_OPENAI_STREAM_CHUNK_TIMEOUT_S": "0.000001",
    }.items():
        monkeypatch.setenv(name, value)
    openai_server.reply(Reply(text=KOREAN, pause=0.01))
    model = model_of(openai_server.base_url, key=SecretStr("sk-settings"))
    assert (await ask(model)).text == KOREAN
    await close_chat_model(model)
    (sent,) = openai_server.headers
    assert sent["authorization"] == "Bearer sk-settings"
    assert not {"openai-organization", "openai-project", "x-environment"} & sent.keys()
    assert "environment" not in json.dumps(sent)


async def test_the_proxy_of_the_environment_is_used(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", openai_server.base_url.removesuffix("/v1"))
    monkeypatch.setenv("no_proxy", "spared.invalid")
    openai_server.reply(Reply(text=KOREAN))
    model = model_of("http://model.invalid/v1")
    assert (await ask(model)).text == KOREAN
    await close_chat_model(model)
    assert openai_server.headers[0]["host"] == "model.invalid"
    spared = model_of("http://spared.invalid/v1")
    with pytest.raises(ModelUnavailable):
        await ask(spared)
    await close_chat_model(spared)


@pytest.mark.parametrize("name", ["", "openai", "openai:", "other:x"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="offline or openai"):
        build_chat_model(ModelSpec(name=name))
