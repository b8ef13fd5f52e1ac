"""Our reader of OpenAI's event streams beside the library's own: the same stream, the same end."""

import asyncio
import json
from collections.abc import Iterator
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
)
from langchain_openai import ChatOpenAI
from openai import DefaultAsyncHttpxClient
from pydantic import SecretStr

from server.models import close_chat_model
from server.openai_models import StreamingChatOpenAI
from tests.services import openai_wire as wire
from tests.services.openai_server import OpenAIServer, Reply

Outcome = tuple[str, object]

texts = st.text(st.characters(codec="utf-8"), max_size=12)
half_a_pair = st.just("\ud83d")
indexes = st.integers(0, 2)


@st.composite
def deltas(draw: st.DrawFn) -> dict[str, Any]:
    """What one event may add: text, a piece of a call, a refusal, nothing, in many spellings."""
    kind = draw(st.sampled_from(["text", "text", "text", "call", "piece", "refusal", "nothing"]))
    empty: list[dict[str, Any]] = [{}, {"role": "assistant"}, {"role": None}, {"refusal": None}]
    delta = dict(draw(st.sampled_from(empty)))
    if kind == "text":
        delta["content"] = draw(st.one_of(texts, texts, texts, st.none(), half_a_pair))
    elif kind == "refusal":
        delta |= {"content": None, "refusal": draw(texts)}
    elif kind in ("call", "piece"):
        function = {"arguments": draw(st.one_of(texts, st.just('{"a": '), st.just("1}")))}
        call: dict[str, Any] = {"index": draw(indexes), "function": function}
        if kind == "call":
            function["name"] = draw(st.sampled_from(["look", "save"]))
            call |= {"id": draw(st.sampled_from(["c1", "c2", ""])), "type": "function"}
        delta["tool_calls"] = [call] * draw(st.sampled_from([1, 1, 1, 2]))
    return delta


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """One event on the wire."""
    if draw(st.integers(0, 30)) == 0:
        other: list[bytes] = [
            b": a comment\n\n",
            b'data: {"error": {"message": "too busy", "code": "overloaded"}}\n\n',
            b"data: not json\n\n",
            b"event: ping\ndata: {}\n\n",
            b"\n\n",
        ]
        return draw(st.sampled_from(other))
    chunk = wire.chunk(
        draw(deltas()), finish=draw(st.sampled_from([None] * 9 + ["stop", "length"]))
    )
    if draw(st.integers(0, 9)) == 0:
        chunk |= {
            "choices": [],
            "usage": {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8},
        }
    data = json.dumps(chunk, ensure_ascii=draw(st.booleans()))
    line_end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    try:
        return f"data: {data}{line_end}{line_end}".encode()
    except UnicodeEncodeError:
        return f"data: {json.dumps(chunk)}{line_end}{line_end}".encode()


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """A whole body, cut anywhere: inside events, inside characters."""
    body = b"".join(draw(st.lists(events(), min_size=1, max_size=12)))
    if draw(st.integers(0, 4)):
        body += wire.event(wire.chunk({}, finish="stop")) + b"data: [DONE]\n\n"
    places = draw(st.lists(st.integers(0, len(body)), max_size=6))
    cuts = sorted({0, len(body), *places})
    return [body[start:end] for start, end in pairwise(cuts)]


@pytest.fixture(scope="module")
def server() -> Iterator[OpenAIServer]:
    server = OpenAIServer()
    server.start()
    yield server
    server.stop()


def model_of(kind: type[ChatOpenAI], server: OpenAIServer) -> ChatOpenAI:
    return kind(
        model=wire.MODEL,
        base_url=server.base_url,
        api_key=SecretStr("key"),
        max_retries=0,
        stream_usage=True,
        use_responses_api=False,
        # Else all models of a server would share one, and close it for each other.
        http_async_client=DefaultAsyncHttpxClient(),
    )


async def closed(model: ChatOpenAI) -> None:
    await model.root_async_client.close()
    await close_chat_model(model)


async def outcome(model: ChatOpenAI) -> Outcome:
    """The sum of all that came, and the error that ended it."""
    heard: list[AIMessageChunk] = []
    end: object = None
    try:
        async for chunk in model.astream([HumanMessage("hello")]):
            heard.append(chunk)  # noqa: PERF401 - what came before an error counts
    except Exception as error:  # noqa: BLE001 - whatever it is, both must raise it
        end = (type(error).__name__, getattr(error, "code", None))
    if not heard:
        return "nothing", end
    whole = reduce(add, heard)
    assert isinstance(whole, AIMessageChunk)
    said = whole.model_dump(exclude={"id", "chunk_position"})
    said["text"] = "".join(chunk.text for chunk in heard)
    return json.dumps(said, sort_keys=True, default=str), end


async def both(server: OpenAIServer, reply: Reply) -> tuple[Outcome, Outcome]:
    outcomes = []
    for kind in (ChatOpenAI, StreamingChatOpenAI):
        model = model_of(kind, server)
        server.reply(reply)
        outcomes.append(await outcome(model))
        await closed(model)
    return outcomes[0], outcomes[1]


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(streams())
def test_every_stream_ends_the_same(server: OpenAIServer, body: list[bytes]) -> None:
    theirs, ours = asyncio.run(both(server, Reply(raw=body)))
    assert ours == theirs


@pytest.mark.parametrize(
    "reply",
    [
        *(Reply(status=status) for status in (400, 401, 403, 404, 408, 409, 422, 429, 500, 503)),
        Reply(status=429, error_code="insufficient_quota"),
        Reply(text="a" * 200, cut_after=3),
        Reply(text="hello", finish="length"),
        Reply(text="안녕하세요 🍅"),
        Reply(raw=[b"data: {", b"}\n\n"]),
        Reply(raw=[b""]),
    ],
    ids=str,
)
async def test_every_failure_is_told_the_same(server: OpenAIServer, reply: Reply) -> None:
    theirs, ours = await both(server, reply)
    assert ours == theirs


class Listener(AsyncCallbackHandler):
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.ended = 0

    async def on_llm_new_token(
        self, token: str | list[str | dict[str, Any]], **kwargs: Any
    ) -> None:
        self.tokens.append(str(token))

    async def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.ended += 1


async def test_a_callback_hears_as_much(server: OpenAIServer) -> None:
    heard = []
    for kind in (ChatOpenAI, StreamingChatOpenAI):
        listener = Listener()
        model = model_of(kind, server)
        server.reply(Reply(text="토마토는 붉다. " * 10))
        chunks = [
            chunk
            async for chunk in model.astream(
                [HumanMessage("hello")], config={"callbacks": [listener]}
            )
        ]
        assert "".join(chunk.text for chunk in chunks) == "".join(listener.tokens)
        heard.append(("".join(listener.tokens), listener.ended))
        await closed(model)
    assert heard[0] == heard[1]


calls = st.builds(
    lambda name, text: {"id": name, "name": name, "args": {"text": text}, "type": "tool_call"},
    st.sampled_from(["c1", "c2"]),
    texts,
)
contents = st.one_of(texts, st.lists(st.builds(lambda text: {"type": "text", "text": text}, texts)))
said = st.one_of(
    st.builds(SystemMessage, texts),
    st.builds(HumanMessage, contents, name=st.sampled_from([None, None, "kim"])),
    st.builds(AIMessage, contents, tool_calls=st.lists(calls, max_size=2)),
    st.builds(AIMessage, texts, additional_kwargs=st.sampled_from([{}, {"audio": {"id": "a"}}])),
    st.builds(ToolMessage, texts, tool_call_id=st.just("c1")),
)


@given(st.lists(said, max_size=6), st.sampled_from(["gpt-5-mini", "o1", "test"]))
def test_every_request_is_the_library_s(messages: list[BaseMessage], model: str) -> None:
    ours = StreamingChatOpenAI(model=model, api_key=SecretStr("key"), use_responses_api=False)
    options: dict[str, Any] = {"stream": True, "stop": ["end"], "max_tokens": 7}
    assert ours._payload(messages, **options) == ours._get_request_payload(messages, **options)
