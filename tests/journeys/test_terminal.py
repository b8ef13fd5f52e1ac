"""`tomato chat` as a person uses it: with a server of its own, and with one that runs."""

import asyncio
from pathlib import Path

import pytest

from tests.services.tomato_server import TOMATO, TomatoServer


async def chat(server: TomatoServer, said: str, *options: str) -> tuple[int, str, str]:
    """Exit code, output and error output of a talk."""
    process = await asyncio.create_subprocess_exec(
        TOMATO,
        "chat",
        *options,
        env=server.environment,
        cwd=server.home,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate(said.encode())
    assert process.returncode is not None
    return process.returncode, out.decode(), error.decode()


async def test_a_talk_without_a_server_is_remembered_by_the_next(tmp_path: Path) -> None:
    server = TomatoServer(tmp_path)
    code, out, error = await chat(
        server, "기억해: 회의실 비밀번호는 7788 이다\n/quit\nnever read\n"
    )
    assert (code, error) == (0, "")
    assert "archive_save" in out
    assert "✓" in out
    code, out, error = await chat(server, "회의실 비밀번호 찾아줘\n")
    assert (code, error) == (0, "")
    assert "7788" in out


async def test_a_talk_goes_on_in_a_room_of_a_running_server(live_server: TomatoServer) -> None:
    address = ("--server", live_server.address)
    _, out, _ = await chat(live_server, "save this: the cat is called Miso\n", *address)
    room = out.split()[1]
    code, out, error = await chat(live_server, "delete it\n", *address, "--room", room)
    assert (code, error) == (0, "")
    assert "archive_delete" in out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--server", "http://127.0.0.1:1"], "can't be reached"),
        (["--server", "http://127.0.0.1:x"], "is not an address"),
        (["--room", "room_none"], "There is no such room."),
    ],
)
async def test_what_can_not_be_is_said_in_one_sentence(
    tmp_path: Path, options: list[str], sentence: str
) -> None:
    code, _, error = await chat(TomatoServer(tmp_path), "hello\n", *options)
    assert code == 1
    (line,) = error.splitlines()
    assert sentence in line


async def test_the_archive_and_the_rooms_are_at_hand(live_server: TomatoServer) -> None:
    address = ("--server", live_server.address)
    said = [
        "/save Valkey is a fork of Redis that keeps its free licence.",
        "Valkey fork",  # another label
        "",  # the category that was made
        "/find valkey licence",
        "hello",
        "/history",
        "/rooms",
        "/rooms 1",
        "/rooms 99",
        "/nothing",
        "/help",
    ]
    code, out, error = await chat(live_server, "\n".join(said), *address)
    assert (code, error) == (0, "")
    assert "Saved: Valkey fork (" in out
    assert "Valkey fork (" in out.partition("Saved:")[2]
    assert "user\nhello" in out
    assert "There is no /nothing." in out
    assert "/rooms 2 takes the second" in out
    assert "/find" in out
