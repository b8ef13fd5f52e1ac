"""What an examination found, as plain values; knows nothing of what was examined."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

CLOCKS_APART = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``says`` is a line for the operator, never content.

    A ``note`` is worth knowing and may stay as it is; ``mend`` tells how to make an end of it.
    """

    part: str
    level: Literal["ok", "note", "mended", "problem"]
    says: str
    mend: str = ""


def clock(
    whose: str,
    theirs: datetime,
    before: datetime,
    after: datetime,
    *,
    step: timedelta = timedelta(0),
) -> Finding:
    """How far a clock is from ours, which was read before and after it; it may tell whole steps."""
    theirs = theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC)
    apart = max(before - theirs - step, theirs - after, timedelta(0))
    says = f"{apart.total_seconds():.1f} s from {whose}'s"
    if apart <= CLOCKS_APART:
        return Finding("clock", "ok", says)
    mend = "set both by NTP (`timedatectl set-ntp true`): sessions and leases end by the clock"
    return Finding("clock", "problem", says, mend)


def version(part: str, found: str, oldest: tuple[int, int], says: str) -> Finding:
    """Whether ``found``, such as ``7.2.4``, is new enough; ``says`` is what else is known."""
    parts = [int(one) if one.isdigit() else 0 for one in found.split(".")[:2]]
    if tuple(parts) >= oldest:
        return Finding(part, "ok", f"version {found}, {says}")
    wanted = ".".join(map(str, oldest))
    return Finding(part, "problem", f"version {found}, {says}", f"upgrade it to {wanted} or newer")
