"""Counters of usage in MongoDB: one document for each owner and day."""

from collections.abc import Collection, Sequence
from datetime import date

from pymongo import DESCENDING, UpdateOne

from memory.mongo.database import Document, MongoDatabase
from memory.mongo.faults import mapped_errors
from memory.records import Usage
from memory.usage import Counted, DayUsage


class MongoUsageRecords:
    """The UsageRecords protocol on one database of MongoDB."""

    def __init__(self, database: MongoDatabase) -> None:
        self._usage = database["usage"]

    async def add(self, counts: Collection[Counted]) -> None:
        updates = [
            UpdateOne(
                {"owner": owner, "day": more.day.isoformat()},
                {
                    "$inc": {
                        "turns": more.turns,
                        "input_tokens": more.usage.input_tokens,
                        "output_tokens": more.usage.output_tokens,
                    }
                },
                upsert=True,
            )
            for owner, more in counts
        ]
        with mapped_errors():
            await self._usage.bulk_write(updates, ordered=False)

    async def day(self, owner: str, day: date) -> DayUsage:
        with mapped_errors():
            document = await self._usage.find_one({"owner": owner, "day": day.isoformat()})
        if document is None:
            return DayUsage(day=day, turns=0, usage=Usage())
        return _day_from(document)

    async def days(self, owner: str, *, limit: int) -> Sequence[DayUsage]:
        with mapped_errors():
            found = self._usage.find({"owner": owner}).sort("day", DESCENDING).limit(limit)
            return [_day_from(document) async for document in found]

    async def delete_all(self, owner: str) -> None:
        with mapped_errors():
            await self._usage.delete_many({"owner": owner})


def _day_from(document: Document) -> DayUsage:
    return DayUsage(
        day=date.fromisoformat(document["day"]),
        turns=document["turns"],
        usage=Usage(input_tokens=document["input_tokens"], output_tokens=document["output_tokens"]),
    )
