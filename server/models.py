"""Makes the chat model that the settings name; knows the libraries of models, loads them late."""

from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

OFFLINE = "offline"
CONNECT_SECONDS = 10.0

_NO_KEY = SecretStr("none")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    """``name`` is ``offline`` or ``openai:<model>``; ``timeout_seconds`` bounds each read."""

    name: str
    api_key: SecretStr | None = None
    base_url: str | None = None
    timeout_seconds: float = 60.0


def build_chat_model(spec: ModelSpec) -> BaseChatModel:
    """The model; ValueError for a name that is none."""
    if spec.name == OFFLINE:
        from graphs.offline import OfflineChatModel

        return OfflineChatModel()
    kind, _, model = spec.name.partition(":")
    if kind != "openai" or not model:
        raise ValueError("a model is named offline or openai:<name>")
    return _openai(model, spec)


def _openai(model: str, spec: ModelSpec) -> BaseChatModel:
    from httpx import Timeout
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        model=model,
        api_key=spec.api_key or _NO_KEY,
        base_url=spec.base_url or "https://api.openai.com/v1",
        timeout=Timeout(spec.timeout_seconds, connect=CONNECT_SECONDS),
        # Calls are tried again in graphs/model_calls.py, which knows the turn's deadline.
        max_retries=0,
        stream_usage=True,
    )
