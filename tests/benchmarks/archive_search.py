"""The archive's search: whether it finds what is meant, and how fast it stays as an archive grows.

    python -m tests.benchmarks.archive_search quality [--korquad FILE] [--locomo FILE] [--kiwi]
    python -m tests.benchmarks.archive_search speed [--store mongo] [--sizes 100,10000,100000]

The public sets are not part of this repository: KorQuAD 1.0's development set (964 paragraphs,
5,774 questions) and LoCoMo's locomo10.json (10 conversations), each as its authors give it.
"""

import argparse
import asyncio
import json
import re
import resource
import sqlite3
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from pymongo import UpdateOne, timeout
from pymongo.write_concern import WriteConcern

from memory.archive_rules import fingerprint, new_entry
from memory.contents import Placed
from memory.korean import Analyser, KoreanArchive
from memory.mongo.archive import MongoArchive
from memory.mongo.database import Document, MongoDatabase
from memory.mongo.entries import document_of
from memory.mongo.postings import BLOCK, added_to, counted, next_number, packed
from memory.mongo.schema import open_mongo
from memory.preparing import prepare
from memory.protocols import Archive
from memory.records import Entry
from memory.sqlite.archive import SQLiteArchive
from memory.sqlite.database import Database
from memory.sqlite.entries import insert_entry
from tests.benchmarks.archive_notes import Notes
from tests.services.mongo import MongoServer

PATIENCE_SECONDS = 120
ME, OTHER = "user_me", "user_other"
DATA = Path(__file__).parents[1] / "data"

Fill = Callable[[str, Sequence[str]], Awaitable[None]]
"""Keeps many entries of an owner at once."""

Question = tuple[str, frozenset[int]]
"""What is asked, and which of the texts answer it."""


@asynccontextmanager
async def opened() -> AsyncIterator[tuple[Database, SQLiteArchive]]:
    with tempfile.TemporaryDirectory() as folder:
        database = await Database.open(Path(folder) / "bench.db")
        yield database, SQLiteArchive(database)
        await database.close()


async def fill(database: Database, owner: str, contents: Sequence[str]) -> list[str]:
    """Keep many entries in one transaction; their ids."""
    entries = [_entry(owner, number, text) for number, text in enumerate(contents)]
    made = [(entry, await prepare(entry)) for entry in entries]

    def work(connection: sqlite3.Connection) -> None:
        for entry, prepared in made:
            insert_entry(connection, entry, prepared, Placed(entry.content))

    await database.write(work)
    return [entry.id for entry in entries]


def _entry(owner: str, number: int, content: str) -> Entry:
    return new_entry(owner, label="note", category=f"c{number % 20}", content=content, source=None)


def own_set(language: str) -> tuple[list[str], list[Question]]:
    notes = json.loads((DATA / f"archive_{language}.json").read_text())
    questions = [
        (question, frozenset([number]))
        for number, note in enumerate(notes)
        for question in note["questions"]
    ]
    return [note["text"] for note in notes], questions


def korquad(path: Path) -> tuple[list[str], list[Question]]:
    paragraphs = [one for article in _read(path)["data"] for one in article["paragraphs"]]
    questions = [
        (asked["question"], frozenset([number]))
        for number, one in enumerate(paragraphs)
        for asked in one["qas"]
    ]
    return [one["context"] for one in paragraphs], questions


def locomo(conversation: dict[str, Any]) -> tuple[list[str], list[Question]]:
    """Each utterance with its speaker is one text; the questions that the talk can answer."""
    talk = conversation["conversation"]
    said = [turn for key in talk if re.fullmatch(r"session_\d+", key) for turn in talk[key]]
    number_of = {turn["dia_id"]: number for number, turn in enumerate(said)}
    questions = []
    for asked in conversation["qa"]:
        named = re.findall(r"D\d+:\d+", " ".join(asked["evidence"]))
        answers = frozenset(number_of[one] for one in named if one in number_of)
        if answers and asked["category"] != 5:
            questions.append((asked["question"], answers))
    return [f"{turn['speaker']}: {turn['text']}" for turn in said], questions


def _read(path: Path) -> Any:
    return json.loads(path.read_text())


async def found_at(
    texts: Sequence[str], questions: Sequence[Question], analyser: Analyser | None
) -> list[int]:
    """For each question at which place the first right text is found; 0 if not in the first ten."""
    async with opened() as (database, stored):
        archive: Archive = KoreanArchive(stored, analyser) if analyser else stored
        # A text that is there twice is kept once, as its first.
        first: dict[str, int] = {}
        number_of = [first.setdefault(fingerprint(text), at) for at, text in enumerate(texts)]
        ids = await fill(database, ME, [texts[at] for at in first.values()])
        text_of = dict(zip(ids, first.values(), strict=True))
        places = []
        for question, answers in questions:
            wanted = {number_of[answer] for answer in answers}
            hits = (await archive.search(ME, question, limit=10)).items
            numbers = [text_of[hit.entry.id] for hit in hits]
            places.append(next((at for at, one in enumerate(numbers, 1) if one in wanted), 0))
        return places


async def quality(args: argparse.Namespace) -> None:
    sets: dict[str, list[tuple[list[str], list[Question]]]] = {
        "own, Korean": [own_set("ko")],
        "own, English": [own_set("en")],
    }
    if args.korquad:
        sets["KorQuAD 1.0 dev"] = [korquad(args.korquad)]
    if args.locomo:
        sets["LoCoMo"] = [locomo(one) for one in _read(args.locomo)]
    analyser = None
    if args.kiwi:
        from memory.kiwi import KiwiAnalyser

        analyser = await KiwiAnalyser.open()
    for name, parts in sets.items():
        places = [place for part in parts for place in await found_at(*part, analyser)]
        shares = " ".join(
            f"top-{top} {sum(0 < place <= top for place in places) / len(places):.3f}"
            for top in (1, 5, 10)
        )
        texts = sum(len(part[0]) for part in parts)
        print(f"{name}: {texts} texts, {len(places)} questions: {shares}", flush=True)


async def speed(args: argparse.Namespace) -> None:
    sizes = [int(size) for size in args.sizes.split(",")]
    notes = Notes(seed=1)
    async with (opened_mongo if args.store == "mongo" else opened_sqlite)() as (archive, fill_more):
        await fill_more(OTHER, [notes.note() for _ in range(1_000)])
        held = 0
        for size in sizes:
            while held < size:
                part = min(2_000, size - held)
                await fill_more(ME, [notes.note() for _ in range(part)])
                held += part
            await _timed(
                f"{size:>7} search", lambda: archive.search(ME, notes.question(), limit=10)
            )
            await _timed(
                f"{size:>7} search in a category",
                lambda: archive.search(ME, notes.question(), category="c1", limit=10),
            )
            await _timed(f"{size:>7} near", lambda: archive.near(ME, notes.note()))
            # What they write to stands in the cache after the first.
            await _timed(f"{size:>7} first saves", lambda: _save(archive, notes))
            await _timed(f"{size:>7} save", lambda: _save(archive, notes))
            await _timed(
                f"{size:>7} another's search",
                lambda: archive.search(OTHER, notes.question(), limit=10),
            )
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{size:>7} most memory {memory:.0f} MB", flush=True)
        start = time.perf_counter()
        moved = await archive.rename_category(ME, "c1", "renamed")
        print(f"rename a category of {moved}: {time.perf_counter() - start:.2f} s")


@asynccontextmanager
async def opened_sqlite() -> AsyncIterator[tuple[Archive, Fill]]:
    async with opened() as (database, archive):

        async def fill_more(owner: str, contents: Sequence[str]) -> None:
            await fill(database, owner, contents)

        yield archive, fill_more


@asynccontextmanager
async def opened_mongo() -> AsyncIterator[tuple[Archive, Fill]]:
    with tempfile.TemporaryDirectory() as folder, MongoServer(Path(folder)) as server:
        async with open_mongo(server.url("bench")) as database:
            yield MongoArchive(database), partial(fill_mongo, database)


async def fill_mongo(database: MongoDatabase, owner: str, contents: Sequence[str]) -> None:
    """What so many saves would leave, in a few large writes."""
    entries, held = list[Document](), Counter[str]()
    fields: dict[tuple[str, int], Document] = defaultdict(dict)
    length = 0
    numbers = await _numbers(database, owner, len(contents))
    drawn = [_entry(owner, at, text) for at, text in enumerate(contents)]
    made = [await prepare(entry) for entry in drawn]
    every = {term for one in made for term in one.terms.all()}
    added = await added_to(database, owner, list(every), None)
    for number, entry, one in zip(numbers, drawn, made, strict=True):
        weights = one.terms.all()
        places = {term: (added[term] + held[term]) // BLOCK for term in weights}
        document = document_of(entry, one, places)
        entries.append(document | {"_id": entry.id, "number": number, "content": entry.content})
        for term, weight in weights.items():
            fields[term, places[term]][f"p.{number}"] = packed(weight, one.terms.length)
        held.update(weights.keys())
        length += one.terms.length
    early = WriteConcern(w=1, j=False)
    blocks = [
        UpdateOne({"_id": {"o": owner, "t": term, "b": block}}, {"$set": values}, upsert=True)
        for (term, block), values in fields.items()
    ]
    entries_of, blocks_of, terms_of = (
        database[name].with_options(write_concern=early)
        for name in ("entries", "posting_blocks", "terms")
    )
    counts = [counted(owner, term, by) for term, by in held.items()]
    totals = {"$inc": {"entries": len(entries), "length": length}}
    with timeout(PATIENCE_SECONDS):  # a save of one has less
        await entries_of.insert_many(entries)
        await blocks_of.bulk_write(blocks, ordered=False)
        await terms_of.bulk_write(counts, ordered=False)
        await database["archives"].update_one({"_id": owner}, totals, upsert=True)


async def _numbers(database: MongoDatabase, owner: str, count: int) -> list[int]:
    """The owner's next numbers; nobody else may take any meanwhile."""
    given: list[int] = []
    mine = {"_id": {"numbers_of": owner}}
    while len(given) < count:
        given.append(await next_number(database, owner))
        held = await database["counters"].find_one(mine) or {"next": 0, "end": 0}
        more = min(held["end"] - held["next"], count - len(given))
        await database["counters"].update_one(mine, {"$inc": {"next": more}})
        given += range(held["next"], held["next"] + more)
    return given


async def _save(archive: Archive, notes: Notes) -> None:
    await archive.save(ME, label="new", category="c1", content=notes.note())


async def _timed(name: str, work: Callable[[], Awaitable[object]], times: int = 200) -> None:
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        await work()
        seconds.append(time.perf_counter() - start)
    seconds.sort()
    p50, p95, most = (seconds[int(times * share)] * 1000 for share in (0.5, 0.95, 0.999))
    print(f"{name}: p50 {p50:.1f} ms, p95 {p95:.1f} ms, most {most:.1f} ms", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("quality")
    one.add_argument("--korquad", type=Path)
    one.add_argument("--locomo", type=Path)
    one.add_argument("--kiwi", action="store_true")
    one.set_defaults(run=quality)
    other = commands.add_parser("speed")
    other.add_argument("--store", choices=["sqlite", "mongo"], default="sqlite")
    other.add_argument("--sizes", default="100,10000,100000")
    other.set_defaults(run=speed)
    args = parser.parse_args()
    asyncio.run(args.run(args))


if __name__ == "__main__":
    main()
