"""The work is done while the lease is held, and not a moment longer."""

import asyncio
from pathlib import Path

import pytest

from memory.errors import Conflict, Unavailable
from server.backup_lease import alone, while_held
from server.settings import Settings
from tests.properties.jumping_loop import run_jumping


class Script:
    """A lease whose every asking is answered by the script, the last answer again and again."""

    seconds = 60.0

    def __init__(self, *answers: bool | Exception) -> None:
        self.dropped = 0
        self._answers = list(answers)

    async def take(self) -> bool:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def drop(self) -> None:
        self.dropped += 1


AWAY = Unavailable("The database does not answer now.")


@pytest.mark.parametrize("after", [False, AWAY], ids=["another has it", "nobody can tell"])
def test_work_ends_with_the_lease_and_begins_again_with_it(
    after: bool | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    lease = Script(False, True, *[after] * 9, True)
    told: list[tuple[str, float]] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        told.append(("begun", loop.time()))
        try:
            await asyncio.sleep(500)
        finally:
            told.append(("ended", loop.time()))

    run_jumping(while_held(lease, work))
    assert [word for word, _ in told] == ["begun", "ended"] * 2
    held, held_again = (told[n + 1][1] - told[n][1] for n in (0, 2))
    assert 59 < held < 61
    assert 499 < held_again < 510
    assert lease.dropped == 2
    assert caplog.text.count("stands by") == 2
    assert "was lost" in caplog.text


async def test_what_the_work_raises_is_raised() -> None:
    lease = Script(True)

    async def work() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        await while_held(lease, work)
    assert lease.dropped == 1


async def test_a_second_process_is_refused_on_a_folder(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)

    async def work() -> None:
        with pytest.raises(Conflict, match="in use"):
            await alone(settings, work)

    await alone(settings, work)
