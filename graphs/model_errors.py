"""What can go wrong with a model, whichever library calls it: mapped here, once.

ModelError
├── ModelUnavailable   no connection, a time-out, a server error; a later try may succeed
├── ModelRateLimited   too many requests; ``retry_after`` seconds, if the server said
├── ModelRefused       a wrong key, model name or request: a matter of settings
└── ModelBroken        the answer broke off or made no sense

``code`` is the machine's word, ``str(error)`` a fixed sentence that is safe to show anyone.
"""

import sys
from collections.abc import Mapping
from typing import Any


class ModelError(Exception):
    """The root of what a model can do wrong."""

    code = "model_error"
    words = "The language model failed."

    def __init__(self) -> None:
        super().__init__(self.words)


class ModelUnavailable(ModelError):
    """The model can't be reached or has a fault of its own."""

    code = "model_unavailable"
    words = "The language model can't be reached now. Please try again in a moment."


class ModelRateLimited(ModelError):
    """The model takes no more requests for now."""

    code = "model_rate_limited"
    words = "The language model is asked too much right now. Please try again in a moment."

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__()
        self.retry_after = retry_after


class ModelRefused(ModelError):
    """The model's server does not accept the request as it is."""

    code = "model_refused"
    words = "The language model refused the request; its settings need a look by the operator."


class ModelBroken(ModelError):
    """An answer broke off in its middle."""

    code = "model_interrupted"
    words = "The language model's answer broke off. Please ask again."


_TRANSPORTS = ("httpx", "httpx2", "httpcore", "httpcore2")


def classify(error: BaseException) -> ModelError | None:
    """The ModelError that an exception of a model library stands for, None for any other.

    The libraries are looked up among what is loaded, since their errors can only come from there.
    """
    status = getattr(error, "status_code", None)
    if _is(error, "openai", "APIStatusError") and isinstance(status, int):
        return _by_status(status, getattr(getattr(error, "response", None), "headers", {}))
    if _is(error, "openai", "APIConnectionError"):
        return ModelUnavailable()
    if _is(error, "openai", "OpenAIError") or isinstance(error, ValueError):
        return ModelBroken()
    if any(
        _is(error, name, "TransportError") or _is(error, name, "StreamError")
        for name in _TRANSPORTS
    ):
        return ModelUnavailable()
    return None


def _is(error: BaseException, library: str, name: str) -> bool:
    kind: Any = getattr(sys.modules.get(library), name, None)
    return isinstance(kind, type) and isinstance(error, kind)


def _by_status(status: int, headers: Mapping[str, str]) -> ModelError:
    if status == 429:
        return ModelRateLimited(_seconds(headers.get("retry-after")))
    if status in (408, 409) or status >= 500:
        return ModelUnavailable()
    return ModelRefused()


def _seconds(text: str | None) -> float | None:
    """``Retry-After`` in seconds; its form as a date is left unread."""
    try:
        return max(0.0, float(text)) if text else None
    except ValueError:
        return None
