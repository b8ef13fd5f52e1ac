"""Passwords by argon2id, off the event loop; knows no users."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Self

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

AT_ONCE = 2
"""How many hashes are made at the same time: each takes its own memory."""


class Passwords:
    """Hashes and checks passwords with these parameters; ``memory_kib`` is for one hash."""

    def __init__(self, *, time_cost: int, memory_kib: int, parallelism: int) -> None:
        self._hasher = PasswordHasher(
            time_cost=time_cost, memory_cost=memory_kib, parallelism=parallelism
        )
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._nobody = ""

    @classmethod
    async def open(cls, *, time_cost: int, memory_kib: int, parallelism: int) -> Self:
        """With a hash at hand that stands for whoever is unknown."""
        passwords = cls(time_cost=time_cost, memory_kib=memory_kib, parallelism=parallelism)
        passwords._nobody = await passwords.hash("nobody's password")
        return passwords

    async def hash(self, password: str) -> str:
        """A hash with its own salt and parameters in it."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, self._hasher.hash, password)

    async def verify(self, known: str | None, password: str) -> bool:
        """Whether the password is that of the hash; without one False, after as long a time."""
        loop = asyncio.get_running_loop()
        right = await loop.run_in_executor(
            self._pool, self._verify, known or self._nobody, password
        )
        return right and known is not None

    def needs_rehash(self, known: str) -> bool:
        """Whether a hash was made with other parameters than these."""
        return self._hasher.check_needs_rehash(known)

    async def close(self) -> None:
        await asyncio.to_thread(self._pool.shutdown)

    def _verify(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False
