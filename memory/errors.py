"""What can go wrong with what is remembered; each driver's errors become one of these, once.

StoreError
├── NotFound      it does not exist, or is not the caller's
├── Conflict      it exists already, or is in use
├── Stale         it changed since the caller read it
├── Invalid       a value outside its bounds
├── TooLarge      a value over its size
├── Newer         the data was written by a newer version
├── TooMany       the limit of concurrent work is reached; a later try may succeed
└── Unavailable   the store is away; a later try may succeed

``code`` is the machine's word for it, ``str(error)`` a sentence that is safe to show anyone.
"""

from collections.abc import Mapping


class StoreError(Exception):
    """The root of this room's errors."""

    code = "store_error"

    def __init__(
        self, message: str, *, code: str | None = None, details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code or type(self).code
        self.details = dict(details or {})


class NotFound(StoreError):
    """Nothing of this id belongs to the caller."""

    code = "not_found"

    @classmethod
    def of(cls, kind: str) -> "NotFound":
        """For ``kind`` "room": code ``room_not_found``."""
        return cls(f"There is no such {kind}.", code=f"{kind.replace(' ', '_')}_not_found")


class Conflict(StoreError):
    """The change contradicts what is there."""

    code = "conflict"


class Stale(StoreError):
    """The record is not the version that the caller saw."""

    code = "changed_since"


class Invalid(StoreError):
    """A field's value is refused; ``details["field"]`` names it."""

    code = "invalid_field"

    @classmethod
    def field(cls, name: str, reason: str) -> "Invalid":
        return cls(f"{name}: {reason}", details={"field": name, "reason": reason})


class TooLarge(StoreError):
    """A value is over its limit of bytes."""

    code = "too_large"


class Newer(StoreError):
    """The store was written by a newer version and was left untouched."""

    code = "newer_data"


class TooMany(StoreError):
    """The limit of concurrent work is reached; a later try may succeed."""

    code = "too_many"


class Unavailable(StoreError):
    """The store does not answer."""

    code = "store_unavailable"
