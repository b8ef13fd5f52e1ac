"""A disk that is full in the middle of a talk: a clear refusal, and nothing half-written."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.openai_server import OpenAIServer, Reply
from tests.services.pdf import pdf_saying
from tests.services.talk import Heard, assert_agrees
from tests.services.tomato_server import TomatoServer


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB; it needs the right to mount, and fails without it."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(disk: Path) -> Path:
    """Write until nothing more goes in; the file that took the room."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            try:
                while file.write(b"\0" * size) == size:
                    pass
            except OSError:
                continue
    return filler


async def chat(client: httpx.AsyncClient, room: str, message: str) -> httpx.Response:
    return await client.post(f"/api/rooms/{room}/chat", json={"message": message, "stream": False})


async def talk(client: httpx.AsyncClient, room: str) -> list[dict[str, Any]]:
    answer = await client.get(f"/api/rooms/{room}/messages?limit=100")
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"][::-1]
    return items


async def test_a_full_disk_refuses_and_the_room_goes_on_after(
    small_disk: Path, tmp_path: Path
) -> None:
    server = TomatoServer(tmp_path, {"TOMATO_DATA": str(small_disk / "data")})
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
            room = (await client.post("/api/rooms", json={"title": "좁은 곳"})).json()["id"]
            assert (await chat(client, room, "안녕?")).status_code == 200
            before = await talk(client, room)
            filler = fill(small_disk)
            refused = 0
            # The log has a little room of its own; soon that is full, too.
            for number in range(100):
                answer = await chat(client, room, f"{number} " + "긴 이야기 " * 500)
                assert answer.status_code in (200, 503), answer.text
                if answer.status_code == 503:
                    refused += 1
                    assert answer.json()["error"]["code"] == "store_unavailable"
                    assert int(answer.headers["retry-after"]) > 0
                if refused == 3:
                    break
            assert refused == 3
            full = await talk(client, room)
            assert full[: len(before)] == before
            filler.unlink()
            assert (await chat(client, room, "이제 자리가 있어")).status_code == 200
            after = await talk(client, room)
            assert (after[-1]["role"], after[-1]["status"]) == ("assistant", "complete")
            turns: dict[int, list[str]] = {}
            for message in after:
                turns.setdefault(message["turn"], []).append(message["role"])
            assert all(roles[0] == "user" for roles in turns.values())
        await server.kill()
        await server.start()
        async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
            assert await talk(client, room) == after
    finally:
        await server.kill()


async def test_a_disk_that_fills_up_during_an_answer(
    small_disk: Path, tmp_path: Path, openai_server: OpenAIServer
) -> None:
    data = small_disk / "data"
    server = TomatoServer(
        tmp_path,
        {
            "TOMATO_DATA": str(data),
            "TOMATO_MODEL": "openai:test",
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": openai_server.base_url,
        },
    )
    await server.start()
    await server.stop()  # leaves no log behind, and so no room in it
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
            room = (await client.post("/api/rooms", json={"title": "좁은 곳"})).json()["id"]
            assert (await chat(client, room, "안녕?")).status_code == 200
            before = await assert_agrees(client, room)
            # Larger than what is free in the file and its log, so that it can't be stored.
            long = "긴 이야기 " * 15_000
            assert len(long.encode()) > (data / "tomato.db-wal").stat().st_size
            openai_server.reply(Reply(chunks=[long, "끝"], hold_at=2))
            heard = Heard("오래 이야기해 줘")
            asking = asyncio.create_task(heard.listen(client, room))
            await openai_server.held()
            filler = fill(small_disk)
            openai_server.release()
            await asking
            assert [error["code"] for error in heard.all("error")] == ["store_unavailable"]
            assert heard.all("message") == []
            assert heard.all("done")[0]["status"] == "failed"
            full = await assert_agrees(client, room)
            assert full[:-1] == before
            assert full[-1]["content"] == heard.question
            filler.unlink()
            assert (await chat(client, room, "이제 자리가 있어")).status_code == 200
            after = await assert_agrees(client, room)
            assert [one["key"] for one in after[:-2]] == [one["key"] for one in full]
            assert [one["status"] for one in after[-3:]] == ["failed", "complete", "complete"]
        await server.kill()
        await server.start()
        async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
            assert await assert_agrees(client, room) == after
    finally:
        await server.kill()


async def test_a_full_disk_refuses_a_file_and_keeps_those_that_are_there(
    small_disk: Path, tmp_path: Path
) -> None:
    server = TomatoServer(tmp_path, {"TOMATO_DATA": str(small_disk / "data")})
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
            body = {"content": "좁은 곳의 파일", "summary": "좁은 곳", "category": "일"}
            entry = f"/api/archive/{(await client.post('/api/archive', json=body)).json()['id']}"
            refused = 0
            for number in range(8):
                data = bytes([number]) * 400_000
                answer = await client.put(f"{entry}/files/{number}", content=data)
                assert answer.status_code in (201, 503), answer.text
                refused += answer.status_code == 503
            assert 0 < refused < 8
            listed = (await client.get(entry)).json()["files"]
            assert len(listed) == 8 - refused
            for file in listed:
                got = await client.get(f"{entry}/files/{file['name']}")
                assert got.content == bytes([int(file["name"])]) * 400_000
            for file in listed:
                assert (await client.delete(f"{entry}/files/{file['name']}")).status_code == 204
            assert (await client.put(f"{entry}/files/pdf", content=pdf_saying("zeppelin"))).json()[
                "searchable"
            ]
        whole = {path.name for path in (small_disk / "data" / "blobs").rglob("*") if path.is_file()}
        assert len(whole) == 1
    finally:
        await server.kill()
