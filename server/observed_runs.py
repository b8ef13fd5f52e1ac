"""Runs whose work is watched on its way: counted, accounted for."""

from collections.abc import Callable
from typing import Any, cast

from memory.records import Run
from memory.runs import Runs, Work

Watch = Callable[[Run, Work], Work]


def observed(runs: Runs, *watches: Watch) -> Runs:
    """``runs`` as they are, but each run's work goes through the watches."""
    return cast("Runs", _ObservedRuns(runs, watches)) if watches else runs


class _ObservedRuns:
    def __init__(self, runs: Runs, watches: tuple[Watch, ...]) -> None:
        self._runs = runs
        self._watches = watches

    async def start(self, run: Run, work: Work) -> None:
        for watch in self._watches:
            work = watch(run, work)
        await self._runs.start(run, work)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runs, name)
