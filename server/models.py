"""Makes the chat model that the settings name; knows the libraries of models, loads them late."""

from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

OFFLINE = "offline"
OPENAI = "https://api.openai.com/v1"
CONNECT_SECONDS = 10.0

_NO_KEY = SecretStr("none")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """``name`` is ``offline`` or ``openai:<model>``; ``timeout_seconds`` bounds each read.

    Without ``base_url`` it is OpenAI's own server; others may need no key.
    """

    name: str
    api_key: SecretStr | None = None
    base_url: str | None = None
    timeout_seconds: float = 60.0


def build_chat_model(spec: ModelSpec) -> BaseChatModel:
    """The model, which belongs to one event loop; ValueError for a name that is none."""
    if spec.name == OFFLINE:
        from graphs.offline import OfflineChatModel

        return OfflineChatModel()
    kind, _, model = spec.name.partition(":")
    if kind != "openai" or not model:
        raise ValueError("a model is named offline or openai:<name>")
    return _openai(model, spec)


async def close_chat_model(model: BaseChatModel) -> None:
    """Close the connections that a model keeps open between its calls."""
    client = getattr(model, "root_async_client", None)
    if client is not None:
        await client.close()


def _openai(model: str, spec: ModelSpec) -> BaseChatModel:
    from langchain_openai import ChatOpenAI
    from openai import Timeout

    made = ChatOpenAI(
        model=model,
        api_key=spec.api_key or _NO_KEY,
        base_url=spec.base_url or OPENAI,
        timeout=Timeout(spec.timeout_seconds, connect=min(CONNECT_SECONDS, spec.timeout_seconds)),
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
