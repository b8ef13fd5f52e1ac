"""`tomato users` as an operator uses it, beside a running server."""

import asyncio

import httpx
import pytest

from tests.services.tomato_server import TOMATO, TomatoServer

PASSWORD = "correct horse battery"


@pytest.fixture
async def server(live_server: TomatoServer) -> TomatoServer:
    await live_server.stop()
    live_server.settings = {"TOMATO_LOCAL_USER": "off"}
    await live_server.start()
    return live_server


async def users(server: TomatoServer, *arguments: str, said: str = "") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        TOMATO,
        "users",
        *arguments,
        env=server.environment,
        cwd=server.home,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate(said.encode())
    assert process.returncode is not None
    return process.returncode, out.decode()


async def status(server: TomatoServer, password: str = PASSWORD) -> int:
    """What a sign-in answers."""
    async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
        body = {"username": "토마토", "password": password}
        return (await client.post("/api/auth/login", json=body)).status_code


async def test_an_account_from_its_beginning_to_its_end(server: TomatoServer) -> None:
    code, told = await users(server, "add", "토마토", "--password-stdin", said="short\n")
    assert (code, told) == (1, "Error: A password has 8 to 128 characters.\n")
    code, told = await users(server, "add", "토마토", "--password-stdin", said=f"{PASSWORD}\n")
    assert code == 0, told
    assert PASSWORD not in told
    assert await status(server) == 200
    code, told = await users(server, "add", "토마토", "--password-stdin", said=f"{PASSWORD}\n")
    assert (code, told) == (1, "Error: This user name is taken.\n")

    async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
        body = {"username": "토마토", "password": PASSWORD}
        sid = (await client.post("/api/auth/login", json=body)).json()["sid"]
        client.cookies.clear()
        mine = {"Authorization": f"Bearer {sid}"}
        assert (await client.post("/api/rooms", headers=mine)).status_code == 201
        assert "is disabled" in (await users(server, "disable", "토마토"))[1]
        assert (await client.get("/api/rooms", headers=mine)).status_code == 401
    assert "disabled" in (await users(server, "list"))[1]
    assert await status(server) == 401
    assert (await users(server, "enable", "토마토"))[0] == 0
    other = "another horse battery"
    code, _ = await users(server, "reset-password", "토마토", "--password-stdin", said=other)
    assert code == 0
    assert (await status(server), await status(server, other)) == (401, 200)
    assert (await users(server, "delete", "토마토", "--yes"))[0] == 0
    assert await status(server, other) == 401
    assert await users(server, "disable", "토마토") == (1, "Error: There is no such user.\n")
