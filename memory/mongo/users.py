"""Users in MongoDB."""

from typing import Any

from pymongo import ASCENDING
from pymongo.errors import DuplicateKeyError

from memory.accounts import User
from memory.cursors import decode_cursor, encode_cursor
from memory.errors import Conflict, NotFound
from memory.keys import new_id
from memory.mongo.database import Document, MongoDatabase
from memory.mongo.faults import mapped_errors
from memory.records import Page
from memory.times import from_micros, now, to_micros
from memory.usernames import checked_username, folded


class MongoUsers:
    """The Users protocol on one database of MongoDB."""

    def __init__(self, database: MongoDatabase) -> None:
        self._users = database["users"]

    async def add(self, username: str, password_hash: str) -> User:
        user = User(uid=new_id("user"), username=checked_username(username), created_at=now())
        document = {
            "_id": user.uid,
            "username": user.username,
            "folded": folded(user.username),
            "password_hash": password_hash,
            "created_at": to_micros(user.created_at),
            "disabled": False,
        }
        with mapped_errors():
            try:
                await self._users.insert_one(document)
            except DuplicateKeyError as error:
                raise Conflict("This user name is taken.", code="username_taken") from error
        return user

    async def get(self, uid: str) -> User:
        with mapped_errors():
            document = await self._users.find_one({"_id": uid})
        if document is None:
            raise NotFound.of("user")
        return _user_from(document)

    async def by_name(self, username: str) -> tuple[User, str] | None:
        with mapped_errors():
            document = await self._users.find_one({"folded": folded(username)})
        return None if document is None else (_user_from(document), document["password_hash"])

    async def set_password_hash(self, uid: str, password_hash: str) -> None:
        await self._change(uid, {"password_hash": password_hash})

    async def set_disabled(self, uid: str, disabled: bool) -> None:
        await self._change(uid, {"disabled": disabled})

    async def page(self, *, limit: int, cursor: str | None = None) -> Page[User]:
        (after,) = decode_cursor(cursor, str) if cursor is not None else ("",)
        with mapped_errors():
            found = self._users.find({"folded": {"$gt": after}}).sort("folded", ASCENDING)
            users = [_user_from(document) async for document in found.limit(limit + 1)]
        if len(users) <= limit:
            return Page(users)
        return Page(users[:limit], encode_cursor(folded(users[limit - 1].username)))

    async def delete(self, uid: str) -> None:
        with mapped_errors():
            await self._users.delete_one({"_id": uid})

    async def _change(self, uid: str, values: dict[str, Any]) -> None:
        with mapped_errors():
            done = await self._users.update_one({"_id": uid}, {"$set": values})
        if done.matched_count == 0:
            raise NotFound.of("user")


def _user_from(document: Document) -> User:
    return User(
        uid=document["_id"],
        username=document["username"],
        created_at=from_micros(document["created_at"]),
        disabled=document["disabled"],
    )
