"""Accounts over HTTP, on every kind of storage: in, out, until when, and the end of it all."""

import asyncio
import io
import json
import zipfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from pymongo import MongoClient
from redis import Redis

from memory.attachments import Attachments
from memory.errors import Unavailable
from server.app import create_app
from server.identity import COOKIE
from server.settings import Settings
from tests.services.openai_server import OpenAIServer, Reply
from tests.services.tomato_server import TomatoServer

PERSON = {"username": "토마토.Lover", "password": "correct horse battery"}
OTHER = {"username": "other.person", "password": "another horse battery"}
MARKER = "zq-marker-7f3a-표식"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "local_user": False,
            # Quick to make: what they cost is measured elsewhere.
            "password_time_cost": 1,
            "password_memory_kib": 64,
        }
    )


@asynccontextmanager
async def living(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


def client_of(app: FastAPI, sid: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {sid}"} if sid else {}
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)


async def signed_up(client: httpx.AsyncClient, person: dict[str, str]) -> str:
    """The sid of a new account's first session."""
    made = await client.post("/api/auth/register", json=person)
    assert made.status_code == 201, made.text
    entered = await client.post("/api/auth/login", json=person)
    assert entered.status_code == 200, entered.text
    client.cookies.clear()
    return str(entered.json()["sid"])


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def bearer(sid: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {sid}"}


async def test_up_in_me_and_out(client: httpx.AsyncClient) -> None:
    made = await client.post("/api/auth/register", json=PERSON)
    assert made.status_code == 201
    user = made.json()["user"]
    assert user["username"] == PERSON["username"]
    entered = await client.post("/api/auth/login", json=PERSON | {"username": "토마토.LOVER"})
    assert entered.json()["user"] == user
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie  # prod alone
    sid = entered.json()["sid"]
    assert sid in cookie
    me = await client.get("/api/auth/me")  # by the cookie
    assert me.json()["user"] == user
    assert me.json()["expires_at"] >= entered.json()["expires_at"]
    out = await client.post("/api/auth/logout")
    assert out.status_code == 204
    assert "Max-Age=0" in out.headers["set-cookie"]
    assert code_of(await client.get("/api/rooms", headers=bearer(sid))) == (401, "session_expired")
    assert code_of(await client.get("/api/rooms")) == (401, "not_signed_in")


async def test_a_taken_name_and_wrong_credentials(client: httpx.AsyncClient) -> None:
    await signed_up(client, PERSON)
    again = await client.post("/api/auth/register", json=PERSON | {"username": "토마토.lover"})
    assert code_of(again) == (409, "username_taken")
    wrong = await client.post("/api/auth/login", json=PERSON | {"password": "wrong password"})
    unknown = await client.post("/api/auth/login", json=PERSON | {"username": "nobody.here"})
    assert code_of(wrong) == code_of(unknown) == (401, "bad_credentials")
    assert wrong.json()["error"]["message"] == unknown.json()["error"]["message"]
    assert "set-cookie" not in wrong.headers


async def test_of_parallel_sign_ups_one_wins(client: httpx.AsyncClient) -> None:
    names = ["tomato", "TOMATO", "Tomato", "ｔomato"]
    made = await asyncio.gather(
        *(client.post("/api/auth/register", json=PERSON | {"username": name}) for name in names)
    )
    assert sorted(one.status_code for one in made) == [201, 409, 409, 409]


async def test_every_session_ends_at_once(app: FastAPI) -> None:
    async with client_of(app) as client:
        first = await signed_up(client, PERSON)
        second = (await client.post("/api/auth/login", json=PERSON)).json()["sid"]
        client.cookies.clear()
        out = await client.post("/api/auth/logout-all", headers=bearer(first))
        assert out.status_code == 204
        for sid in (first, second):
            assert code_of(await client.get("/api/auth/me", headers=bearer(sid)))[0] == 401


async def test_the_sid_may_stand_in_the_body_of_auth_alone(app: FastAPI) -> None:
    async with client_of(app) as client:
        sid = await signed_up(client, PERSON)
        other = await signed_up(client, OTHER)
        body = {COOKIE: sid}
        elsewhere = await client.post("/api/rooms", json=body)
        assert elsewhere.status_code == 401
        differs = await client.post("/api/auth/logout", json=body, headers=bearer(other))
        assert code_of(differs) == (400, "sid_mismatch")
        for one in (sid, other):
            assert (await client.get("/api/auth/me", headers=bearer(one))).status_code == 200
        assert (await client.post("/api/auth/logout", json=body)).status_code == 204
        assert (await client.get("/api/auth/me", headers=bearer(sid))).status_code == 401


async def test_an_expired_session_is_told_and_its_cookie_taken(settings: Settings) -> None:
    brief = settings.model_copy(update={"session_idle_seconds": 0.4})
    async with living(brief) as app, client_of(app) as client:
        assert (await client.post("/api/auth/register", json=PERSON)).status_code == 201
        await client.post("/api/auth/login", json=PERSON)
        async with asyncio.timeout(10):
            # Only its own clock ends it, and only a look shows it.
            while (answer := await client.get("/api/rooms")).status_code == 200:  # noqa: ASYNC110
                await asyncio.sleep(0.5)
        assert code_of(answer) == (401, "session_expired")
        assert f"{COOKIE}=;" in answer.headers["set-cookie"]
        assert code_of(await client.get("/api/rooms")) == (401, "not_signed_in")


async def test_a_stream_ends_with_its_session(
    settings: Settings, openai_server: OpenAIServer
) -> None:
    update = {
        "model": "openai:test",
        "openai_api_key": SecretStr("key"),
        "openai_base_url": openai_server.base_url,
    }
    openai_server.reply(Reply(text="a long answer " * 20, hold_at=5))
    async with living(settings.model_copy(update=update)) as app, client_of(app) as client:
        sid = await signed_up(client, PERSON)
        mine = bearer(sid)
        room = (await client.post("/api/rooms", json={"title": "t"}, headers=mine)).json()["id"]
        asking = asyncio.create_task(
            client.post(f"/api/rooms/{room}/chat", json={"message": "hello"}, headers=mine)
        )
        await openai_server.held()
        await client.post("/api/auth/logout", headers=mine)
        async with asyncio.timeout(10):
            heard = (await asking).text
        assert "event: run" in heard
        assert "event: done" not in heard
        openai_server.release()
        again = bearer((await client.post("/api/auth/login", json=PERSON)).json()["sid"])
        async with asyncio.timeout(20):
            while len(await _messages(client, room, again)) < 2:  # noqa: ASYNC110 - only a look shows it
                await asyncio.sleep(0.05)


async def _messages(client: httpx.AsyncClient, room: str, headers: dict[str, str]) -> list[Any]:
    path = f"/api/rooms/{room}/messages"
    return list((await client.get(path, headers=headers)).json()["items"])


async def test_the_export_holds_everything(app: FastAPI) -> None:
    async with client_of(app) as client:
        mine = bearer(await signed_up(client, PERSON))
        room = (await client.post("/api/rooms", headers=mine)).json()["id"]
        body = {"message": f"기억해: {MARKER} 은 비밀이다", "stream": False}
        await client.post(f"/api/rooms/{room}/chat", json=body, headers=mine)
        (entry,) = (await client.get("/api/archive", headers=mine)).json()["items"]
        file = f"/api/archive/{entry['id']}/files/메모.txt"
        put = await client.put(file, content="파일".encode() * 50_000, headers=mine)
        assert put.status_code == 201, put.text
        other = bearer(await signed_up(client, OTHER))
        await client.post("/api/rooms", json={"title": "not mine"}, headers=other)

        answer = await client.get("/api/auth/me/export", headers=mine)
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as zipped:
        assert zipped.testzip() is None
        account = json.loads(zipped.read("account.json"))
        assert account["username"] == PERSON["username"]
        lines = zipped.read(f"rooms/{room}.jsonl").decode().splitlines()
        assert json.loads(lines[0])["id"] == room
        assert MARKER in json.loads(lines[1])["content"]
        assert MARKER in json.loads(zipped.read("archive.jsonl"))["content"]
        assert zipped.read(f"files/{entry['id']}/메모.txt").decode() == "파일" * 50_000
        assert "not mine" not in b"".join(zipped.read(name) for name in zipped.namelist()).decode()
        assert "argon2" not in b"".join(zipped.read(name) for name in zipped.namelist()).decode()


@pytest.mark.parametrize("path", ["me", "me/usage", "me/export"])
async def test_a_session_in_the_body_is_enough(client: httpx.AsyncClient, path: str) -> None:
    sid = await signed_up(client, PERSON)
    path = f"/api/auth/{path}"
    answer = await client.request("GET", path, json={"tomatoSID": sid})
    assert answer.status_code == 200
    if path.endswith("/me"):
        assert answer.json()["user"]["username"] == PERSON["username"]
    assert code_of(await client.request("GET", path, json={})) == (401, "not_signed_in")
    other = await client.request("GET", path, json={"tomatoSID": sid}, headers=bearer(sid[::-1]))
    assert code_of(other) == (400, "sid_mismatch")
    assert code_of(await client.get("/api/tools")) == (401, "not_signed_in")


async def test_an_export_that_cannot_begin_is_refused(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Away:
        def __aiter__(self) -> "Away":
            return self

        async def __anext__(self) -> bytes:
            raise Unavailable("The object storage is away.")

    async with client_of(app) as client:
        mine = bearer(await signed_up(client, PERSON))
        note = {"content": MARKER, "summary": "표식", "category": "시험"}
        entry = (await client.post("/api/archive", json=note, headers=mine)).json()["id"]
        await client.put(f"/api/archive/{entry}/files/a.txt", content=b"a", headers=mine)
        monkeypatch.setattr(Attachments, "read", lambda *_: Away())
        answer = await client.get("/api/auth/me/export", headers=mine)
    assert code_of(answer) == (503, "store_unavailable")
    assert answer.headers["retry-after"]


SETUPS = ["sqlite", "sqlite+redis", "mongo", "mongo+redis"]


@pytest.fixture(params=SETUPS)
def everywhere(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    update: dict[str, object] = {}
    if "mongo" in request.param:
        update["mongodb_url"] = SecretStr(request.getfixturevalue("mongo_url"))
    if "redis" in request.param:
        update["redis_url"] = SecretStr(request.getfixturevalue("redis_url"))
    return settings.model_copy(update=update)


async def test_what_is_asked_while_an_account_is_deleted_goes_with_it(everywhere: Settings) -> None:
    async with living(everywhere) as app, client_of(app) as client:
        mine = bearer(await signed_up(client, PERSON | {"username": "zq.marker"}))

        async def ask(number: int) -> int:
            await asyncio.sleep(number * 0.004)
            said = f"{MARKER} {number}"
            asked = {"model": "tomato", "messages": [{"role": "user", "content": said}]}
            saved = {"content": said, "summary": MARKER, "category": MARKER}
            path, body = [("/v1/chat/completions", asked), ("/api/archive", saved)][number % 2]
            return (await client.post(path, json=body, headers=mine)).status_code

        asking = [asyncio.create_task(ask(number)) for number in range(60)]
        await asyncio.sleep(0.05)
        gone = await client.request(
            "DELETE", "/api/auth/me", json={"password": PERSON["password"]}, headers=mine
        )
        assert gone.status_code == 204, gone.text
        answered = await asyncio.gather(*asking)
        assert {200, 201, 401} & set(answered)
        found = await asyncio.to_thread(places_of, everywhere)
    assert found == []


async def test_a_deleted_account_is_gone_to_the_last_byte(everywhere: Settings) -> None:
    async with living(everywhere) as app, client_of(app) as client:
        mine = bearer(await signed_up(client, PERSON | {"username": "zq.marker"}))
        other = bearer(await signed_up(client, OTHER))
        room = (await client.post("/api/rooms", json={"title": MARKER}, headers=mine)).json()["id"]
        body = {"message": f"기억해: {MARKER} 은 비밀이다", "stream": False}
        said = await client.post(f"/api/rooms/{room}/chat", json=body, headers=mine)
        assert said.status_code == 200, said.text
        (entry,) = (await client.get("/api/archive", headers=mine)).json()["items"]
        file = f"/api/archive/{entry['id']}/files/{MARKER}.txt"
        assert (await client.put(file, content=MARKER.encode(), headers=mine)).status_code == 201
        large = f"{MARKER} " * 10_000
        kept = {"content": large, "summary": MARKER, "category": MARKER}
        assert (await client.post("/api/archive", json=kept, headers=mine)).status_code == 201
        theirs = (await client.post("/api/rooms", json={"title": "mine"}, headers=other)).json()

        wrong = {"password": "not the password"}
        refused = await client.request("DELETE", "/api/auth/me", json=wrong, headers=mine)
        assert code_of(refused) == (401, "bad_credentials")
        assert (await client.get(f"/api/rooms/{room}", headers=mine)).status_code == 200
        gone = await client.request(
            "DELETE", "/api/auth/me", json={"password": PERSON["password"]}, headers=mine
        )
        assert gone.status_code == 204, gone.text
        assert (await client.get("/api/auth/me", headers=mine)).status_code == 401
        again = await client.post("/api/auth/login", json=PERSON | {"username": "zq.marker"})
        assert code_of(again) == (401, "bad_credentials")
        assert (await client.get(f"/api/rooms/{theirs['id']}", headers=other)).status_code == 200
        found = await asyncio.to_thread(places_of, everywhere)
    assert found == []


def places_of(settings: Settings) -> list[str]:
    """Where a byte of the marker is still kept."""
    marks = (MARKER.encode(), MARKER.encode("utf-16-le"), b"zq.marker", b"zq-marker")
    found = [
        str(path)
        for path in Path(settings.data).rglob("*")
        if path.is_file() and any(mark in path.read_bytes() for mark in marks)
    ]
    if settings.mongodb_url is not None:
        with MongoClient[dict[str, Any]](settings.mongodb_url.get_secret_value()) as mongo:
            database = mongo.get_default_database()
            for name in database.list_collection_names():
                found += [
                    f"{name}: {document}"
                    for document in database[name].find()
                    if "zq-marker" in repr(document) or "zq.marker" in repr(document)
                ]
    if settings.redis_url is not None:
        with Redis.from_url(settings.redis_url.get_secret_value()) as client:
            kept = ((key, client.dump(key) or b"") for key in client.scan_iter())
            found += [repr(key) for key, dump in kept if any(m in key + dump for m in marks)]
    return found


async def test_too_many_tries_are_slowed_down(settings: Settings) -> None:
    limited = settings.model_copy(
        update={"rate_login_name": "3 per minute", "rate_register": "2 per hour"}
    )
    async with living(limited) as app, client_of(app) as client:
        await signed_up(client, PERSON)
        answers = [
            await client.post("/api/auth/login", json=PERSON | {"password": "wrong password"})
            for _ in range(4)
        ]
        assert [one.status_code for one in answers] == [401, 401, 429, 429]
        assert answers[-1].json()["error"]["code"] == "too_many_requests"
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        # Neither case nor width gives more tries.
        wide = PERSON | {"username": "토마토.ｌｏｖｅｒ"}
        assert (await client.post("/api/auth/login", json=wide)).status_code == 429
        assert (await client.post("/api/auth/register", json=OTHER)).status_code == 201
        third = {"username": "third.one", "password": "long enough"}
        assert (await client.post("/api/auth/register", json=third)).status_code == 429


async def test_a_user_s_chats_and_drafts_have_a_rate(settings: Settings) -> None:
    limited = settings.model_copy(
        update={"rate_chat": "1 per minute", "rate_draft": "1 per minute"}
    )
    async with living(limited) as app, client_of(app) as client:
        mine = bearer(await signed_up(client, PERSON))
        room = (await client.post("/api/rooms", json={"title": "t"}, headers=mine)).json()["id"]
        chat = f"/api/rooms/{room}/chat"
        for path, body in (
            (chat, {"message": "hello", "stream": False}),
            ("/api/archive/drafts", {"content": "레디스 키는 만료된다"}),
        ):
            answers = [await client.post(path, json=body, headers=mine) for _ in range(2)]
            assert [one.status_code for one in answers] == [200, 429], path
            assert answers[1].headers["retry-after"]
        assert len(await _messages(client, room, mine)) == 2
        other = bearer(await signed_up(client, OTHER))
        body = {"content": "레디스 키는 만료된다"}
        assert (await client.post("/api/archive/drafts", json=body, headers=other)).is_success


async def test_a_cookie_is_secure_in_prod_and_serves_our_own_pages_alone(
    settings: Settings,
) -> None:
    prod = settings.model_copy(update={"env": "prod"})
    async with living(prod) as app:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://tomato") as client:
            await client.post("/api/auth/register", json=PERSON)
            entered = await client.post("/api/auth/login", json=PERSON)
            assert "; Secure" in entered.headers["set-cookie"]
            strange = {"Origin": "https://elsewhere.example"}
            refused = await client.post("/api/rooms", json={}, headers=strange)
            assert code_of(refused) == (403, "origin_refused")
            assert (await client.get("/api/rooms")).json()["items"] == []
            own = {"Origin": "https://tomato"}
            assert (await client.post("/api/rooms", json={}, headers=own)).status_code == 201


BAD: list[tuple[str, object]] = [
    ("username", {"$gt": ""}),
    ("username", ["토마토"]),
    ("username", 7),
    ("username", None),
    ("username", "a\0bcd"),
    ("username", "abc\r\nSet-Cookie: x=1"),
    ("username", "\u202eadmin"),
    ("username", "\u0440\u0430ypal"),
    ("username", "ab"),
    ("username", "a" * 33),
    ("password", "short"),
    ("password", "x" * 129),
    ("password", "x" * 1_000_000),
    ("password", {"$ne": None}),
]


@pytest.mark.parametrize(("field", "value"), BAD, ids=lambda value: repr(value)[:30])
async def test_bad_input_is_refused_and_nothing_stored(
    app: FastAPI, field: str, value: object
) -> None:
    async with client_of(app) as client:
        for path in ("register", "login"):
            answer = await client.post(f"/api/auth/{path}", json={**PERSON, field: value})
            assert 400 <= answer.status_code < 500, answer.text
            assert set(answer.json()) == {"error"}
            assert "set-cookie" not in answer.headers
        resources = await app.state.opening.resources()
        assert (await resources.users.page(limit=10)).items == []


async def test_duplicate_names_in_json_are_refused(app: FastAPI) -> None:
    async with client_of(app) as client:
        body = '{"username": "abc", "username": "abd", "password": "long enough"}'
        answer = await client.post(
            "/api/auth/register", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.status_code == 400


@pytest.mark.parametrize(
    "authorization",
    ["Basic abc", "Bearer", "Bearer ", "Bearer x", "Bearer " + "*" * 43, "토큰", "Bearer a\tb"],
)
async def test_a_malformed_sid_is_no_session(app: FastAPI, authorization: str) -> None:
    async with client_of(app) as client:
        headers = {b"authorization": authorization.encode()}
        answer = await client.get("/api/rooms", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] in ("bad_session", "not_signed_in")


async def test_a_closed_door(settings: Settings) -> None:
    closed = settings.model_copy(update={"registration": False})
    async with living(closed) as app, client_of(app) as client:
        answer = await client.post("/api/auth/register", json=PERSON)
        assert code_of(answer) == (403, "registration_closed")


async def test_stronger_parameters_make_the_hash_anew(settings: Settings) -> None:
    async with living(settings) as app, client_of(app) as client:
        await signed_up(client, PERSON)
    stronger = settings.model_copy(update={"password_time_cost": 2})
    async with living(stronger) as app, client_of(app) as client:
        resources = await app.state.opening.resources()
        before = (await resources.users.by_name(PERSON["username"]))[1]
        assert (await client.post("/api/auth/login", json=PERSON)).status_code == 200
        after = (await resources.users.by_name(PERSON["username"]))[1]
        assert before != after
        assert "t=2" in after
        assert (await client.post("/api/auth/login", json=PERSON)).status_code == 200


async def test_secrets_are_in_no_log(tmp_path: Path) -> None:
    server = TomatoServer(
        tmp_path,
        {
            "TOMATO_LOCAL_USER": "off",
            "TOMATO_LOG_LEVEL": "debug",
            "TOMATO_LOG": "json",
            "OPENAI_API_KEY": "sk-a-secret-key",
            "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        },
    )
    await server.start()
    async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
        sid = await signed_up(client, PERSON)
        mine = bearer(sid)
        room = (await client.post("/api/rooms", headers=mine)).json()["id"]
        body = {"message": "hello", "stream": False}
        failed = await client.post(f"/api/rooms/{room}/chat", json=body, headers=mine)
        assert failed.status_code == 503
        await client.post("/api/auth/login", json=PERSON | {"password": "a wrong password"})
        await client.post("/api/auth/register", json=PERSON | {"username": "x"})
        await client.post("/api/auth/logout", headers=mine)
    await server.stop()
    log = server.log() + server.banner
    assert log.count("\n") > 5
    for secret in (PERSON["password"], "a wrong password", sid, "sk-a-secret-key"):
        assert secret not in log
