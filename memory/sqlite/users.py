"""Users in SQLite."""

import sqlite3

from memory.accounts import User
from memory.cursors import decode_cursor, encode_cursor
from memory.errors import Conflict, NotFound
from memory.keys import new_id
from memory.records import Page
from memory.sqlite.database import Database
from memory.times import from_micros, now, to_micros
from memory.usernames import checked_username, folded


class SQLiteUsers:
    """The Users protocol on one SQLite file."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, username: str, password_hash: str) -> User:
        user = User(uid=new_id("user"), username=checked_username(username), created_at=now())

        def work(connection: sqlite3.Connection) -> User:
            try:
                connection.execute(
                    "INSERT INTO users (uid, username, folded, password_hash, created_at)"
                    " VALUES (?, ?, ?, ?, ?)",
                    (
                        user.uid,
                        user.username,
                        folded(user.username),
                        password_hash,
                        to_micros(user.created_at),
                    ),
                )
            except sqlite3.IntegrityError as error:
                raise Conflict("This user name is taken.", code="username_taken") from error
            return user

        return await self._database.write(work)

    async def get(self, uid: str) -> User:
        def work(connection: sqlite3.Connection) -> User:
            row = connection.execute("SELECT * FROM users WHERE uid = ?", (uid,)).fetchone()
            if row is None:
                raise NotFound.of("user")
            return _user_from(row)

        return await self._database.read(work)

    async def by_name(self, username: str) -> tuple[User, str] | None:
        def work(connection: sqlite3.Connection) -> tuple[User, str] | None:
            row = connection.execute(
                "SELECT * FROM users WHERE folded = ?", (folded(username),)
            ).fetchone()
            return None if row is None else (_user_from(row), row["password_hash"])

        return await self._database.read(work)

    async def set_password_hash(self, uid: str, password_hash: str) -> None:
        await self._change(uid, "password_hash", password_hash)

    async def set_disabled(self, uid: str, disabled: bool) -> None:
        await self._change(uid, "disabled", disabled)

    async def page(self, *, limit: int, cursor: str | None = None) -> Page[User]:
        (after,) = decode_cursor(cursor, str) if cursor is not None else ("",)

        def work(connection: sqlite3.Connection) -> list[User]:
            rows = connection.execute(
                "SELECT * FROM users WHERE folded > ? ORDER BY folded LIMIT ?", (after, limit + 1)
            )
            return [_user_from(row) for row in rows]

        users = await self._database.read(work)
        if len(users) <= limit:
            return Page(users)
        return Page(users[:limit], encode_cursor(folded(users[limit - 1].username)))

    async def delete(self, uid: str) -> None:
        def work(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM users WHERE uid = ?", (uid,))

        await self._database.write(work)

    async def _change(self, uid: str, column: str, value: object) -> None:
        def work(connection: sqlite3.Connection) -> None:
            done = connection.execute(
                f"UPDATE users SET {column} = ? WHERE uid = ?",  # noqa: S608 - our own names
                (value, uid),
            )
            if done.rowcount == 0:
                raise NotFound.of("user")

        await self._database.write(work)


def _user_from(row: sqlite3.Row) -> User:
    return User(
        uid=row["uid"],
        username=row["username"],
        created_at=from_micros(row["created_at"]),
        disabled=bool(row["disabled"]),
    )
