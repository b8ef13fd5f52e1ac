"""A year of use is lost with its disks and comes back from the backup, equal to the byte."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from pydantic import SecretStr
from pymongo import MongoClient

from server.app import create_app
from server.settings import Settings
from tests.services.s3 import Bucket
from tests.services.tomato_server import TOMATO

KEY = "서랍 속의 열쇠 drawer key"
DAYS = 365
SUBJECTS = ("배포 일정", "회의록", "invoice", "recipe", "병원 예약", "deadline")
PATIENCE_SECONDS = 60


class Place:
    """Where everything is kept, how the command is told, and how its disks are lost."""

    def __init__(self, folder: Path, mongo_url: str | None = None, s3: Bucket | None = None):
        self.folder, self.mongo_url, self.s3 = folder, mongo_url, s3

    @property
    def settings(self) -> Settings:
        servers: dict[str, Any] = {}
        if self.mongo_url and self.s3:
            servers = {
                "mongodb_url": SecretStr(self.mongo_url),
                "s3_endpoint": self.s3.endpoint,
                "s3_access_key": SecretStr(self.s3.access_key),
                "s3_secret_key": SecretStr(self.s3.secret_key),
                "s3_bucket": self.s3.bucket,
                "s3_secure": False,
            }
        return Settings(data=self.folder, port=0, rate_limits=False, **servers)

    @property
    def environment(self) -> Mapping[str, str]:
        own = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder.parent), "LANG": "C.UTF-8"}
        own |= {"TOMATO_DATA": str(self.folder), "TOMATO_BACKUP_KEY": KEY}
        if self.mongo_url and self.s3:
            own |= {
                "MONGODB_URL": self.mongo_url,
                "S3_ENDPOINT": self.s3.endpoint,
                "S3_ACCESS_KEY": self.s3.access_key,
                "S3_SECRET_KEY": self.s3.secret_key,
                "S3_BUCKET": self.s3.bucket,
                "S3_SECURE": "off",
            }
        return own

    def lose_everything(self) -> None:
        """As if every disk but the backups' were gone."""
        if self.folder.exists():
            self.folder.rename(self.folder.with_name("lost"))
        if self.mongo_url and self.s3:
            with MongoClient[Any](self.mongo_url) as mongo:
                mongo.drop_database(mongo.get_default_database().name)
            client = self.s3.client()
            for one in client.list_objects(self.s3.bucket, recursive=True):
                client.remove_object(self.s3.bucket, str(one.object_name))


@pytest.fixture(params=["embedded", "servers"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "embedded":
        return Place(tmp_path / "data")
    given = [request.getfixturevalue(name) for name in ("mongo_url", "s3")]
    return Place(tmp_path / "data", *given)


@asynccontextmanager
async def served(place: Place) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(place.settings)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60) as client,
    ):
        yield client


async def backup(place: Place, *arguments: str) -> str:
    """Run the command; what it printed."""
    pipe = asyncio.subprocess.PIPE
    command = [str(TOMATO), "backup", *arguments]
    process = await asyncio.create_subprocess_exec(
        *command, env=place.environment, cwd=place.folder.parent, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(PATIENCE_SECONDS):
        told, failed = await process.communicate()
    assert process.returncode == 0, failed.decode()
    return told.decode()


async def live_a_year(client: httpx.AsyncClient) -> None:
    """Entries of each day, talks, large contents, files; some of it changed and deleted again."""
    chance, day = random.Random(8), date(2025, 11, 23)  # the same year each time
    entries = []
    for number in range(DAYS):
        subject = chance.choice(SUBJECTS)
        long = "긴 이야기 long story. " * 9_000 if number % 90 == 7 else ""
        words = f"{day + timedelta(number)} {subject} {chance.getrandbits(64):x} {long}"
        body = {"content": words, "summary": f"{subject} {number}", "category": subject}
        answer = await client.post("/api/archive", json=body)
        assert answer.status_code == 201, answer.text
        entries.append(answer.json()["id"])
    for number in range(0, DAYS, 40):
        at = f"/api/archive/{entries[number]}/files/{quote(f'보고서 {number}.bin')}"
        sent = await client.put(at, content=chance.randbytes(70_000 + number))
        assert sent.status_code == 201, sent.text
        assert (await client.delete(f"/api/archive/{entries[number + 1]}")).status_code == 204
        change = {"summary": "바뀐 라벨 🍅"}
        await client.patch(f"/api/archive/{entries[number + 2]}", json=change)
    for number in range(12):
        room = (await client.post("/api/rooms", json={})).json()["id"]
        saved = f"기억해: {number}번 금고는 {chance.getrandbits(32)} 이다"
        for words in (saved, "hello there", "금고?"):
            await client.post(f"/api/rooms/{room}/chat", json={"message": words, "stream": False})
        if number % 5 == 0:
            listed = (await client.get(f"/api/rooms/{room}/messages")).json()["items"]
            gone = {"keys": [listed[-1]["key"]]}
            await client.request("DELETE", f"/api/rooms/{room}/messages", json=gone)


async def everything(client: httpx.AsyncClient) -> dict[str, bytes]:
    """What a person sees of it all, by the address it is seen at."""
    seen: dict[str, bytes] = {}

    async def look(path: str) -> Any:
        answer = await client.get(path)
        assert answer.status_code == 200, (path, answer.text)
        seen[path] = answer.content
        return answer.json() if "json" in answer.headers["content-type"] else None

    async def pages(path: str) -> AsyncIterator[Any]:
        cursor: str | None = ""
        while cursor is not None:
            page = await look(f"{path}?limit=100" + (f"&cursor={cursor}" if cursor else ""))
            for one in page["items"]:
                yield one
            cursor = page.get("next_cursor")

    async for room in pages("/api/rooms"):
        for part in ("", "/context"):
            await look(f"/api/rooms/{room['id']}{part}")
        async for _ in pages(f"/api/rooms/{room['id']}/messages"):
            pass
    async for entry in pages("/api/archive"):
        whole = await look(f"/api/archive/{entry['id']}")
        for file in whole["files"]:
            await look(f"/api/archive/{entry['id']}/files/{quote(file['name'])}")
    for query in ("금고", "invoice"):
        await look(f"/api/archive?q={query}")
    for path in ("/api/archive/categories", "/api/auth/me"):
        await look(path)
    return seen


async def test_a_year_comes_back_after_every_disk_is_lost(place: Place, tmp_path: Path) -> None:
    async with served(place) as client:
        await live_a_year(client)
        before = await everything(client)
        name = (await backup(place, "run", "--store", str(tmp_path / "other"))).strip()
        seen_beside = await everything(client)
    assert name.endswith(".enc")
    assert len(before) > DAYS
    assert seen_beside == before

    assert "opened, records and objects agree" in await backup(
        place, "drill", "--store", str(tmp_path / "other")
    )
    place.lose_everything()
    told = await backup(place, "restore", name, "--store", str(tmp_path / "other"))
    assert "equal to its manifest" in told

    async with served(place) as client:
        assert await everything(client) == before
        room = (await client.get("/api/rooms")).json()["items"][0]["id"]
        body = {"message": "3번 금고 기억해?", "stream": False}
        answer = await client.post(f"/api/rooms/{room}/chat", json=body)
        assert "3번 금고" in answer.json()["message"]["content"]
