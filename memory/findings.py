"""What an examination of the stores found, as plain values."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``says`` is a line for the operator, never content."""

    part: str
    level: Literal["ok", "mended", "problem"]
    says: str
