"""Sessions in MongoDB, which deletes each some time after it is over."""

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from memory.accounts import Session
from memory.mongo.database import Document, MongoDatabase
from memory.mongo.faults import mapped_errors
from memory.sessions import Lifetime, Over, Watch, new_sid, session_id
from memory.times import now


class MongoSessions:
    """The Sessions protocol on one database of MongoDB."""

    def __init__(self, database: MongoDatabase, lifetime: Lifetime) -> None:
        self._sessions = database["sessions"]
        self._lifetime = lifetime
        self._watch = Watch(self._look)

    async def open(self, uid: str) -> tuple[str, Session]:
        sid = new_sid()
        session = self._lifetime.opened(sid, uid)
        document = {
            "_id": session.id,
            "uid": uid,
            "created_at": session.created_at,
            "expires_at": session.expires_at,
            "ends_at": session.ends_at,
        }
        with mapped_errors():
            await self._sessions.insert_one(document)
        return sid, session

    async def use(self, sid: str) -> Session | None:
        where = {"_id": session_id(sid), "expires_at": {"$gt": now()}}
        with mapped_errors():
            document = await self._sessions.find_one(where)
            if document is None:
                return None
            session = _session_from(document)
            used = self._lifetime.used(session)
            if used is session:
                return session
            moved = await self._sessions.update_one(
                {"_id": used.id}, {"$set": {"expires_at": used.expires_at}}
            )
        return used if moved.matched_count else None

    async def close(self, session_id: str) -> None:
        with mapped_errors():
            await self._sessions.delete_one({"_id": session_id})
        self._watch.tell([session_id])

    async def close_all(self, uid: str) -> int:
        with mapped_errors():
            found = self._sessions.find({"uid": uid}, {"_id": 1})
            ids = [document["_id"] async for document in found]
            closed = await self._sessions.delete_many({"uid": uid})
        self._watch.tell(ids)
        return closed.deleted_count

    def watched(self, session: Session, over: Over) -> AbstractContextManager[None]:
        return self._watch.watched(session, over)

    async def _look(self, ids: Collection[str]) -> Mapping[str, datetime]:
        with mapped_errors():
            found = self._sessions.find({"_id": {"$in": list(ids)}}, {"expires_at": 1})
            return {one["_id"]: _moment(one["expires_at"]) async for one in found}


def _session_from(document: Document) -> Session:
    return Session(
        id=document["_id"],
        uid=document["uid"],
        created_at=_moment(document["created_at"]),
        expires_at=_moment(document["expires_at"]),
        ends_at=_moment(document["ends_at"]),
    )


def _moment(stored: datetime) -> datetime:
    """The driver gives times in UTC without saying so."""
    return stored.replace(tzinfo=UTC)
