"""What can go wrong with a model, whichever library calls it: mapped here, once.

ModelError
├── ModelUnavailable   no connection, a time-out, a server error; a later try may succeed
├── ModelRateLimited   too many requests; a later try may succeed
├── ModelRefused       a wrong key, model name or request, no credit: a matter of settings
└── ModelBroken        the answer broke off or made no sense

``code`` is the machine's word, ``str(error)`` a fixed sentence that is safe to show anyone.
"""

import math
import sys
import time
from collections.abc import Mapping
from email.utils import mktime_tz, parsedate_tz
from typing import Any


class ModelError(Exception):
    """The root of what a model can do wrong.

    ``retry_after`` is how many seconds its server asks to wait, if it said.
    """

    code = "model_error"
    words = "The language model failed."

    def __init__(self, retry_after: float | None = None) -> None:
        super().__init__(self.words)
        self.retry_after = retry_after


class ModelUnavailable(ModelError):
    """The model can't be reached or has a fault of its own."""

    code = "model_unavailable"
    words = "The language model can't be reached now. Please try again in a moment."


class ModelRateLimited(ModelError):
    """The model takes no more requests for now."""

    code = "model_rate_limited"
    words = "The language model is asked too much right now. Please try again in a moment."


class ModelRefused(ModelError):
    """The model's server does not accept the request as it is."""

    code = "model_refused"
    words = "The language model refused the request; its settings need a look by the operator."


class ModelBroken(ModelError):
    """An answer broke off in its middle, or is none."""

    code = "model_interrupted"
    words = "The language model's answer broke off. Please ask again."


# Looked up among what is loaded: an error can only come from there, and none must be imported
# for it. The first that fits counts.
_KINDS: tuple[tuple[str, str, type[ModelError]], ...] = (
    ("langchain_core.exceptions", "ModelAuthenticationError", ModelRefused),
    ("langchain_core.exceptions", "ModelPermissionDeniedError", ModelRefused),
    ("langchain_core.exceptions", "ModelInvalidRequestError", ModelRefused),
    ("langchain_core.exceptions", "ModelNotFoundError", ModelRefused),
    ("langchain_core.exceptions", "ContextOverflowError", ModelRefused),
    ("langchain_core.exceptions", "ModelRateLimitError", ModelRateLimited),
    ("langchain_core.exceptions", "ModelError", ModelUnavailable),
    ("openai", "APIError", ModelUnavailable),
    ("httpx", "RequestError", ModelUnavailable),
    ("httpx2", "RequestError", ModelUnavailable),
    ("builtins", "TimeoutError", ModelUnavailable),
    ("builtins", "ConnectionError", ModelUnavailable),
    ("json", "JSONDecodeError", ModelBroken),
    ("builtins", "UnicodeDecodeError", ModelBroken),
)


def classify(error: BaseException) -> ModelError | None:
    """The ModelError that an exception of a model library stands for, None for any other."""
    if isinstance(error, ModelError):
        return error
    status = _status(error)
    if status is not None:
        return _by_status(status, error)
    for library, name, kind in _KINDS:
        if _is(error, library, name):
            return kind()
    return None


def _status(error: BaseException) -> int | None:
    """The HTTP status of an answer, or the one told inside a stream in its place."""
    for name in ("status_code", "code"):
        value = getattr(error, name, None)
        if isinstance(value, int | str) and str(value).isdecimal() and 400 <= int(value) < 600:
            return int(value)
    return None


def _by_status(status: int, error: BaseException) -> ModelError:
    if getattr(error, "code", None) == "insufficient_quota":
        # It comes as a 429, but no waiting brings the credit back.
        return ModelRefused()
    wait = _retry_after(getattr(getattr(error, "response", None), "headers", {}))
    if status == 429:
        return ModelRateLimited(wait)
    if status in (408, 409) or status >= 500:
        return ModelUnavailable(wait)
    return ModelRefused()


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds to wait by these headers: milliseconds, seconds, or a date."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        return max(0.0, seconds) if math.isfinite(seconds) else None
    date = parsedate_tz(headers.get("retry-after", ""))
    try:
        return max(0.0, mktime_tz(date) - time.time()) if date else None
    except (ValueError, OverflowError):
        return None


def _is(error: BaseException, library: str, name: str) -> bool:
    kind: Any = getattr(sys.modules.get(library), name, None)
    return isinstance(kind, type) and isinstance(error, kind)
