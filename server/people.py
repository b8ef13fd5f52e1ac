"""Names and passwords together: who registers, who is who they say; knows no HTTP."""

from memory.accounts import User, Users
from memory.passwords import Passwords
from memory.usernames import checked_username, folded


class People:
    """Registers and authenticates users."""

    def __init__(self, users: Users, passwords: Passwords) -> None:
        self._users = users
        self._passwords = passwords

    @staticmethod
    def key_of(username: str) -> str:
        """What all spellings of one name have in common."""
        return folded(username)

    async def register(self, username: str, password: str) -> User:
        """Invalid ``username``, Conflict ``username_taken``."""
        # Refused before it costs a hash.
        checked_username(username)
        return await self._users.add(username, await self._passwords.hash(password))

    async def authenticate(self, username: str, password: str) -> User | None:
        """The user if name and password are right; it takes as long if they are not."""
        found = await self._users.by_name(username)
        user, known = found if found is not None else (None, None)
        right = await self._passwords.verify(known, password)
        if not right or user is None or known is None or user.disabled:
            return None
        if self._passwords.needs_rehash(known):
            await self._users.set_password_hash(user.uid, await self._passwords.hash(password))
        return user

    async def set_password(self, uid: str, password: str) -> None:
        await self._users.set_password_hash(uid, await self._passwords.hash(password))
