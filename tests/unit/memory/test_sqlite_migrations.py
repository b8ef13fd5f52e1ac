"""A file of an older schema opens in this version with its indexes as they were."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from memory.errors import Conflict
from memory.sqlite.archive import SQLiteArchive
from memory.sqlite.database import Database
from memory.sqlite.postings import COUNT

ME = "user_me"
NOTES = {
    "레디스 만료": "세션은 레디스에서 30분 뒤에 만료된다.",
    "Redis timeout": "The redis client waits for one second, then gives up.",
    "토마토": "토마토는 여름에 심는다. Tomatoes like the sun, redis or not.",
}


async def found(archive: SQLiteArchive) -> list[list[tuple[str, float]]]:
    pages = [
        await archive.search(ME, query, limit=10) for query in ("레디스 만료", "redis", "sun", "토")
    ]
    return [[(one.entry.label, one.score) for one in page.items] for page in pages]


def to_schema_7(path: Path) -> None:
    """What the version that counted terms in a table of their own would have left."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP INDEX terms_of_archives")
        connection.execute(
            "CREATE TABLE terms (archive INTEGER NOT NULL, term TEXT NOT NULL,"
            " entries INTEGER NOT NULL, PRIMARY KEY (archive, term)) WITHOUT ROWID"
        )
        connection.execute(
            "INSERT INTO terms SELECT archive, term, weight FROM postings WHERE entry = ?", (COUNT,)
        )
        connection.execute("DELETE FROM postings WHERE entry = ?", (COUNT,))
        connection.execute("PRAGMA user_version = 7")


async def test_the_index_of_schema_7_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "tomato.db"
    database = await Database.open(path)
    archive = SQLiteArchive(database)
    for label, content in NOTES.items():
        await archive.save(ME, label=label, category="메모", content=content)
    before = await found(archive)
    assert all(before)
    await database.close()
    to_schema_7(path)

    database = await Database.open(path)
    archive = SQLiteArchive(database)
    assert await found(archive) == before
    for entry in (await archive.page(ME, limit=10)).items:
        await archive.delete(ME, entry.id)
    await database.close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM postings").fetchone() == (0,)


async def test_what_is_the_same_now_is_known_again(tmp_path: Path) -> None:
    """Until schema 9 a text was another where its spaces were."""
    path = tmp_path / "tomato.db"
    database = await Database.open(path)
    archive = SQLiteArchive(database)
    for label, content in NOTES.items():
        await archive.save(ME, label=label, category="메모", content=content)
    first = await archive.save(ME, label="하나", category="메모", content="만료시간은 3,600초")
    await database.write(lambda one: one.execute("UPDATE entries SET fingerprint = id"))
    twin = await archive.save(ME, label="둘", category="메모", content="만료 시간은 3600초.")
    await database.write(
        lambda one: one.execute("UPDATE entries SET fingerprint = 'x' WHERE id = ?", (twin.id,))
    )
    await database.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 8")

    database = await Database.open(path)
    archive = SQLiteArchive(database)
    for content in [*NOTES.values(), "만료 시간은 3600 초"]:
        with pytest.raises(Conflict):
            await archive.save(ME, label="다시", category="메모", content=content.upper())
    held = {one.id for one in (await archive.page(ME, limit=10)).items}
    await database.close()
    assert {first.id, twin.id} <= held
    assert len(held) == len(NOTES) + 2
