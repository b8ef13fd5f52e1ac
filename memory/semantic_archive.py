"""An archive that is also searched by meaning; knows vectors and their maker by protocol only."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from memory.archive_layer import ArchiveLayer
from memory.archive_rules import check_query
from memory.cursors import decode_cursor, encode_cursor
from memory.embeddings import Embedder, Vectors, Wording, fuse, near_enough
from memory.errors import Invalid, StoreError
from memory.protocols import Archive
from memory.records import Entry, Found, Page

log = logging.getLogger("tomato.memory")

BATCH, AT_ONCE = 64, 4
"""How many entries are embedded together, and for how many owners at once."""

BY_WORDS, BY_MEANING = 200, 50
"""How many of each list are fused."""

QUERY_SECONDS, FILLING_SECONDS = 3.0, 1.0
"""How long a search waits for the query's vector, and meanwhile for those of new entries."""

SHORT_CHARACTERS = 200
"""A refused text of no more characters is not tried again shorter."""

REST_SECONDS = 30.0
"""How long the embedder is left alone after it failed."""


class SemanticArchive(ArchiveLayer):
    """Vectors are made in the background at saves and searches, including those missed earlier.

    While they can't be made, search is by words alone. Pages come from the fused list first, each
    entry once, then from what else holds the words.
    """

    def __init__(
        self,
        archive: Archive,
        vectors: Vectors,
        embedder: Embedder,
        *,
        rest_seconds: float = REST_SECONDS,
    ) -> None:
        super().__init__(archive)
        self._vectors = vectors
        self._embedder = embedder
        self._rest_seconds = rest_seconds
        self._rests_until = 0.0
        self._filling: dict[str, asyncio.Task[None]] = {}
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def changed(self, owner: str) -> None:
        self._fill_behind(owner)

    async def search(
        self,
        owner: str,
        query: str,
        *,
        category: str | None = None,
        limit: int,
        cursor: str | None = None,
    ) -> Page[Found]:
        check_query(query)
        skip, after = _place(cursor)
        meant = [] if after else await self._meant(owner, query, category)
        if after or not (meant or skip):
            page = await super().search(
                owner, query, category=category, limit=limit, cursor=after or None
            )
            return Page(page.items, page.next_cursor and encode_cursor(0, page.next_cursor))
        worded = await super().search(owner, query, category=category, limit=BY_WORDS)
        found = fuse(worded.items, meant)
        more = encode_cursor(skip + limit, "") if len(found) > skip + limit else None
        if more is None and worded.next_cursor is not None:
            more = encode_cursor(0, worded.next_cursor)
        return Page(found[skip : skip + limit], more)

    async def close(self) -> None:
        """Break off what is being embedded; the next start goes on with it."""
        filling = list(self._filling.values())
        for task in filling:
            task.cancel()
        await asyncio.gather(*filling, return_exceptions=True)

    async def _meant(self, owner: str, query: str, category: str | None) -> list[Entry]:
        if not query.strip() or self._rests():
            return []
        try:
            async with asyncio.timeout(QUERY_SECONDS):
                wanted, _ = await asyncio.gather(self._embedder.query(query), self._filled(owner))
            found = await self._vectors.nearest(
                owner, self._embedder.name, wanted, category=category, limit=BY_MEANING
            )
        except Invalid:
            return []
        except (StoreError, TimeoutError) as error:
            self._rest(error)
            return []
        return near_enough(found)

    async def _filled(self, owner: str) -> None:
        """Wait a little for what was saved last."""
        self._fill_behind(owner)
        if owner in self._filling:
            await asyncio.wait([self._filling[owner]], timeout=FILLING_SECONDS)

    def _fill_behind(self, owner: str) -> None:
        if owner not in self._filling and not self._rests():
            self._filling[owner] = asyncio.create_task(self._fill(owner))

    async def _fill(self, owner: str) -> None:
        name = self._embedder.name
        try:
            while True:
                async with self._turns:
                    some = await self._vectors.missing(owner, name, limit=BATCH)
                    if not some:
                        return
                    await self._embed(owner, some)
        except StoreError as error:
            self._rest(error)
        finally:
            del self._filling[owner]

    async def _embed(self, owner: str, some: Sequence[Wording]) -> None:
        """Embed entries; one that is refused however short gets an empty vector, once for all."""
        try:
            made = await self._embedder.documents([one.text for one in some])
        except Invalid:
            if len(some) > 1:
                middle = len(some) // 2
                await self._embed(owner, some[:middle])
                return await self._embed(owner, some[middle:])
            made = [await self._shortened(some[0].text)]
        await self._vectors.keep(owner, self._embedder.name, list(zip(some, made, strict=True)))
        return None

    async def _shortened(self, text: str) -> Sequence[float]:
        """A vector of a refused text's beginning, or an empty one."""
        while len(text) > SHORT_CHARACTERS:
            text = text[: len(text) // 3]
            with suppress(Invalid):
                return (await self._embedder.documents([text]))[0]
        # Where anything is refused, it isn't for the text: this raises, and all waits.
        await self._embedder.documents(["a"])
        return ()

    def _rests(self) -> bool:
        return time.monotonic() < self._rests_until

    def _rest(self, error: Any) -> None:
        self._rests_until = time.monotonic() + self._rest_seconds
        log.warning(
            "search by words alone for a while: no embeddings",
            extra={"code": getattr(error, "code", "timeout")},
        )


def _place(cursor: str | None) -> tuple[int, str]:
    """How much of the fused list was seen, or the cursor of what the words find after it."""
    if cursor is None:
        return 0, ""
    skip, after = decode_cursor(cursor, int, str)
    return int(skip), str(after)
