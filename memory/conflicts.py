"""The conflicts that every store words alike. Pure."""

from memory.errors import Conflict


def room_busy(run_id: str) -> Conflict:
    """A room's turn, which that run answers, is still open."""
    return Conflict("A turn is running in this room.", code="room_busy", details={"run_id": run_id})


def turn_closed() -> Conflict:
    """The turn that is to be ended is no longer the room's open one."""
    return Conflict("This turn was closed by another.", code="turn_closed")


def run_exists(run_id: str) -> Conflict:
    """That run of the room took the same idempotency key."""
    return Conflict(
        "A run with this Idempotency-Key exists.", code="run_exists", details={"run_id": run_id}
    )


def duplicate(entry_id: str) -> Conflict:
    """That entry of the owner's says the same."""
    return Conflict(
        "This content is in the archive already.", code="duplicate", details={"id": entry_id}
    )


def too_many_files(most: int) -> Conflict:
    """An entry has, or would have, more than ``most`` files."""
    return Conflict(f"An entry has at most {most} files.", code="too_many_files")
