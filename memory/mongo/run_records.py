"""What is kept of runs, in MongoDB."""

from collections.abc import Sequence

from memory.errors import NotFound
from memory.mongo.database import Document, MongoDatabase
from memory.mongo.documents import message_from, message_id, run_from
from memory.mongo.faults import mapped_errors
from memory.mongo.newest import NEWEST_RUNS, newest_runs
from memory.records import Message, Run


class MongoRunRecords:
    """The RunRecords protocol on one database of MongoDB."""

    def __init__(self, database: MongoDatabase) -> None:
        self._rooms = database["rooms"]
        self._runs = database["runs"]
        self._messages = database["messages"]

    async def get(self, owner: str, run_id: str) -> Run:
        newest = {"$or": [{"open.run_id": run_id}, {"recent.run._id": run_id}]}
        run = await self._find(owner, newest, {"_id": run_id})
        if run is None:
            raise NotFound.of("run")
        return run

    async def by_key(self, owner: str, room_id: str, idempotency_key: str) -> Run | None:
        key = {"idempotency_key": idempotency_key}
        return await self._find(owner, {"_id": room_id}, key | {"room": room_id})

    async def _find(self, owner: str, newest: Document, older: Document) -> Run | None:
        """The run that is as ``older`` says, of the newest ones of the rooms ``newest``."""
        with mapped_errors():
            # The rooms first: a run goes from there to the others.
            room = await self._rooms.find_one(newest | {"owner": owner}, NEWEST_RUNS)
            for run in newest_runs(room):
                if older.items() <= run.items():
                    return run_from(run)
            document = await self._runs.find_one(older | {"owner": owner})
        return None if document is None else run_from(document)

    async def answer(self, run: Run) -> Message | None:
        if run.answer_key is None:
            return None
        answer = message_id(run.room_id, run.answer_key)
        with mapped_errors():
            newest = {"_id": run.room_id, "owner": run.owner, "recent.run._id": run.id}
            room = await self._rooms.find_one(newest, {"recent.$": 1})
            if room is not None:
                (turn,) = room["recent"]
                found = (one for one in turn["messages"] if one["_id"] == answer)
                document = next(found, None)
            else:
                document = await self._messages.find_one({"_id": answer, "owner": run.owner})
        return None if document is None else message_from(document)

    async def unfinished(self) -> Sequence[Run]:
        with mapped_errors():
            found = self._rooms.find({"open.run_id": {"$exists": True}}, NEWEST_RUNS)
            runs = [run for document in await found.to_list() for run in newest_runs(document)]
        return [run_from(run) for run in runs if run["status"] == "running"]
