"""A MongoDB database as the stores use it: its collections, units of work."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from pymongo import timeout
from pymongo.asynchronous.client_session import AsyncClientSession
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase

from memory.mongo.faults import mapped_errors

T = TypeVar("T")
Document = dict[str, Any]
Session = AsyncClientSession | None
Work = Callable[[Session], Awaitable[T]]

WAIT_MS = 3_500
"""How long one unit of work may take, its search for a server included."""


def has_transactions(hello: Mapping[str, Any]) -> bool:
    """Whether the server that answered the command ``hello`` so is of a replica set or a cluster.

    One that stands alone has neither transactions nor snapshots.
    """
    return "setName" in hello or hello.get("msg") == "isdbgrid"


class MongoDatabase:
    """Collections by name; ``atomic`` runs work in a transaction where the server has them.

    On a standalone server, which has none, the same steps run one by one: they are ordered so
    that what a crash leaves behind is never seen.
    """

    def __init__(self, database: AsyncDatabase[Document], *, transactions: bool) -> None:
        self.database = database
        self._transactions = transactions

    def __getitem__(self, name: str) -> AsyncCollection[Document]:
        return self.database[name]

    async def atomic(self, work: Work[T]) -> T:
        """Run ``work`` so that all of it is kept, or none of it."""
        with self.in_order():
            if not self._transactions:
                return await work(None)
            async with self.database.client.start_session() as session:
                return await session.with_transaction(work)

    @contextmanager
    def in_order(self) -> Iterator[None]:
        """Steps that may be cut short anywhere, within the time of one unit of work."""
        # One deadline for all of it: else each step, retry and abort would have its own.
        with mapped_errors(), timeout(WAIT_MS / 1000):
            yield
