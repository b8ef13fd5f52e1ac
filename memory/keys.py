"""Keys of messages and ids of records: how they are made and read. Pure."""

import re
import secrets

LAST_INDEX = 9999
"""The highest index that a message key can hold."""

_KEY = re.compile(r"t(\d{8})-(\d{4})\Z", re.ASCII)


def message_key(turn: int, index: int) -> str:
    """The key of message ``index`` (0 is the question) of turn ``turn`` (from 1).

    Keys of a room sort as text in the order of the talk, and the same message always has the
    same key, so that writing it twice cannot make two of it.
    """
    if not (0 <= turn < 10**8 and 0 <= index <= LAST_INDEX):
        raise ValueError("a key holds turns below 100,000,000 and indexes below 10,000")
    return f"t{turn:08d}-{index:04d}"


def turn_of(key: str) -> int:
    """The turn that a message key belongs to; ValueError when it is not a message key."""
    found = _KEY.match(key)
    if found is None:
        raise ValueError("not a message key")
    return int(found[1])


def new_id(kind: str) -> str:
    """A new opaque id such as ``room_4f0c...`` with 96 random bits."""
    return f"{kind}_{secrets.token_hex(12)}"
