"""Morphemes by Kiwi, of the extra ``korean``; loaded only where it is asked for."""

import asyncio
from collections.abc import Sequence
from typing import Self

from kiwipiepy import Kiwi  # type: ignore[import-untyped]

from memory.korean import Morpheme


class KiwiAnalyser:
    """The Analyser protocol. One takes 0.5 GB of memory."""

    def __init__(self, kiwi: Kiwi) -> None:
        self._kiwi = kiwi
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls) -> Self:
        """Load it on a thread: takes seconds."""
        return cls(await asyncio.to_thread(_loaded))

    async def morphemes(self, text: str) -> Sequence[Morpheme]:
        async with self._turn:
            return await asyncio.to_thread(_morphemes, self._kiwi, text)


def _loaded() -> Kiwi:
    kiwi = Kiwi(num_workers=1)
    _morphemes(kiwi, "준비")  # the first text takes as long as loading
    return kiwi


def _morphemes(kiwi: Kiwi, text: str) -> list[Morpheme]:
    # Tags of irregular verbs have a further letter, as in VV-I.
    return [Morpheme(one.tag.partition("-")[0], one.start, one.end) for one in kiwi.tokenize(text)]
