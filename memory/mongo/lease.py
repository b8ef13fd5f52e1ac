"""A lease in MongoDB: of the processes that ask for it one holds it, and only while it lives."""

from pymongo import ReturnDocument

from memory.keys import new_id
from memory.mongo.database import Document, MongoDatabase


class MongoLease:
    """The lease ``name``, which ends ``seconds`` after it was last taken.

    All raise Unavailable while MongoDB is away.
    """

    def __init__(self, database: MongoDatabase, name: str, *, seconds: float = 60.0) -> None:
        self.seconds = seconds
        self._database = database
        self._name = name
        self._holder = new_id("holder")

    async def take(self) -> bool:
        """Hold it from now on for its time, unless another does; whether it is ours."""
        # The server's clock, for those of the processes may differ. What is missing is the least.
        ours = {"$or": [{"$eq": ["$holder", self._holder]}, {"$lte": ["$until", "$$NOW"]}]}
        until = {"$add": ["$$NOW", int(self.seconds * 1000)]}
        step: Document = {
            "holder": {"$cond": [ours, self._holder, "$holder"]},
            "until": {"$cond": [ours, until, "$until"]},
        }
        with self._database.in_order():
            lease = await self._database["leases"].find_one_and_update(
                {"_id": self._name},
                [{"$set": step}],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        return lease is not None and lease["holder"] == self._holder

    async def drop(self) -> None:
        """Let others have it, if it is ours."""
        with self._database.in_order():
            await self._database["leases"].delete_one({"_id": self._name, "holder": self._holder})
