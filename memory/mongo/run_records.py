"""What is kept of runs, in MongoDB."""

from collections.abc import Sequence

from memory.errors import NotFound
from memory.mongo.database import MongoDatabase
from memory.mongo.documents import message_from, message_id, run_from
from memory.mongo.faults import mapped_errors
from memory.records import Message, Run


class MongoRunRecords:
    """The RunRecords protocol on one database of MongoDB."""

    def __init__(self, database: MongoDatabase) -> None:
        self._runs = database["runs"]
        self._messages = database["messages"]

    async def get(self, owner: str, run_id: str) -> Run:
        with mapped_errors():
            document = await self._runs.find_one({"_id": run_id, "owner": owner})
        if document is None:
            raise NotFound.of("run")
        return run_from(document)

    async def by_key(self, owner: str, room_id: str, idempotency_key: str) -> Run | None:
        where = {"owner": owner, "room": room_id, "idempotency_key": idempotency_key}
        with mapped_errors():
            document = await self._runs.find_one(where)
        return None if document is None else run_from(document)

    async def answer(self, run: Run) -> Message | None:
        if run.answer_key is None:
            return None
        where = {"_id": message_id(run.room_id, run.answer_key), "owner": run.owner}
        with mapped_errors():
            document = await self._messages.find_one(where)
        return None if document is None else message_from(document)

    async def unfinished(self) -> Sequence[Run]:
        with mapped_errors():
            found = self._runs.find({"status": "running"})
            return [run_from(document) async for document in found]
