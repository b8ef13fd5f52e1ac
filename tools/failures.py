"""What the archive's errors mean to a model: each in words that it can act on."""

from collections.abc import Iterator
from contextlib import contextmanager

from memory import errors
from tools.errors import ToolFailed

_FIELDS = {"summary": "label"}

_NOT_FOUND = (
    "There is no entry with this id. Find it with archive_search or archive_list and use the id "
    "from the result."
)
_STALE = "The entry was changed in the meantime. Read it with archive_read, then decide again."
_TOO_LARGE = "The content is too large for the archive. Keep a shorter part of it."
_UNAVAILABLE = (
    "The archive can't be reached now. Tell the person that this was not done and that they can "
    "try again in a while."
)
_REFUSED = "The archive refused this. Tell the person that it was not done."


@contextmanager
def told_to_model() -> Iterator[None]:
    """Turn the archive's errors into ToolFailed; never with a text made from outside."""
    try:
        yield
    except errors.StoreError as error:
        raise ToolFailed(_words(error)) from error


def _words(error: errors.StoreError) -> str:
    match error:
        case errors.NotFound():
            return _NOT_FOUND
        case errors.Stale():
            return _STALE
        case errors.TooLarge():
            return _TOO_LARGE
        case errors.Unavailable():
            return _UNAVAILABLE
        case errors.Invalid():
            field = str(error.details.get("field", "value"))
            return f"{_FIELDS.get(field, field)}: {error.details.get('reason', 'refused')}"
        case errors.Conflict(code="duplicate"):
            known = error.details.get("id", "")
            return f"Entry {known} already has exactly this content. Nothing was changed."
        case _:
            return _REFUSED
