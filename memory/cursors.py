"""Opaque cursors of paged lists: the sort values of the last item seen. Pure."""

import base64
import binascii

import orjson

from memory.errors import Invalid

Part = str | int | float

_LARGEST = 2**63 - 1
"""The largest integer that every store takes."""


def encode_cursor(*parts: Part) -> str:
    """An opaque URL-safe text of ``parts``."""
    return base64.urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def decode_cursor(cursor: str, *kinds: type) -> tuple[Part, ...]:
    """The parts of a cursor, each an instance of its kind; Invalid ``cursor`` otherwise."""
    refused = Invalid.field("cursor", "this is not a cursor that this list gave")
    try:
        parts = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error) as error:
        raise refused from error
    if not isinstance(parts, list) or len(parts) != len(kinds):
        raise refused
    # A moment beside an entry's number may be before 1970; whatever else is a number is counted.
    least = -_LARGEST if kinds == (int, int) else 0
    if any(
        not isinstance(part, kind)
        or isinstance(part, bool)
        or (isinstance(part, int) and not least <= part <= _LARGEST)
        for part, kind in zip(parts, kinds, strict=True)
    ):
        raise refused
    return tuple(parts)
