"""Files of entries over HTTP: kept, found by their words, read back, and really gone."""

import asyncio
import hashlib
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from docx import Document
from pydantic import SecretStr

from server.settings import Settings
from tests.services.pdf import pdf_saying
from tests.services.s3 import Bucket

LIMIT = 300_000
KO = "배포는 매주 목요일 오전에 한다."


@pytest.fixture(params=["embedded", "servers"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    embedded = Settings(data=tmp_path / "data", port=0, max_file=LIMIT)
    if request.param == "embedded":
        return embedded
    s3: Bucket = request.getfixturevalue("s3")
    return embedded.model_copy(
        update={
            "mongodb_url": SecretStr(request.getfixturevalue("mongo_url")),
            "s3_endpoint": s3.endpoint,
            "s3_access_key": SecretStr(s3.access_key),
            "s3_secret_key": SecretStr(s3.secret_key),
            "s3_bucket": s3.bucket,
            "s3_secure": False,
        }
    )


@pytest.fixture
async def files(client: httpx.AsyncClient) -> str:
    """The address of a new entry's files."""
    body = {"content": KO, "summary": "배포 요일", "category": "업무"}
    answer = await client.post("/api/archive", json=body)
    return f"/api/archive/{answer.json()['id']}/files"


async def listed(client: httpx.AsyncClient, files: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await client.get(files.removesuffix("/files"))).json()["files"]
    return found


async def found(client: httpx.AsyncClient, query: str) -> list[tuple[str, list[str]]]:
    answer = await client.get("/api/archive", params={"q": query})
    return [(one["summary"], one["matched"]) for one in answer.json()["items"]]


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


async def test_a_file_is_put_read_and_deleted(client: httpx.AsyncClient, files: str) -> None:
    name, data = "회의록 7월.bin", bytes(range(256)) * 1_000
    at = f"{files}/{quote(name)}"
    put = await client.put(at, content=data, headers={"Content-Type": "image/x-tomato"})
    assert put.status_code == 201, put.text
    digest = hashlib.sha256(data).hexdigest()
    assert put.headers["etag"] == f'"{digest}"'
    file = put.json()
    assert file.pop("created_at").endswith("Z")
    assert file == {
        "name": name,
        "size": len(data),
        "content_type": "image/x-tomato",
        "digest": digest,
        "searchable": False,
    }
    assert [one["name"] for one in await listed(client, files)] == [name]

    got = await client.get(at)
    assert (got.status_code, got.content) == (200, data)
    assert got.headers["content-type"] == "image/x-tomato"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["etag"] == f'"{digest}"'
    disposition = got.headers["content-disposition"]
    assert disposition.startswith("attachment; ")
    assert disposition.endswith(f"filename*=UTF-8''{quote(name, safe='')}")

    assert (await client.delete(at)).status_code == 204
    assert await listed(client, files) == []
    assert code(await client.get(at)) == (404, "file_not_found")
    assert code(await client.delete(at)) == (404, "file_not_found")


async def test_a_taken_name_is_kept_unless_asked_for(client: httpx.AsyncClient, files: str) -> None:
    at = f"{files}/plan.txt"
    first = await client.put(at, content=b"first")
    assert code(await client.put(at, content=b"second")) == (409, "file_exists")
    # A name that looks the same is the same.
    decomposed = f"{files}/{quote('cafe' + chr(0x301))}"
    assert (await client.put(f"{files}/{quote('café')}", content=b"x")).status_code == 201
    assert code(await client.put(decomposed, content=b"y")) == (409, "file_exists")
    assert (await client.get(at)).content == b"first"

    seen = first.headers["etag"]
    other = '"' + "0" * 64 + '"'
    for if_match, status in ((other, 412), ('"1"', 412), (seen, 201), (seen, 412), ("*", 201)):
        answer = await client.put(at, content=b"third", headers={"If-Match": if_match})
        assert answer.status_code == status, (if_match, answer.text)
    missing = await client.put(f"{files}/new", content=b"", headers={"If-Match": "*"})
    assert missing.status_code == 412
    assert (await client.put(f"{at}?overwrite=true", content=b"fourth")).status_code == 201
    assert (await client.get(at)).content == b"fourth"
    assert len(await listed(client, files)) == 2


TRICKS = (
    *("%2E%2E", "..%2Fup", "a%2Fb", "a%5Cb", "%2Fetc%2Fpasswd", "a%00b", "a%09b", "a%7F"),
    *("a%0Ab", "a%0A", "con"),
    *("Nul.txt", "com1.log", "%20a", "a%20", "a.", "%E2%80%AEgpj.exe", "%FF", "%20", "a" * 256),
    "%EA%B0%80" * 86,
)


async def test_a_name_that_plays_tricks_is_refused(client: httpx.AsyncClient, files: str) -> None:
    for name in TRICKS:
        for method in ("PUT", "GET", "DELETE"):
            answer = await client.request(method, f"{files}/{name}", content=b"x")
            assert code(answer) == (422, "invalid_field"), (name, answer.text)
            assert answer.json()["error"]["details"]["field"] == "filename"
    assert await listed(client, files) == []


async def test_a_file_is_as_large_as_the_setting_says(
    client: httpx.AsyncClient, files: str
) -> None:
    async def chunks(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 1_000):
            yield b"x" * 1_000

    assert (await client.put(f"{files}/fits", content=chunks(LIMIT))).status_code == 201
    assert code(await client.put(f"{files}/b", content=chunks(LIMIT + 1_000))) == (413, "too_large")
    declared = await client.put(f"{files}/c", content=b"x" * (LIMIT + 1))
    assert code(declared) == (413, "too_large")
    assert declared.json()["error"]["details"] == {"max_bytes": LIMIT}
    packed = await client.put(f"{files}/d", content=b"x", headers={"Content-Encoding": "gzip"})
    assert code(packed) == (415, "unsupported_content_encoding")
    assert (await client.put(f"{files}/empty", content=b"")).status_code == 201
    assert (await client.get(f"{files}/empty")).content == b""
    assert [one["size"] for one in await listed(client, files)] == [0, LIMIT]


async def test_a_part_of_a_file_is_read(client: httpx.AsyncClient, files: str) -> None:
    at = f"{files}/digits"
    await client.put(at, content=b"0123456789")
    for wanted, part, span in (
        ("bytes=2-4", b"234", "2-4/10"),
        ("bytes=7-", b"789", "7-9/10"),
        ("bytes=-3", b"789", "7-9/10"),
        ("bytes=5-99", b"56789", "5-9/10"),
    ):
        answer = await client.get(at, headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["content-range"] == f"bytes {span}"
    for wanted in ("bytes=0-", "bytes=0-1,3-4", "lines=1-2", "bytes=-"):
        answer = await client.get(at, headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (200, b"0123456789")
    answer = await client.get(at, headers={"Range": "bytes=10-"})
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */10")


def docx_saying(*paragraphs: str) -> bytes:
    document, file = Document(), io.BytesIO()
    for one in paragraphs:
        document.add_paragraph(one)
    document.add_table(1, 1).cell(0, 0).text = "표 안의 사과나무"
    document.save(file)
    return file.getvalue()


async def test_an_entry_is_found_by_what_its_files_say(
    client: httpx.AsyncClient, files: str
) -> None:
    await client.put(f"{files}/note.txt", content="고양이 사료는 선반 위에 있다".encode("cp949"))
    await client.put(f"{files}/report.pdf", content=pdf_saying("The quarterly zeppelin budget"))
    await client.put(f"{files}/보고서.pdf", content=pdf_saying("3분기 비행선 예산은 사천만 원"))
    await client.put(f"{files}/memo.docx", content=docx_saying("정원 스프링클러 설정값"))
    await client.put(f"{files}/minutes.docx", content=docx_saying("Keep the trellis painted"))
    await client.put(f"{files}/plan.md", content=b"# Plan\n\n- Water the hydrangea")
    await client.put(f"{files}/photo.jpg", content=b"\xff\xd8\xff\0\x01")
    searchable = {one["name"]: one["searchable"] for one in await listed(client, files)}
    assert searchable == {
        "memo.docx": True,
        "minutes.docx": True,
        "note.txt": True,
        "photo.jpg": False,
        "plan.md": True,
        "report.pdf": True,
        "보고서.pdf": True,
    }
    for query, matched in (
        ("고양이 사료", ["고양이", "사료"]),
        ("zeppelin", ["zeppelin"]),
        ("비행선 예산", ["비행선", "예산"]),
        ("trellis", ["trellis"]),
        ("hydrangea", ["hydrangea"]),
        ("스프링클러", ["스프링클러"]),
        ("사과나무", ["사과나무"]),
        ("photo", ["photo"]),
    ):
        assert await found(client, query) == [("배포 요일", matched)]
    await client.delete(f"{files}/memo.docx")
    assert await found(client, "스프링클러") == []
    assert await found(client, "zeppelin") != []


async def test_the_agent_finds_an_entry_by_its_file(client: httpx.AsyncClient, files: str) -> None:
    await client.put(f"{files}/report.pdf", content=pdf_saying("The zeppelin repairs cost 4000"))
    room = (await client.post("/api/rooms", json={})).json()["id"]
    for question in ("find my note about zeppelin repairs", "zeppelin 메모 찾아줘"):
        asked = {"message": question, "stream": False}
        answer = await client.post(f"/api/rooms/{room}/chat", json=asked)
        assert "배포 요일" in answer.json()["message"]["content"]


async def test_files_go_with_their_entry_and_no_byte_stays(
    client: httpx.AsyncClient, files: str, settings: Settings, request: pytest.FixtureRequest
) -> None:
    secret = "비밀번호는 tomato-7731 이다".encode()
    await client.put(f"{files}/secret.txt", content=secret)
    await client.put(f"{files}/secret.txt?overwrite=true", content=secret + b"!")
    assert (await client.delete(files.removesuffix("/files"))).status_code == 204
    assert code(await client.get(f"{files}/secret.txt")) == (404, "entry_not_found")
    kept = b"".join(path.read_bytes() for path in settings.data.rglob("*") if path.is_file())
    assert not re.search(rb"tomato-7731|7731", kept)
    if settings.s3_endpoint:
        bucket: Bucket = request.getfixturevalue("s3")
        assert not list(bucket.client().list_objects(bucket.bucket, recursive=True))


async def test_of_many_puts_of_one_name_one_wins(client: httpx.AsyncClient, files: str) -> None:
    puts = [client.put(f"{files}/one", content=b"%d" % number) for number in range(6)]
    answers = await asyncio.gather(*puts)
    won = [number for number, answer in enumerate(answers) if answer.status_code == 201]
    assert len(won) == 1
    assert {answer.status_code for answer in answers} == {201, 409}
    assert (await client.get(f"{files}/one")).content == b"%d" % won[0]


async def test_of_many_names_at_once_all_are_kept(client: httpx.AsyncClient, files: str) -> None:
    puts = [client.put(f"{files}/{number}", content=b"word%d" % number) for number in range(8)]
    assert {answer.status_code for answer in await asyncio.gather(*puts)} == {201}
    assert len(await listed(client, files)) == 8
    for number in range(8):
        assert await found(client, f"word{number}") == [("배포 요일", [f"word{number}"])]


async def test_the_description_tells_of_bytes(client: httpx.AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    described = paths["/api/archive/{entry_id}/files/{filename}"]
    assert set(described) == {"put", "get", "delete"}
    bytes_of_any_kind = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
    assert described["put"]["requestBody"]["content"] == bytes_of_any_kind
    assert described["get"]["responses"]["200"]["content"] == bytes_of_any_kind


async def test_an_entry_that_is_not_there_takes_no_file(client: httpx.AsyncClient) -> None:
    for method in ("PUT", "GET", "DELETE"):
        answer = await client.request(method, "/api/archive/entry_0/files/a", content=b"x")
        assert code(answer) == (404, "entry_not_found")
