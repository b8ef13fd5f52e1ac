"""Records of archive files in MongoDB; knows no bytes."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from memory.errors import NotFound
from memory.file_codec import file_document, with_file, without_file
from memory.file_rules import refuse_more, refuse_put
from memory.file_terms import terms_in, with_files
from memory.mongo.database import Document, MongoDatabase, Session
from memory.mongo.entry_files import terms_of_files
from memory.mongo.faults import mapped_errors
from memory.mongo.loose import keep_promise, loosen, promise, refuse_broken_promise
from memory.mongo.postings import INDEXED, blocks_for, blocks_of, change_postings, indexed_by
from memory.preparing import prepare
from memory.protocols import Archive
from memory.records import Entry, File
from memory.retrying import retried
from memory.times import now, to_micros

Plan = Callable[[Entry], tuple[File, ...]]
"""An entry's files after a change; raises what refuses it."""


class MongoFiles:
    """The Files protocol on one database; ``archive`` tells an entry's whole content."""

    def __init__(self, database: MongoDatabase, archive: Archive) -> None:
        self._database = database
        self._archive = archive
        self._entries = database["entries"]
        self._files = database["files"]
        self._loose = database["loose_blobs"]

    async def get(self, owner: str, entry_id: str, name: str) -> File:
        return _named(await self._archive.get(owner, entry_id), name)

    async def promise(self, owner: str, blob: str) -> None:
        await promise(self._database, owner, blob)

    async def attach(
        self,
        owner: str,
        entry_id: str,
        file: File,
        terms: bytes,
        *,
        overwrite: bool = False,
        if_match: str | None = None,
        updated_at: datetime | None = None,
    ) -> Entry:
        def plan(entry: Entry) -> tuple[File, ...]:
            there = next((one for one in entry.files if one.name == file.name), None)
            refuse_put(there, overwrite=overwrite, if_match=if_match)
            if there is None:
                refuse_more(len(entry.files))
            return with_file(entry.files, file)

        async def record(session: Session) -> None:
            await keep_promise(self._database, owner, file.blob, session)
            await self._delete(owner, entry_id, file.name, session)
            kept: Document = {"owner": owner, "entry": entry_id, "name": file.name}
            kept |= {"_id": file.blob, "blob": file.blob, "terms": terms}
            await self._files.insert_one(kept, session=session)

        await refuse_broken_promise(self._database, owner, file.blob)
        return await self._change(owner, entry_id, file.name, terms, plan, record, updated_at)

    async def detach(self, owner: str, entry_id: str, name: str) -> Entry:
        def plan(entry: Entry) -> tuple[File, ...]:
            _named(entry, name)
            return without_file(entry.files, name)

        async def record(session: Session) -> None:
            await self._delete(owner, entry_id, name, session)

        return await self._change(owner, entry_id, name, None, plan, record)

    @retried
    async def _change(
        self,
        owner: str,
        entry_id: str,
        name: str,
        terms: bytes | None,
        plan: Plan,
        record: Callable[[Session], Awaitable[None]],
        updated_at: datetime | None = None,
    ) -> Entry | None:
        """Change an entry's files and its index, at the version that its terms are made of.

        The entry first: where there are no transactions, whoever changes it goes on alone.
        """
        before = await self._archive.get(owner, entry_id)
        moment = updated_at or now()
        after = replace(before, files=plan(before), version=before.version + 1, updated_at=moment)
        made = await prepare(before)

        async def work(session: Session) -> bool:
            where = {"_id": entry_id, "owner": owner, "version": before.version}
            there = await self._files.find_one({"entry": entry_id, "name": name}, session=session)
            others = await terms_of_files(self._database, entry_id, session, but=name)
            whole = with_files(made.terms, others if terms is None else [*others, terms])
            document = await self._entries.find_one(where, INDEXED, session=session)
            if document is None:
                return False
            blocks = await blocks_for(
                self._database, owner, whole.all(), session, held=blocks_of(document)
            )
            changed = await self._entries.update_one(
                where, {"$set": _changes(after) | indexed_by(whole, blocks)}, session=session
            )
            if not changed.matched_count:
                return False
            await record(session)
            touched = terms_in(there["terms"] if there else None) | terms_in(terms)
            await change_postings(self._database, document, whole, blocks, touched, session)
            return True

        return after if await self._database.atomic(work) else None

    async def _delete(self, owner: str, entry_id: str, name: str, session: Session) -> None:
        where = {"entry": entry_id, "name": name}
        gone = await self._files.find_one_and_delete(where, {"blob": 1}, session=session)
        if gone is not None:
            await loosen(self._database, owner, gone["blob"], session)

    async def has_blobs(self, owner: str, entry_id: str) -> bool:
        where, columns = {"_id": entry_id, "owner": owner}, {"files": 1, "content_blob": 1}
        with mapped_errors():
            document = await self._entries.find_one(where, columns)
        if document is None:
            raise NotFound.of("entry")
        return bool(document.get("files") or document.get("content_blob"))

    async def loose(self, *, before: datetime, limit: int) -> Sequence[tuple[str, str]]:
        with mapped_errors():
            where = {"since": {"$lt": to_micros(before)}}
            found = await self._loose.find(where).limit(limit).to_list()
        return [(document["owner"], document["_id"]) for document in found]

    async def settle(self, owner: str, blob: str) -> None:
        with mapped_errors():
            await self._loose.delete_one({"_id": blob, "owner": owner})

    async def give_up_content(self, owner: str, entry_id: str, blob: str) -> bool:
        with mapped_errors():
            changed = await self._entries.update_one(
                {"_id": entry_id, "owner": owner, "content_blob": blob},
                {"$set": {"content_blob": None}, "$inc": {"version": 1}},
            )
        return changed.matched_count > 0

    async def recorded(self) -> AsyncIterator[tuple[str, str, str]]:
        with mapped_errors():
            listed = self._entries.find({"files.0": {"$exists": True}}, {"owner": 1, "files": 1})
            async for document in listed:
                for file in document["files"]:
                    yield document["owner"], file["blob"], document["_id"]
            contents = self._entries.find(
                {"content_blob": {"$type": "string"}}, {"owner": 1, "content_blob": 1}
            )
            async for document in contents:
                yield document["owner"], document["content_blob"], document["_id"]


def _named(entry: Entry, name: str) -> File:
    found = next((one for one in entry.files if one.name == name), None)
    if found is None:
        raise NotFound.of("file")
    return found


def _changes(entry: Entry) -> Document:
    return {
        "files": list(map(file_document, entry.files)),
        "version": entry.version,
        "updated_at": to_micros(entry.updated_at),
    }
