"""A change that others come before is made again, but not for ever."""

import pytest

from memory import retrying
from memory.errors import Unavailable
from memory.retrying import retried


class Changing:
    """Changes once the others have."""

    def __init__(self, others: int) -> None:
        self.others = others

    @retried
    async def change(self, label: str, *, version: int) -> str | None:
        self.others -= 1
        return None if self.others >= 0 else f"{label} {version}"


async def test_a_change_is_made_again_as_it_was_asked_for() -> None:
    assert await Changing(others=3).change("토마토", version=2) == "토마토 2"


async def test_a_change_is_given_up_where_others_always_come_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retrying, "STEP_SECONDS", 0)
    changing = Changing(others=1000)
    with pytest.raises(Unavailable):
        await changing.change("토마토", version=2)
    assert changing.others == 1000 - retrying.ATTEMPTS
