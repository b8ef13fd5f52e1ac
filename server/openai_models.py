"""OpenAI's chat model, or a compatible server's, with a reader of its own for its event streams.

The usual client makes several objects for each token and tells each to callbacks that nobody
hears. Here all that arrived together becomes one chunk, made by the library's own conversion.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.request import getproxies, proxy_bypass
from uuid import uuid4

import aiohttp
import httpx2
import openai
import orjson
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, BaseCallbackManager
from langchain_core.globals import get_debug, get_verbose
from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import ensure_config
from langchain_core.tracers.context import _tracing_v2_is_enabled
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models.base import _handle_openai_api_error, _handle_openai_bad_request
from pydantic import PrivateAttr, SecretStr

from server.openai_body import StreamedBody

OPENAI = "https://api.openai.com/v1"
CONNECT_SECONDS = 10.0

_NO_KEY = SecretStr("none")

_ROLES: Mapping[type[BaseMessage], str] = {HumanMessage: "user", AIMessage: "assistant"}

_OWN_OPTIONS = frozenset({"extra_headers", "extra_query", "extra_body", "response_format"})


class StreamingChatOpenAI(ChatOpenAI):
    """ChatOpenAI whose ``astream`` costs by what arrives, not by token; in all else the same.

    Whatever is out of the ordinary (the Responses API, retries, options of a single request) takes
    the library's own way.
    """

    _kept: aiohttp.ClientSession | None = PrivateAttr(default=None)

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
        plain = self._plain(messages, stop, **kwargs)
        stream = plain if plain is not None else super()._astream(messages, stop=stop, **kwargs)
        async with aclosing(_closable(stream)) as chunks:
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
        payload = self._payload(messages, stop=stop, **kwargs)
        if payload.keys() & _OWN_OPTIONS:
            return None
        return self._read(payload, run_manager)

    def _payload(self, messages: list[BaseMessage], **kwargs: Any) -> dict[str, Any]:
        """The library's request. It looks at each character of an answer, so that what was only
        said, of which a long talk is full, is put in here.
        """
        spoken = [_spoken(message) for message in messages]
        others = [message for message, said in zip(messages, spoken, strict=True) if said is None]
        payload: dict[str, Any] = self._get_request_payload(others, **kwargs)
        converted = iter(payload["messages"])
        payload["messages"] = [said or next(converted) for said in spoken]
        return payload

    async def _read(
        self, payload: Mapping[str, Any], run_manager: AsyncCallbackManagerForLLMRun | None
    ) -> AsyncGenerator[ChatGenerationChunk, None]:
        kind: type[Any] = AIMessageChunk
        try:
            async with self._opened(payload) as body:
                while (events := await body.read()) is not None:
                    for event in events:
                        chunk = self._convert_chunk_to_generation_chunk(event, kind, {})
                        if chunk is None:
                            continue
                        kind = chunk.message.__class__
                        body.spoken |= bool(chunk.text)
                        if run_manager:
                            await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                        yield chunk
        except openai.BadRequestError as error:
            _handle_openai_bad_request(error)
        except openai.APIError as error:
            _handle_openai_api_error(error)

    @asynccontextmanager
    async def _opened(self, payload: Mapping[str, Any]) -> AsyncIterator["StreamedBody"]:
        """The body of the server's answer, by the client's address, key and times."""
        client = self.root_async_client
        url = f"{str(client.base_url).rstrip('/')}/chat/completions"
        try:
            # Awaited by itself: as a context it would keep the whole call to the stream's end.
            response = await self._session().post(
                url,
                data=orjson.dumps(payload),
                params=client.default_query or None,
                timeout=_timeout(client.timeout),
            )
            async with response:
                if not response.ok:
                    raise client._make_status_error_from_response(await _as_httpx(response, url))
                yield StreamedBody(response.content, url)
        except TimeoutError as error:
            raise openai.APITimeoutError(request=_request(url)) from error
        except aiohttp.ClientError as error:
            raise openai.APIConnectionError(request=_request(url)) from error

    def _session(self) -> aiohttp.ClientSession:
        """Connections that are kept between calls; made in the loop that uses them."""
        if self._kept is None:
            client = self.root_async_client
            base_url, secure = client.base_url, client.base_url.scheme == "https"
            self._kept = aiohttp.ClientSession(
                headers={
                    name: value
                    for name, value in {**client.default_headers, **client.auth_headers}.items()
                    if isinstance(value, str)
                },
                connector=aiohttp.TCPConnector(
                    limit=0,  # runs are bounded, and none may wait for another's connection
                    ssl=httpx2.create_ssl_context() if secure else True,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                # Looked for once: aiohttp would look in a thread at each call.
                proxy=_proxy(base_url.scheme, base_url.host),
            )
        return self._kept

    async def close(self) -> None:
        """Close the connections that are kept between calls."""
        if self._kept is not None:
            await self._kept.close()
        await self.root_async_client.close()

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


def build_openai_model(
    model: str, *, api_key: SecretStr | None, base_url: str | None, timeout_seconds: float
) -> StreamingChatOpenAI:
    """The model of this name on OpenAI's own server or, with ``base_url``, on another."""
    made = StreamingChatOpenAI(
        model=model,
        api_key=api_key or _NO_KEY,
        base_url=base_url or OPENAI,
        timeout=openai.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds)),
        # Calls are tried again in graphs/model_calls.py, which knows the turn's deadline: the
        # client would wait up to two minutes if the server asks for it.
        max_retries=0,
        stream_usage=True,
        # OpenAI's newest models only speak the Responses API, other servers only the old one.
        use_responses_api=False if base_url else None,
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


def _spoken(message: BaseMessage) -> dict[str, str] | None:
    """A message that is a text and nothing else, as a request has it; None for any other."""
    if type(message) not in _ROLES or not isinstance(message.content, str):
        return None
    if message.name or message.additional_kwargs:
        return None
    if isinstance(message, AIMessage) and (message.tool_calls or message.invalid_tool_calls):
        return None
    return {"content": message.content, "role": _ROLES[type(message)]}


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


def _proxy(scheme: str, host: str) -> str | None:
    """The proxy that the environment names for an address."""
    return None if proxy_bypass(host) else getproxies().get(scheme)


def _timeout(given: Any) -> aiohttp.ClientTimeout:
    if isinstance(given, openai.Timeout):
        return aiohttp.ClientTimeout(
            total=None, connect=given.pool, sock_connect=given.connect, sock_read=given.read
        )
    return aiohttp.ClientTimeout(total=None, sock_connect=given, sock_read=given)


async def _as_httpx(response: aiohttp.ClientResponse, url: str) -> httpx2.Response:
    """A refusal as the client's own transport gives it."""
    return httpx2.Response(
        response.status,
        headers=list(response.headers.items()),
        content=await response.read(),
        request=_request(url),
    )


def _request(url: str) -> httpx2.Request:
    return httpx2.Request("POST", url)
