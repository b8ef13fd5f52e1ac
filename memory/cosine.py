"""Exact search for the nearest vectors, a block at a time. Pure, with numpy."""

from collections.abc import Iterable, Sequence

import numpy as np

BLOCK = 512
"""How many vectors are looked at together: some megabytes, however large an archive is."""


def packed(vector: Sequence[float]) -> bytes:
    """A vector of length 1 as 32-bit floats, little-endian."""
    return _unit(vector).astype("<f4").tobytes()


def _unit(vector: Sequence[float]) -> "np.typing.NDArray[np.float64]":
    one = np.asarray(vector, dtype=np.float64)
    length = float(np.linalg.norm(one))
    return one / length if length and np.isfinite(length) else np.zeros_like(one)


class Nearest:
    """Of the vectors it is shown the ``limit`` nearest to ``wanted``."""

    def __init__(self, wanted: Sequence[float], limit: int) -> None:
        self._wanted = np.frombuffer(packed(wanted), dtype="<f4")
        self._limit = limit
        self._numbers = np.empty(0, dtype=np.int64)
        self._cosines = np.empty(0, dtype=np.float32)

    def add(self, vectors: Iterable[tuple[int, bytes]]) -> None:
        """Look at packed vectors by their numbers; those of another length are passed over."""
        size = self._wanted.nbytes
        fitting = [(number, vector) for number, vector in vectors if len(vector) == size]
        if not fitting or not size:
            return
        block = np.frombuffer(b"".join(vector for _, vector in fitting), dtype="<f4")
        cosines = block.reshape(len(fitting), -1) @ self._wanted
        numbers = np.array([number for number, _ in fitting], dtype=np.int64)
        self._numbers = np.concatenate([self._numbers, numbers])
        self._cosines = np.concatenate([self._cosines, cosines])
        # The newer of equals first, as everywhere.
        best = np.lexsort((-self._numbers, -self._cosines))[: self._limit]
        self._numbers, self._cosines = self._numbers[best], self._cosines[best]

    def best(self) -> list[tuple[int, float]]:
        """Numbers with their cosines, the nearest first."""
        return list(zip(self._numbers.tolist(), self._cosines.tolist(), strict=True))
