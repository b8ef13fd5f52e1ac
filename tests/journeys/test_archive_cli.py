"""`tomato archive` as a person uses it, beside a running server: out, in, and out the same."""

import asyncio
import hashlib
import json
import zipfile
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from server.archive_cli import archive as cli
from tests.services.tomato_server import TOMATO, TomatoServer

PASSWORD = "correct horse battery"
LARGE = "".join(f"{number % 40}번째 줄: sprinkler\n" for number in range(4_000))
BYTES = hashlib.shake_256(b"tomato").digest(500_000)


async def archive(server: TomatoServer, *arguments: str, said: bytes = b"") -> tuple[int, str, str]:
    """The exit code, what went to the output, and what to the error output."""
    process = await asyncio.create_subprocess_exec(
        TOMATO,
        "archive",
        *arguments,
        env=server.environment,
        cwd=server.home,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, told = await process.communicate(said)
    assert process.returncode is not None
    return process.returncode, out.decode(), told.decode()


def line(summary: str, content: str) -> bytes:
    fields = {"summary": summary, "category": "여행", "content": content}
    return json.dumps(fields).encode() + b"\n"


async def fill(client: httpx.AsyncClient) -> None:
    for summary, category, content in (
        ("여권 번호", "여행", "M12345678"),
        ("긴 글", "집", LARGE),
        ("getUserName bug", "dev", "getUserName() raises ERR_AUTH_401"),
    ):
        body = {"summary": summary, "category": category, "content": content}
        kept = await client.post("/api/archive", json=body)
        assert kept.status_code == 201, kept.text
    address = f"/api/archive/{kept.json()['id']}/files/"
    for name, data in (("표 1.bin", BYTES), ("회의.txt", "배포는 목요일".encode())):
        assert (await client.put(address + name, content=data)).status_code == 201


async def signed_up(client: httpx.AsyncClient, name: str) -> dict[str, str]:
    account = {"username": name, "password": PASSWORD}
    assert (await client.post("/api/auth/register", json=account)).status_code == 201
    sid = (await client.post("/api/auth/login", json=account)).json()["sid"]
    client.cookies.clear()
    return {"Authorization": f"Bearer {sid}"}


async def test_an_archive_moves_from_one_account_to_another(live_server: TomatoServer) -> None:
    server, home = live_server, live_server.home
    async with httpx.AsyncClient(base_url=server.address, timeout=60) as client:
        await fill(client)
        assert await archive(server, "export", "mine.jsonl") == (0, "", "")
        assert (home / "mine.jsonl").stat().st_mode & 0o777 == 0o600
        exported = (home / "mine.jsonl").read_bytes()

        theirs = await signed_up(client, "토마토")
        code, out, told = await archive(server, "import", "--user", "토마토", said=exported)
        assert (code, told) == (0, "")
        assert out.splitlines()[:2] == [
            "entries: 3 added, 0 there already, 0 refused",
            "files: 2 added, 0 there already, 0 refused",
        ]
        path = "/api/archive"
        hits = (await client.get(path, params={"q": "목요일 배포"}, headers=theirs)).json()
        entry = hits["items"][0]
        file = await client.get(f"{path}/{entry['id']}/files/표 1.bin", headers=theirs)
        assert file.content == BYTES
        # The export of their account holds it too, and can be read back in.
        whole = await client.get("/api/auth/me/export", headers=theirs)
        (home / "account.zip").write_bytes(whole.content)

    code, out, told = await archive(server, "import", "account.zip", "--data", "elsewhere")
    assert (code, told) == (0, "")
    assert out.startswith("entries: 3 added, 0 there already, 0 refused\nfiles: 2 added")
    code, out, _ = await archive(server, "export", "--data", "elsewhere")
    # Their ids are their own, all else is as it was.
    before, after = (
        [json.loads(one) | {"id": "", "of": ""} for one in lines.splitlines()]
        for lines in (exported.decode(), out)
    )
    assert (code, after) == (0, before)


async def test_what_comes_in_is_told_by_the_running_server_at_once(
    live_server: TomatoServer, mongo_url: str, redis_url: str
) -> None:
    await live_server.kill()
    live_server.settings = {"MONGODB_URL": mongo_url, "REDIS_URL": redis_url}
    await live_server.start()
    async with httpx.AsyncClient(base_url=live_server.address, timeout=60) as client:
        room = (await client.post("/api/rooms")).json()["id"]
        context = f"/api/rooms/{room}/context"
        assert (await client.get(context)).json()["archive_digest"] == ""
        code, _, told = await archive(live_server, "import", said=line("여권 번호", "M12345678"))
        assert (code, told) == (0, "")
        assert (await client.get(context)).json()["archive_digest"] == (
            "여행 (1)\n- 여권 번호 [여행]"
        )


async def test_what_cannot_come_in_is_told(tmp_path: Path) -> None:
    lines = [line("하나", "1"), b"oops\n", line("", "둘"), line("둘", "x" * 9_000_000)]
    code, out, told = await archive(TomatoServer(tmp_path), "import", said=b"".join(lines))
    assert code == 1
    assert out.splitlines() == [
        "entries: 1 added, 0 there already, 0 refused",
        "files: 0 added, 0 there already, 0 refused",
        "other lines: 3 refused",
    ]
    assert told.splitlines() == [
        "line 2: It is not JSON.",
        "line 3: summary: it is blank",
        "line 4: It is too long.",
        "Error: 3 refused; all else is in.",
    ]


def test_what_cannot_be_read_or_written_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOMATO_DATA", str(tmp_path / "data"))

    def refused(*arguments: str) -> str:
        shown = CliRunner().invoke(cli, [*arguments])
        assert shown.exit_code == 1
        return shown.output.splitlines()[-1]

    there = tmp_path / "there.jsonl"
    there.write_text("mine")
    assert refused("export", str(there)) == f"Error: File exists: {there}"
    assert there.read_text() == "mine"
    assert refused("export", "--user", "nobody") == "Error: There is no such user."
    assert refused("import", str(tmp_path / "none")).startswith("Error: No such file")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as zipped:
        zipped.writestr("a.txt", "a")
    assert "archive.jsonl" in refused("import", str(tmp_path / "other.zip"))
