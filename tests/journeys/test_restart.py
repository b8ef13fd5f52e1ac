"""What was acknowledged is still there after the server ends, in order or by force."""

import asyncio
import sqlite3
from pathlib import Path

import httpx
import pytest

from server.client import read_events
from tests.services.tomato_server import TOMATO, TomatoServer


async def everything(address: str) -> object:
    """All that the person would see."""
    async with httpx.AsyncClient(base_url=address) as client:
        rooms = (await client.get("/api/rooms")).json()["items"]
        messages = [
            (await client.get(f"/api/rooms/{room['id']}/messages")).json()["items"]
            for room in rooms
        ]
        archive = (await client.get("/api/archive")).json()["items"]
    return rooms, messages, archive


async def use(address: str) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=60) as client:
        room = (await client.post("/api/rooms", json={"title": "재시작"})).json()["id"]
        for message in ("기억해: 서버는 매주 화요일에 재시작한다", "안녕?"):
            answer = await client.post(
                f"/api/rooms/{room}/chat", json={"message": message, "stream": False}
            )
            assert answer.status_code == 200, answer.text


async def test_all_is_there_after_an_orderly_end(live_server: TomatoServer) -> None:
    await use(live_server.address)
    before = await everything(live_server.address)
    assert await live_server.stop() == 0
    assert live_server.log() == ""
    await live_server.start()
    assert await everything(live_server.address) == before


async def test_all_is_there_after_a_kill(live_server: TomatoServer) -> None:
    await use(live_server.address)
    before = await everything(live_server.address)
    assert await live_server.kill() == -9
    await live_server.start()
    assert await everything(live_server.address) == before


async def test_an_answer_is_found_again_after_a_restart(live_server: TomatoServer) -> None:
    async with httpx.AsyncClient(base_url=live_server.address, timeout=60) as client:
        room = (await client.post("/api/rooms")).json()["id"]
        chat = {"message": "안녕?", "stream": False}
        answer = (await client.post(f"/api/rooms/{room}/chat", json=chat)).json()
    await live_server.stop()
    await live_server.start()
    async with httpx.AsyncClient(base_url=live_server.address, timeout=60) as client:
        kept = await client.get(f"/api/runs/{answer['run_id']}/events")
    message, done = read_events(kept.text.split("\n"))
    assert (message.name, message.data) == ("message", answer["message"])
    assert done.data == {"run_id": answer["run_id"], "status": "complete"}


async def test_the_health_answer_does_not_wait_for_the_agent(live_server: TomatoServer) -> None:
    async with httpx.AsyncClient(base_url=live_server.address, timeout=60) as client:
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        # Whatever needs the agent waits for it and is then answered.
        assert (await client.get("/api/tools")).status_code == 200
        assert (await client.get("/readyz")).status_code == 200


async def test_the_banner_says_what_is_in_use(live_server: TomatoServer) -> None:
    assert live_server.banner.startswith("Tomato 0.")
    assert "model: offline (no network)" in live_server.banner
    assert f"storage: SQLite {live_server.data}/tomato.db" in live_server.banner


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"TOMATO_PRT": "1"}, "TOMATO_PRT is not a setting of Tomato"),
        ({"TOMATO_MAX_TOOL_CALLS": "many"}, "TOMATO_MAX_TOOL_CALLS has a bad value"),
        ({"TOMATO_BACKUP_KEY": "secret"}, "TOMATO_BACKUP_KEY has a bad value: it must"),
        ({"REDIS_URL": "redis://127.0.0.1:1"}, "does not answer now"),
        ({"MONGODB_URL": "mongodb://127.0.0.1:1/tomato"}, "does not answer now"),
        ({"MONGODB_URL": "mongodb://127.0.0.1"}, "MONGODB_URL"),
        ({"TOMATO_HOST": "192.0.2.1"}, "Can't listen on 192.0.2.1"),
        ({"TOMATO_DATA": "/dev/null/data"}, "/dev/null/data"),
    ],
)
async def test_a_start_that_can_not_be_is_refused_in_one_sentence(
    tmp_path: Path, settings: dict[str, str], sentence: str
) -> None:
    assert sentence in await refused(TomatoServer(tmp_path, settings).environment)


async def test_the_port_and_the_data_of_another_server_are_left_alone(
    live_server: TomatoServer,
) -> None:
    port = live_server.address.rpartition(":")[2]
    assert "address already in use" in await refused(
        {**live_server.environment, "TOMATO_PORT": port}
    )
    assert "is in use by another Tomato" in await refused(live_server.environment)


async def test_data_of_a_newer_version_is_left_alone(live_server: TomatoServer) -> None:
    await live_server.stop()
    path = live_server.data / "tomato.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 9999")
    connection.close()
    before = path.read_bytes()
    assert "schema version 9999" in await refused(live_server.environment)
    assert path.read_bytes() == before


async def refused(environment: dict[str, str]) -> str:
    """The one sentence with which a server does not start."""
    process = await asyncio.create_subprocess_exec(
        TOMATO,
        "serve",
        env=environment,
        cwd=environment["HOME"],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert process.returncode == 1
    assert out == b""
    (line,) = error.decode().splitlines()
    return line
