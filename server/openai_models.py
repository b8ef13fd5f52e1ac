"""OpenAI's chat model, or a compatible server's, with a reader of its own for its event streams.

The usual client makes several objects for each token and tells each to callbacks that nobody
hears. Here all that arrived together becomes one chunk, made by the library's own conversion.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import openai
import orjson
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, BaseCallbackManager
from langchain_core.globals import get_debug, get_verbose
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config
from langchain_core.tracers.context import _tracing_v2_is_enabled
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import _handle_openai_api_error, _handle_openai_bad_request
from pydantic import SecretStr

from server.models import ModelSpec

Event = dict[str, Any]

OPENAI = "https://api.openai.com/v1"
CONNECT_SECONDS = 10.0

_NO_KEY = SecretStr("none")

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_OWN_OPTIONS = frozenset({"extra_headers", "extra_query", "extra_body", "response_format"})


class StreamingChatOpenAI(ChatOpenAI):
    """ChatOpenAI whose ``astream`` costs by what arrives, not by token; in all else the same.

    Whatever is out of the ordinary (the Responses API, retries, options of a single request) takes
    the library's own way.
    """

    async def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """The reply in chunks; callbacks and tracers are served only if there are any."""
        if self._heard(ensure_config(config)):
            async with aclosing(
                _closable(super().astream(input, config, stop=stop, **kwargs))
            ) as heard:
                async for message in heard:
                    yield message
            return
        reply_id = f"lc_run--{uuid4()}"
        messages = self._convert_input(input).to_messages()
        last: AIMessageChunk | None = None
        async with aclosing(_closable(self._astream(messages, stop=stop, **kwargs))) as chunks:
            async for chunk in chunks:
                last = _message(chunk, reply_id)
                yield last
        if last is None:
            raise ValueError("No generation chunks were returned")
        if not last.chunk_position:
            yield AIMessageChunk(content="", chunk_position="last", id=reply_id)

    async def _astream(self, *args: Any, **kwargs: Any) -> AsyncIterator[ChatGenerationChunk]:
        plain = self._plain(*args, **kwargs)
        stream = plain if plain is not None else super()._astream(*args, **kwargs)
        async with aclosing(_closable(stream)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _plain(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        *,
        stream_usage: bool | None = None,
        **kwargs: Any,
    ) -> AsyncGenerator[ChatGenerationChunk, None] | None:
        """The stream of an ordinary request; None for any other."""
        if self.max_retries or self.include_response_headers or self._uses_gateway:
            return None
        if self._use_responses_api({**kwargs, **self.model_kwargs}):
            return None
        kwargs["stream"] = True
        if self._should_stream_usage(stream_usage, **kwargs):
            kwargs["stream_options"] = {"include_usage": True}
        payload = self._get_request_payload(messages, stop=stop, **kwargs)
        if payload.keys() & _OWN_OPTIONS:
            return None
        return self._read(payload, run_manager)

    async def _read(
        self, payload: Mapping[str, Any], run_manager: AsyncCallbackManagerForLLMRun | None
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        kind: type[Any] = AIMessageChunk
        try:
            async with (
                self._opened(payload) as response,
                aclosing(_together(response.aiter_bytes())) as reads,
            ):
                async for events in _events(reads, response.request):
                    for event in merged(events):
                        chunk = self._convert_chunk_to_generation_chunk(event, kind, {})
                        if chunk is None:
                            continue
                        kind = chunk.message.__class__
                        if run_manager:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
        except openai.BadRequestError as error:
            _handle_openai_bad_request(error)
        except openai.APIError as error:
            _handle_openai_api_error(error)

    @asynccontextmanager
    async def _opened(self, payload: Mapping[str, Any]) -> AsyncIterator[Any]:
        """The streamed response of the server, by the client's own connections and key."""
        client = self.root_async_client
        request = client._client.build_request(
            "POST",
            f"{str(client.base_url).rstrip('/')}/chat/completions",
            content=orjson.dumps(payload),
            headers={
                name: value
                for name, value in {**client.default_headers, **client.auth_headers}.items()
                if isinstance(value, str)
            },
            params=client.default_query,
            timeout=client.timeout,
        )
        try:
            response = await client._client.send(request, stream=True)
            try:
                if response.is_error:
                    await response.aread()
                    raise client._make_status_error_from_response(response)
                yield response
            finally:
                await response.aclose()
        except Exception as error:
            told = _connection_error(error, request)
            if told is None:
                raise
            raise told from error

    def _heard(self, config: RunnableConfig) -> bool:
        """Whether anybody listens to the calls of this model."""
        callbacks = config.get("callbacks")
        if isinstance(callbacks, BaseCallbackManager):
            callbacks = [*callbacks.handlers, *callbacks.inheritable_handlers]
        return bool(
            callbacks
            or self.callbacks
            or self.verbose
            or self.rate_limiter
            or get_debug()
            or get_verbose()
            or self.output_version == "v1"
            or _tracing_v2_is_enabled()
        )


def build_openai_model(model: str, spec: ModelSpec) -> StreamingChatOpenAI:
    """The model of this name on OpenAI's own server or, with ``spec.base_url``, on another."""
    made = StreamingChatOpenAI(
        model=model,
        api_key=spec.api_key or _NO_KEY,
        base_url=spec.base_url or OPENAI,
        timeout=openai.Timeout(
            spec.timeout_seconds, connect=min(CONNECT_SECONDS, spec.timeout_seconds)
        ),
        # Calls are tried again in graphs/model_calls.py, which knows the turn's deadline: the
        # client would wait up to two minutes if the server asks for it.
        max_retries=0,
        stream_usage=True,
        # OpenAI's newest models only speak the Responses API, other servers only the old one.
        use_responses_api=False if spec.base_url else None,
        # What is not given here would be read from the environment.
        stream_chunk_timeout=None,
        http_socket_options=(),
        openai_proxy=None,
        output_version=None,
    )
    for client in (made.root_client, made.root_async_client):
        # Nor may these come from there, the headers least of all, which could replace the key; the
        # constructors take no word for "none".
        client.organization = client.project = None
        client._custom_headers = {}
    return made


def _message(chunk: ChatGenerationChunk, reply_id: str) -> AIMessageChunk:
    """A chunk's message as BaseChatModel.astream hands it out."""
    message = chunk.message
    if message.id is None:
        message.id = reply_id
    message.response_metadata = {**(chunk.generation_info or {}), **message.response_metadata}
    assert isinstance(message, AIMessageChunk)  # noqa: S101 - a model's reply is an assistant's
    return message


def _closable(stream: AsyncIterator[Any]) -> AsyncGenerator[Any, None]:
    """Every stream here is a generator, which its types don't say."""
    assert isinstance(stream, AsyncGenerator)  # noqa: S101 - see above
    return stream


def _connection_error(error: Exception, request: Any) -> openai.APIError | None:
    """A failure of the transport as the client tells it, None for any other."""
    names = {kind.__name__ for kind in type(error).__mro__}
    if isinstance(error, openai.OpenAIError) or "HTTPError" not in names:
        return None
    if "TimeoutException" in names:
        return openai.APITimeoutError(request=request)
    return openai.APIConnectionError(request=request)


async def _together(stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """What arrives before the reader looks again, as one piece."""
    arrived = bytearray()
    more = asyncio.Event()

    async def receive() -> None:
        try:
            async for data in stream:
                arrived.extend(data)
                more.set()
        finally:
            more.set()

    receiving = asyncio.create_task(receive())
    try:
        while not (receiving.done() and not arrived):
            await more.wait()
            more.clear()
            if arrived:
                data = bytes(arrived)
                arrived.clear()
                yield data
            if receiving.done():
                more.set()
        receiving.result()
    finally:
        receiving.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await receiving


@dataclass(slots=True)
class _Batch:
    """The events of one read, and what comes after them: more, the end, or an error."""

    events: list[Event] = field(default_factory=list)
    done: bool = False
    failure: Exception | None = None


async def _events(reads: AsyncIterator[bytes], request: Any) -> AsyncIterator[list[Event]]:
    """The events that each read completes, up to ``[DONE]``; raises the error that one may be."""
    rest = b""
    async for data in reads:
        *blocks, rest = _BLANK_LINE.split(rest + data)
        batch = _parsed(blocks, request)
        yield batch.events
        if batch.failure is not None:
            raise batch.failure
        if batch.done:
            return
    # A stream may end without its last blank line.
    batch = _parsed([rest], request)
    yield batch.events
    if batch.failure is not None:
        raise batch.failure


def _parsed(blocks: Sequence[bytes], request: Any) -> _Batch:
    batch = _Batch()
    for block in blocks:
        data = _data(block)
        if data is None:
            continue
        if data.startswith(b"[DONE]"):
            batch.done = True
            return batch
        try:
            event = _decoded(data)
        except ValueError as error:
            batch.failure = error
            return batch
        if not isinstance(event, dict):
            batch.failure = TypeError("an event of the stream is no JSON object")
            return batch
        if event.get("error"):
            batch.failure = _told_error(event["error"], request)
            return batch
        batch.events.append(event)
    return batch


def _data(block: bytes) -> bytes | None:
    """The data of one event of the stream; None if it has none."""
    if block.startswith(b"data: ") and b"\n" not in block and b"\r" not in block:
        return block[6:]
    lines = [
        line[5:].removeprefix(b" ") for line in block.splitlines() if line.startswith(b"data:")
    ]
    return b"\n".join(lines) if lines else None


def _decoded(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        # Half surrogate pairs, which the stricter reader refuses; other faults fail here too.
        return json.loads(data)


def _told_error(error: Any, request: Any) -> openai.APIError:
    message = error.get("message") if isinstance(error, Mapping) else None
    words = (
        message if isinstance(message, str) and message else "An error occurred during streaming"
    )
    return openai.APIError(message=words, request=request, body=error)


def merged(events: Iterable[Event]) -> Iterator[Event]:
    """The same events with neighbours made one where both only add text or arguments."""
    held: Event | None = None
    for event in events:
        if held is not None and _add(held, event):
            continue
        if held is not None:
            yield held
        held = event
    if held is not None:
        yield held


def _add(held: Event, event: Event) -> bool:
    """Add what an event says to the one before it; False, and nothing changes, if it can't be."""
    before, after = _delta(held), _delta(event)
    if before is None or after is None or before.keys() - {"role"} != after.keys() - {"role"}:
        return False
    if after.get("role") not in (None, before.get("role")):
        return False
    if isinstance(before.get("content"), str) and isinstance(after.get("content"), str):
        if len(before.keys() - {"role"}) > 1:
            return False
        before["content"] += after["content"]
        return True
    return before.keys() - {"role"} == {"tool_calls"} and _add_arguments(before, after)


def _add_arguments(before: Event, after: Event) -> bool:
    """More of the arguments of the same call."""
    try:
        (first,), (more,) = before["tool_calls"], after["tool_calls"]
        same = first["index"] == more["index"] and first["index"] is not None
        continued = not more.get("id") and not more["function"].get("name")
        begun, piece = first["function"]["arguments"], more["function"]["arguments"]
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    if not (same and continued and isinstance(begun, str) and isinstance(piece, str)):
        return False
    first["function"]["arguments"] = begun + piece
    return True


def _delta(event: Event) -> Event | None:
    """What an event adds, without its empty fields; None if it says anything beside that."""
    choices = event.get("choices")
    if not isinstance(choices, list) or len(choices) != 1 or event.get("usage"):
        return None
    choice = choices[0]
    if not isinstance(choice, dict) or choice.get("finish_reason") or choice.get("logprobs"):
        return None
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        return None
    for name in [name for name, value in delta.items() if value is None]:
        del delta[name]
    return delta
