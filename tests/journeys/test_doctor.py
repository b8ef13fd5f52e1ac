"""`tomato doctor` after kills, losses and with servers away."""

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, suppress
from pathlib import Path

import httpx
import pytest

from memory.mongo.schema import open_mongo
from tests.services.process import free_ports
from tests.services.s3 import Bucket, S3Server
from tests.services.tomato_server import TOMATO, TomatoServer

KILLS = 2
PATIENCE_SECONDS = 30


async def doctor(home: Path, *options: str, **settings: str) -> tuple[int, str]:
    """Its exit code and what it says."""
    asked = await asyncio.create_subprocess_exec(
        str(TOMATO),
        "doctor",
        *options,
        cwd=home,
        env={**TomatoServer(home).environment, **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asked.communicate()
    assert asked.returncode is not None
    return asked.returncode, said.decode()


def client_of(address: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=address, timeout=PATIENCE_SECONDS)


async def new_files(address: str, content: str) -> str:
    async with client_of(address) as client:
        body = {"content": content, "summary": "메모", "category": "일"}
        entry = (await client.post("/api/archive", json=body)).json()["id"]
    return f"/api/archive/{entry}/files"


async def put_many(address: str, files: str) -> None:
    async with client_of(address) as client:
        with suppress(httpx.HTTPError):
            for number in range(1_000):
                at = f"{files}/{number % 7}?overwrite=true"
                await client.put(at, content=b"%d" % number * 50_000)


async def test_killed_while_files_are_put_every_listed_file_is_whole(
    live_server: TomatoServer, tmp_path: Path
) -> None:
    files = await new_files(live_server.address, "파일을 올리는 중에 전원이 나간다")
    for number in range(KILLS):
        putting = asyncio.create_task(put_many(live_server.address, files))
        await asyncio.sleep(0.15 + number * 0.07)
        await live_server.kill()
        await putting
        await live_server.start()
        async with httpx.AsyncClient(
            base_url=live_server.address, timeout=PATIENCE_SECONDS
        ) as client:
            listed = (await client.get(files.removesuffix("/files"))).json()["files"]
            for one in listed:
                got = await client.get(f"{files}/{one['name']}")
                assert (got.status_code, len(got.content)) == (200, one["size"])
    assert listed
    await live_server.stop()
    code, said = await doctor(tmp_path)
    assert code == 0, said
    assert "records and objects agree" in said


async def test_a_lost_file_is_told_and_mended(live_server: TomatoServer, tmp_path: Path) -> None:
    files = await new_files(live_server.address, "잃어버릴 파일이 있는 메모")
    async with client_of(live_server.address) as client:
        assert (await client.put(f"{files}/a", content=b"lost")).status_code == 201
        shutil.rmtree(live_server.data / "blobs")
        gone = await client.get(f"{files}/a")
        assert (gone.status_code, gone.json()["error"]["code"]) == (503, "store_unavailable")
        code, said = await doctor(tmp_path)
        assert (code, said.count("names bytes that are missing")) == (1, 1)
        assert "--repair" in said
        code, said = await doctor(tmp_path, "--repair")
        assert code == 0, said
        assert "took a file without bytes off entry_" in said
        assert (await client.get(f"{files}/a")).status_code == 404
    assert (await doctor(tmp_path))[0] == 0


async def test_bytes_whose_record_was_lost_in_a_crash_are_told_and_mended(
    live_server: TomatoServer, tmp_path: Path
) -> None:
    files = await new_files(live_server.address, "기록이 사라질 파일이 있는 메모")
    await live_server.stop()
    before = {one.name: one.read_bytes() for one in live_server.data.glob("tomato.db*")}
    await live_server.start()
    async with client_of(live_server.address) as client:
        assert (await client.put(f"{files}/a", content="고양이".encode() * 50)).status_code == 201
    await live_server.kill()
    for one in live_server.data.glob("tomato.db*"):
        one.unlink()
    for name, kept in before.items():
        (live_server.data / name).write_bytes(kept)
    [stray] = [one for one in (live_server.data / "blobs").rglob("*") if one.is_file()]
    os.utime(stray, (0, 0))  # what is young may be on its way
    code, said = await doctor(tmp_path)
    assert (code, said.count("are named by no record")) == (1, 1)
    assert stray.exists()
    code, said = await doctor(tmp_path, "--repair")
    assert code == 0, said
    assert "deleted bytes that no record names" in said
    assert not stray.exists()


async def test_a_server_that_is_away_is_named(tmp_path: Path) -> None:
    s3 = {"S3_ENDPOINT": f"127.0.0.1:{free_ports(1)[0]}", "S3_SECURE": "off"}
    code, said = await doctor(tmp_path, **s3, S3_ACCESS_KEY="a", S3_SECRET_KEY="b")
    assert code == 1
    assert "problem  storage: The object storage does not answer now." in said


async def test_servers_that_are_well_are_told_so(
    tmp_path: Path, mongo_url: str, redis_url: str, s3: Bucket
) -> None:
    code, said = await doctor(
        tmp_path,
        MONGODB_URL=mongo_url,
        REDIS_URL=redis_url,
        S3_ENDPOINT=s3.endpoint,
        S3_ACCESS_KEY=s3.access_key,
        S3_SECRET_KEY=s3.secret_key,
        S3_BUCKET=s3.bucket,
        S3_SECURE="off",
    )
    assert code == 0, said
    for line in (
        *("mongodb: version 6.", "redis: version 8.", "objects: the bucket answers"),
        *("transactions: on", "redis memory: nothing is evicted"),
        *(f"clock: 0.0 s from {whose}'s" for whose in ("MongoDB", "Redis", "S3")),
    ):
        assert f"ok       {line}" in said, said
    assert s3.secret_key not in said


def on(bucket: Bucket) -> dict[str, str]:
    """Settings for a bucket."""
    return {
        "S3_ENDPOINT": bucket.endpoint,
        "S3_ACCESS_KEY": bucket.access_key,
        "S3_SECRET_KEY": bucket.secret_key,
        "S3_BUCKET": bucket.bucket,
        "S3_SECURE": "off",
    }


@pytest.fixture
async def server_on_s3(tmp_path: Path, s3: Bucket) -> AsyncIterator[TomatoServer]:
    server = TomatoServer(tmp_path, on(s3))
    await server.start()
    yield server
    await server.kill()


@pytest.fixture
def own_s3(tmp_path: Path) -> Iterator[S3Server]:
    """A server of this test alone: one that was killed is not soon what it was for others."""
    with S3Server(tmp_path / "s3") as server:
        yield server


async def test_without_s3_a_file_is_refused_within_five_seconds_and_nothing_is_half_done(
    tmp_path: Path, own_s3: S3Server
) -> None:
    bucket = own_s3.bucket("tomato")
    server = TomatoServer(tmp_path, on(bucket))
    await server.start()
    files = await new_files(server.address, "저장소가 없어도 메모는 남는다")
    entry = files.removesuffix("/files")
    async with httpx.AsyncClient(base_url=server.address, timeout=5) as client:
        await client.put(f"{files}/a", content=b"kept")
        own_s3.kill()
        try:
            for method, path in (
                ("PUT", f"{files}/b"),
                ("GET", f"{files}/a"),
                ("DELETE", f"{files}/a"),
                ("DELETE", entry),
            ):
                answer = await client.request(method, path, content=b"x")
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["retry-after"]) > 0
            ready = await client.get("/readyz")
            assert ready.json()["checks"]["objects"] == "down"
            listed = (await client.get(entry)).json()["files"]
            assert [one["name"] for one in listed] == ["a"]
        finally:
            await asyncio.to_thread(own_s3.start)
        assert (await client.get(f"{files}/a")).content == b"kept"
        assert (await client.put(f"{files}/b", content=b"x")).status_code == 201
        assert (await client.delete(entry)).status_code == 204
    await server.kill()


async def test_indexes_that_are_missing_or_different_are_told_and_mended(
    tmp_path: Path, mongo_url: str
) -> None:
    async with open_mongo(mongo_url) as opened:
        await opened["rooms"].drop_index("owner_1_updated_at_-1__id_-1")
        await opened["users"].drop_indexes()
        await opened["users"].create_index("folded")  # not unique
    code, said = await doctor(tmp_path, MONGODB_URL=mongo_url)
    assert code == 1
    wrong = "rooms.owner_1_updated_at_-1__id_-1, users.folded_1"
    assert f"problem  indexes: missing or different: {wrong}. To mend it: `tomato doctor" in said
    code, said = await doctor(tmp_path, "--repair", MONGODB_URL=mongo_url)
    assert code == 0, said
    # What was only missing is made by whoever opens the database, as the doctor did.
    assert "mended   indexes: made: users.folded_1" in said, said
    async with open_mongo(mongo_url) as opened:
        info = await opened["users"].index_information()
        assert info["folded_1"]["unique"]


async def test_the_embedded_file_is_compared_with_a_fresh_one(tmp_path: Path) -> None:
    assert (await doctor(tmp_path))[0] == 0
    with closing(sqlite3.connect(tmp_path / "data" / "tomato.db")) as connection:
        rows = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'index' AND sql != ''"
        )
        name = sorted(rows)[0][0]
        connection.execute(f"DROP INDEX {name}")
    code, said = await doctor(tmp_path)
    assert (code, f"problem  indexes: missing or different: {name}" in said) == (1, True), said
    code, said = await doctor(tmp_path, "--repair")
    assert (code, f"mended   indexes: made: {name}" in said) == (0, True), said
    assert "ok       indexes: tables and indexes as they should be" in (await doctor(tmp_path))[1]


async def test_no_replica_set_is_told(tmp_path: Path, standalone_mongo_url: str) -> None:
    code, said = await doctor(tmp_path, MONGODB_URL=standalone_mongo_url)
    assert code == 1
    assert "problem  transactions: none" in said
    assert "rs.initiate()" in said


async def test_settings_that_are_not_what_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data").chmod(0o755)
    own = {"TOMATO_MODEL": "openai:gpt", "TOMATO_HOST": "0.0.0.0"}  # noqa: S104
    code, said = await doctor(tmp_path, **own, TOMATO_BACKUP_AT="03:00")
    assert code == 1
    for line in (
        "model: openai:gpt has no key. To mend it: set OPENAI_API_KEY",
        "access: whoever reaches 0.0.0.0 is the local user",
        "data folder: others of this machine may look into",
        "backups: there is no good one yet. To mend it",
    ):
        assert f"problem  {line}" in said, said
    code, said = await doctor(tmp_path, TOMATO_BACKUP_KEEPP="7d")
    assert (code, "did you mean TOMATO_BACKUP_KEEP?" in said) == (1, True)


async def test_a_late_backup_is_told(tmp_path: Path) -> None:
    at = {"TOMATO_BACKUP_AT": "03:00"}
    assert (await doctor(tmp_path))[0] == 0
    made = await asyncio.create_subprocess_exec(
        *(str(TOMATO), "backup", "run"), cwd=tmp_path, env=TomatoServer(tmp_path).environment
    )
    assert await made.wait() == 0
    code, said = await doctor(tmp_path, **at)
    assert (code, "ok       backups: the last good one is of" in said) == (0, True), said
    note = tmp_path / "data" / "blobs" / "backups" / "last-good.json"
    note.write_text('{"key": "x", "made_at": "2026-01-02T03:00:00+00:00"}')
    code, said = await doctor(tmp_path, **at)
    assert (code, "problem  backups: the last good one is of 2026-01-02" in said) == (1, True), said
