"""What search by meaning promises, held against every store, with vectors that a test chooses."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from memory import semantic_archive
from memory.cosine import packed
from memory.embeddings import BY_MEANING, Embedder, Vectors
from memory.errors import Invalid, Unavailable
from memory.mongo.archive import MongoArchive
from memory.mongo.schema import open_mongo
from memory.mongo.search_nodes import SearchNodes
from memory.mongo.vectors import MongoVectors
from memory.protocols import Archive
from memory.semantic_archive import SemanticArchive
from memory.sqlite.archive import SQLiteArchive
from memory.sqlite.database import Database
from memory.sqlite.vectors import SQLiteVectors

ME, OTHER = "user_me", "user_other"
THEMES = ["animal cat dog 고양이 강아지", "money bank 은행 통장", "weather rain 비 날씨"]
Stores = tuple[Archive, Vectors]


class Themes:
    """Embeds a text by the themes whose words stand in it; refuses and fails as it is told to."""

    def __init__(self, name: str = "openai:themes") -> None:
        self.name = name
        self.fails = False
        self.most = 100_000
        self.asked: list[str] = []

    async def documents(self, texts: Sequence[str]) -> list[list[float]]:
        if self.fails:
            raise Unavailable("away")
        if any("refused" in text or len(text) > self.most for text in texts):
            raise Invalid.field("text", "too long")
        self.asked += texts
        return [self._vector(text) for text in texts]

    async def query(self, text: str) -> list[float]:
        if self.fails:
            raise Unavailable("away")
        if len(text) > self.most:
            raise Invalid.field("text", "too long")
        return self._vector(text)

    def _vector(self, text: str) -> list[float]:
        return [float(sum(word in text for word in theme.split())) for theme in THEMES]


@asynccontextmanager
async def on_sqlite(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    folder: Path = request.getfixturevalue("tmp_path")
    database = await Database.open(folder / "tomato.db")
    yield SQLiteArchive(database), SQLiteVectors(database)
    await database.close()


@asynccontextmanager
async def on_mongo(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    async with open_mongo(request.getfixturevalue("mongo_url")) as database:
        yield MongoArchive(database), MongoVectors(database, SearchNodes(database))


@asynccontextmanager
async def on_standalone_mongo(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    async with open_mongo(request.getfixturevalue("standalone_mongo_url")) as database:
        yield MongoArchive(database), MongoVectors(database)


@pytest.fixture(params=[on_sqlite, on_mongo, on_standalone_mongo])
async def stores(request: pytest.FixtureRequest) -> AsyncIterator[Stores]:
    async with request.param(request) as opened:
        yield opened


@asynccontextmanager
async def searched(stores: Stores, embedder: Embedder) -> AsyncIterator[SemanticArchive]:
    archive = SemanticArchive(*stores, embedder, rest_seconds=0)
    yield archive
    await archive.close()


async def filled(archive: Archive, owner: str = ME) -> None:
    for label, category, content in [
        ("cats", "home", "The cat sleeps on the sofa."),
        ("고양이", "집", "우리 고양이는 밤에 운다."),
        ("account", "money", "The bank closed my account."),
        ("rain", "home", "Take an umbrella, rain is coming."),
    ]:
        await archive.save(owner, label=label, category=category, content=content)


async def labels(archive: Archive, query: str, category: str | None = None) -> list[str]:
    found = await archive.search(ME, query, category=category, limit=10)
    assert all(one.matched for one in found.items)
    return [one.entry.label for one in found.items]


async def test_what_shares_no_word_is_found_by_meaning(stores: Stores) -> None:
    async with searched(stores, Themes()) as archive:
        await filled(archive)
        await filled(archive, OTHER)
        assert sorted(await labels(archive, "dog")) == ["cats", "고양이"]
        assert await labels(archive, "강아지", category="집") == ["고양이"]
        assert await labels(archive, "강아지", category="money") == []


async def test_what_both_find_comes_first_and_says_why(stores: Stores) -> None:
    async with searched(stores, Themes()) as archive:
        await filled(archive)
        found = (await archive.search(ME, "고양이", limit=10)).items
        assert [one.entry.label for one in found] == ["고양이", "cats"]
        assert [one.matched for one in found] == [("고양이", BY_MEANING), (BY_MEANING,)]
        assert found[0].score > found[1].score


async def test_pages_of_fused_lists_hold_each_entry_once(stores: Stores) -> None:
    async with searched(stores, Themes()) as archive:
        for number in range(9):
            await archive.save(ME, label=f"n{number}", category="c", content=f"cat {number}")
        seen, cursor = [], None
        while True:
            page = await archive.search(ME, "dog", limit=4, cursor=cursor)
            seen += [one.entry.label for one in page.items]
            if (cursor := page.next_cursor) is None:
                break
        assert sorted(seen) == [f"n{number}" for number in range(9)]


async def test_vectors_go_with_their_words_and_their_entry(stores: Stores) -> None:
    async with searched(stores, Themes()) as archive:
        entry = await archive.save(ME, label="a", category="c", content="a cat")
        assert await labels(archive, "dog") == ["a"]
        await archive.update(ME, entry.id, content="a bank")
        assert await labels(archive, "dog") == []
        assert await labels(archive, "통장") == ["a"]
        await archive.update(ME, entry.id, category="d")
        assert await labels(archive, "통장") == ["a"]
        await archive.delete(ME, entry.id)
        _, vectors = stores
        assert not await vectors.nearest(ME, "openai:themes", [0, 1, 0], limit=5)


async def held(vectors: Vectors) -> int:
    """How many vectors the store itself holds."""
    if isinstance(vectors, MongoVectors):
        return await vectors._vectors.count_documents({})
    assert isinstance(vectors, SQLiteVectors)
    counted = await vectors._database.read(
        lambda connection: connection.execute("SELECT count(*) FROM vectors").fetchone()
    )
    return int(counted[0])


@pytest.mark.parametrize("change", ["label", "content", "deletion"])
async def test_a_change_of_words_takes_the_vector_out_of_the_store(
    stores: Stores, tmp_path: Path, change: str
) -> None:
    archive, vectors = stores
    entry = await archive.save(ME, label="a", category="c", content="a cat")
    await archive.save(ME, label="b", category="c", content="a bank")
    missing = await vectors.missing(ME, "m", limit=5)
    mine = [[3.0, 4.0] if "cat" in one.text else [4.0, 3.0] for one in missing]
    await vectors.keep(ME, "m", list(zip(missing, mine, strict=True)))
    await archive.update(ME, entry.id, category="d")
    assert await held(vectors) == 2
    if isinstance(vectors, SQLiteVectors):
        assert packed([3, 4]) in on_disk(tmp_path)
    if change == "deletion":
        await archive.delete(ME, entry.id)
    elif change == "label":
        await archive.update(ME, entry.id, label="other")
    else:
        await archive.update(ME, entry.id, content="other words")
    assert await held(vectors) == 1
    if isinstance(vectors, SQLiteVectors):
        await vectors._database.forget()
        assert packed([3, 4]) not in on_disk(tmp_path)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_what_changed_meanwhile_gets_no_old_vector(stores: Stores) -> None:
    archive, vectors = stores
    entry = await archive.save(ME, label="a", category="c", content="a cat")
    gone = await archive.save(ME, label="b", category="c", content="another cat")
    old = await vectors.missing(ME, "m", limit=10)
    await archive.update(ME, entry.id, content="a bank")
    await archive.delete(ME, gone.id)
    await vectors.keep(ME, "m", [(one, [1.0, 0.0]) for one in old])
    assert not await vectors.nearest(ME, "m", [1.0, 0.0], limit=5)
    assert [one.text for one in await vectors.missing(ME, "m", limit=10)] == ["a\na bank"]


async def test_another_model_makes_all_vectors_anew(stores: Stores) -> None:
    async with searched(stores, Themes()) as archive:
        await filled(archive)
        await labels(archive, "dog")
    other = Themes("openai:other")
    async with searched(stores, other) as archive:
        assert "cats" in await labels(archive, "강아지")
        assert len(other.asked) == 4
        await labels(archive, "강아지")
        assert len(other.asked) == 4
        _, vectors = stores
        assert not await vectors.nearest(ME, "openai:themes", [1, 0, 0], limit=5)


async def test_without_its_server_the_archive_works_by_words_and_catches_up(stores: Stores) -> None:
    embedder = Themes()
    embedder.fails = True
    async with searched(stores, embedder) as archive:
        await filled(archive)
        assert await labels(archive, "sofa") == ["cats"]
        assert await labels(archive, "강아지") == []
        embedder.fails = False
        assert "cats" in await labels(archive, "강아지")


async def test_one_refused_text_holds_no_other_up(stores: Stores) -> None:
    async with searched(stores, Themes()) as archive:
        await archive.save(ME, label="bad", category="c", content="refused cat")
        await filled(archive)
        assert sorted(await labels(archive, "강아지")) == ["cats", "고양이"]
        _, vectors = stores
        assert not await vectors.missing(ME, "openai:themes", limit=5)


async def test_of_a_text_that_is_too_long_the_beginning_is_embedded(stores: Stores) -> None:
    embedder = Themes()
    embedder.most = 500
    async with searched(stores, embedder) as archive:
        content = "우리 고양이는 밤에 운다. " + "그리고 또 운다. " * 400
        await archive.save(ME, label="a", category="c", content=content)
        assert await labels(archive, "dog") == ["a"]
        assert await labels(archive, "dog" * 300) == []
        assert await labels(archive, "dog") == ["a"]


async def test_a_server_that_refuses_everything_is_asked_again_later(stores: Stores) -> None:
    embedder = Themes()
    embedder.most = 0
    async with searched(stores, embedder) as archive:
        await filled(archive)
        assert await labels(archive, "강아지") == []
        embedder.most = 500
        assert "cats" in await labels(archive, "강아지")


async def test_pages_go_on_to_what_only_the_words_find(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(semantic_archive, "BY_WORDS", 3)
    async with searched(stores, Themes()) as archive:
        for number in range(8):
            await archive.save(ME, label=f"n{number}", category="c", content=f"umbrella {number}")
        await archive.save(ME, label="dog", category="c", content="our dog")
        seen, cursor = [], None
        while True:
            page = await archive.search(ME, "umbrella cat", limit=2, cursor=cursor)
            seen += [one.entry.label for one in page.items]
            if (cursor := page.next_cursor) is None:
                break
        assert sorted(seen) == ["dog", *(f"n{number}" for number in range(8))]


async def test_the_nearest_come_first(stores: Stores) -> None:
    archive, vectors = stores
    for number in range(9):
        await archive.save(ME, label=f"n{number}", category="c", content=f"text {number}")
    missing = await vectors.missing(ME, "m", limit=9)
    await vectors.keep(ME, "m", [(one, [1.0, float(one.text[-1])]) for one in missing])
    found = await vectors.nearest(ME, "m", [0.0, 1.0], limit=3)
    assert [entry.label for entry, _ in found] == ["n8", "n7", "n6"]
    assert found[0][1] == pytest.approx(8 / 65**0.5)


async def test_many_saves_at_once_are_all_embedded(stores: Stores) -> None:
    embedder = Themes()
    async with searched(stores, embedder) as archive:
        await asyncio.gather(
            *(
                archive.save(ME, label=f"n{number}", category="c", content=f"rain {number}")
                for number in range(20)
            )
        )
        assert len(await labels(archive, "날씨")) == 10
        assert len(embedder.asked) == 20
