"""The board of runs in MongoDB: leases and wishes to stop stand with the open turns of rooms.

The runs of a user are counted in one document, which goes with the last of them. Events are not
kept: who follows from another process gets the stored answer when it is there.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence

from pymongo import ReturnDocument, UpdateOne
from pymongo.write_concern import WriteConcern

from memory.board import LEASE_SECONDS
from memory.keys import new_id
from memory.mongo.database import Document, MongoDatabase
from memory.mongo.faults import mapped_errors
from memory.mongo.newest import NEWEST_RUNS, newest_runs
from memory.records import Event, Run
from memory.run_slots import by_owner

POLL_SECONDS = 0.5

# The server's clock, for those of the processes may differ.
_UNTIL: Document = {"$add": ["$$NOW", int(LEASE_SECONDS * 1000)]}


def _counting(ids: Sequence[str], most: int = 10**9) -> list[Document]:
    """Count these runs of a user unless there are too many that are still held."""
    others = {"$and": [{"$gt": ["$$this.until", "$$NOW"]}, {"$not": {"$in": ["$$this.id", ids]}}]}
    kept = {"$filter": {"input": {"$ifNull": ["$runs", []]}, "cond": others}}
    these = [{"id": run_id, "until": _UNTIL} for run_id in ids]
    room = {"$lt": [{"$size": "$runs"}, most]}
    return [
        {"$set": {"runs": kept, "until": _UNTIL}},
        {"$set": {"runs": {"$cond": [room, {"$concatArrays": ["$runs", these]}, "$runs"]}}},
    ]


class MongoBoard:
    """The Board protocol on one database of MongoDB."""

    keeps_events = False

    def __init__(self, database: MongoDatabase) -> None:
        # What is lost with a primary is told again within two seconds.
        self._rooms, self._runs, self._counted = (
            database[name].with_options(write_concern=WriteConcern(w=1))
            for name in ("rooms", "runs", "counted_runs")
        )
        self._worker = new_id("worker")

    async def admit(self, run: Run, most: int) -> bool:
        with mapped_errors():
            counted = await self._counted.find_one_and_update(
                {"_id": run.owner},
                _counting([run.id], most),
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return any(one["id"] == run.id for one in (counted or {}).get("runs", ()))

    async def hold(self, runs: Collection[Run]) -> None:
        held: list[UpdateOne] = [
            UpdateOne({"_id": owner}, _counting(ids), upsert=True)
            for owner, ids in by_owner(runs).items()
        ]
        if held:
            with mapped_errors():
                await self._counted.bulk_write(held, ordered=False)

    async def release(self, run: Run) -> None:
        its: Document = {"_id": run.owner, "runs.id": run.id}
        with mapped_errors():
            gone = await self._counted.delete_one(its | {"runs": {"$size": 1}})
            if not gone.deleted_count:
                await self._counted.update_one(its, {"$pull": {"runs": {"id": run.id}}})

    async def renew(self, run_ids: Collection[str]) -> Collection[str]:
        open_ones: Document = {"open.run_id": {"$in": list(run_ids)}}
        with mapped_errors():
            changed = await self._rooms.update_many(
                open_ones, [{"$set": {"open.worker": self._worker, "open.held_until": _UNTIL}}]
            )
            if changed.matched_count == len(run_ids):
                return []
            return [*await self._failed(run_ids)]

    async def _failed(self, run_ids: Collection[str]) -> Collection[str]:
        failed = {"_id": {"$in": list(run_ids)}, "status": "failed"}
        newest = self._rooms.find({"recent.run._id": failed["_id"]}, NEWEST_RUNS)
        runs = [run async for document in newest for run in newest_runs(document)]
        found = {one["_id"] for one in runs if one["status"] == "failed"} & set(run_ids)
        return found | {document["_id"] async for document in self._runs.find(failed, {"_id": 1})}

    async def held(self, run_id: str) -> bool:
        held = {"open.run_id": run_id, "$expr": {"$gt": ["$open.held_until", "$$NOW"]}}
        with mapped_errors():
            return await self._rooms.find_one(held, {"_id": 1}) is not None

    async def ask_to_stop(self, run_id: str) -> None:
        with mapped_errors():
            await self._rooms.update_one({"open.run_id": run_id}, {"$set": {"open.to_stop": True}})

    async def to_stop(self, run_ids: Collection[str]) -> Collection[str]:
        asked = {"open.run_id": {"$in": list(run_ids)}, "open.to_stop": True}
        with mapped_errors():
            found = self._rooms.find(asked, {"open.run_id": 1})
            return [document["open"]["run_id"] async for document in found]

    async def append(self, run: Run, events: Sequence[Event]) -> int:
        return events[-1].id

    async def close(self, run_id: str, events: Sequence[Event]) -> bool:
        return False

    async def kept(self, run_id: str) -> Sequence[Event]:
        return []

    async def read(self, positions: Mapping[str, int]) -> Mapping[str, Sequence[Event]]:
        await asyncio.sleep(POLL_SECONDS)
        return {}

    async def known(self, room_id: str) -> Collection[str]:
        return ()

    async def forget(self, room_id: str, run_ids: Collection[str]) -> None:
        """Nothing is kept."""
