"""Which category a content was given lately, so that a model that varies gives it no other."""

from collections import OrderedDict
from hashlib import sha256

from memory.archive_rules import fingerprint

KEPT = 1_000
"""How many choices one process remembers; they are names alone, and gone when it ends."""


class Choices:
    """The latest choices of everyone; neither owner nor content can be read out of it."""

    def __init__(self, kept: int = KEPT) -> None:
        self._names: OrderedDict[bytes, str] = OrderedDict()
        self._kept = kept

    def of(self, owner: str, content: str) -> str | None:
        """The name that the owner's content got, whatever its case, spacing and punctuation."""
        return self._names.get(_key(owner, content))

    def keep(self, owner: str, content: str, name: str) -> str:
        """Remember ``name``, or the one that another call was quicker with; the one that counts."""
        kept = self._names.setdefault(_key(owner, content), name)
        if len(self._names) > self._kept:
            self._names.popitem(last=False)
        return kept


def _key(owner: str, content: str) -> bytes:
    return sha256(f"{owner}\0{fingerprint(content)}".encode()).digest()
