"""Makes the chat model that the settings name; knows the libraries of models, loads them late."""

from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

OFFLINE = "offline"


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
    from server.openai_models import build_openai_model

    return build_openai_model(
        model,
        api_key=spec.api_key,
        base_url=spec.base_url,
        timeout_seconds=spec.timeout_seconds,
    )


async def close_chat_model(model: BaseChatModel) -> None:
    """Close the connections that a model keeps open between its calls."""
    close = getattr(model, "close", None)
    if close is not None:
        await close()
