"""A data folder of an older version opens in this one with all that is in it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import httpx

from memory.sqlite.migrations import MIGRATIONS
from tests.services.tomato_server import TomatoServer

FIRST = Path(__file__).parents[1] / "data" / "schema_1.sql"


async def test_the_first_schema_opens_with_its_room(tmp_path: Path) -> None:
    server = TomatoServer(tmp_path)
    server.data.mkdir()
    path = server.data / "tomato.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(FIRST.read_text())
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
            (room,) = (await client.get("/api/rooms")).json()["items"]
            assert (room["title"], room["title_source"]) == ("옛 방", "user")
            url = f"/api/rooms/{room['id']}"
            said = (await client.get(f"{url}/messages")).json()["items"]
            assert [message["content"] for message in said] == [
                "Red.",
                "What colour?",
                "토마토를 좋아합니다.",
                "아이는 뭘 좋아해?",
            ]
            context = (await client.get(f"{url}/context")).json()
            assert context["summary"] == "아이는 토마토를 좋아한다."
            assert context["window"] == ["t00000002-0000", "t00000002-0001"]
            kept = await client.get("/api/runs/run_old/events")
            assert "Red." in kept.text
            for message in ("기억해: 씨앗은 봄에 심는다", "씨앗은 언제 심지?"):
                answer = await client.post(
                    f"{url}/chat", json={"message": message, "stream": False}
                )
                assert answer.status_code == 200, answer.text
            assert "봄" in answer.json()["message"]["content"]
    finally:
        await server.stop()
    with closing(sqlite3.connect(path)) as new:
        assert new.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
