"""The walls between people: every route that there is, walked by two users and by nobody."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Route

from memory.sessions import new_sid
from server.settings import Settings

PASSWORD = "correct horse battery"
CONTENT = "레디스 키는 EXPIRE로 만료 시간을 정한다"
SAID = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "hi"}]


@dataclass(frozen=True)
class Case:
    """How a route is called; ``theirs`` tells that its path or body names what has an owner."""

    json: Any = None
    content: bytes | None = None
    theirs: bool = False
    ends_session: bool = False


ROOM = "/api/rooms/{room_id}"
ENTRY = "/api/archive/{entry_id}"
FILE = ENTRY + "/files/{filename}"
PUBLIC = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("POST", "/api/auth/register"),
    ("POST", "/api/auth/login"),
}
CASES: dict[tuple[str, str], Case] = {
    ("GET", "/api/auth/me"): Case(),
    ("GET", "/api/auth/me/export"): Case(),
    ("GET", "/api/auth/me/usage"): Case(),
    ("POST", "/api/auth/logout"): Case(ends_session=True),
    ("POST", "/api/auth/logout-all"): Case(ends_session=True),
    ("DELETE", "/api/auth/me"): Case(json={"password": PASSWORD}, ends_session=True),
    ("POST", "/api/rooms"): Case(json={}),
    ("GET", "/api/rooms"): Case(),
    ("GET", ROOM): Case(theirs=True),
    ("PATCH", ROOM): Case(json={"title": "taken over"}, theirs=True),
    ("DELETE", ROOM): Case(theirs=True),
    ("POST", ROOM + "/title"): Case(theirs=True),
    ("GET", ROOM + "/messages"): Case(theirs=True),
    ("DELETE", ROOM + "/messages"): Case(json={"keys": ["{key}"]}, theirs=True),
    ("GET", ROOM + "/context"): Case(theirs=True),
    ("POST", ROOM + "/chat"): Case(json={"message": "hello", "stream": False}, theirs=True),
    ("GET", "/api/runs/{run_id}/events"): Case(theirs=True),
    ("POST", "/api/runs/{run_id}/cancel"): Case(theirs=True),
    ("GET", "/api/tools"): Case(),
    ("POST", "/api/archive/drafts"): Case(json={"content": CONTENT}),
    ("POST", "/api/archive"): Case(
        json={
            "content": "another text",
            "summary": "label",
            "category": "c",
            "source": {"room_id": "{room_id}", "key": "{key}"},
        },
        theirs=True,
    ),
    ("GET", "/api/archive"): Case(),
    ("GET", "/api/archive/categories"): Case(),
    ("PATCH", "/api/archive/categories/{name}"): Case(json={"name": "taken over"}, theirs=True),
    ("GET", ENTRY): Case(theirs=True),
    ("PATCH", ENTRY): Case(json={"summary": "taken over"}, theirs=True),
    ("DELETE", ENTRY): Case(theirs=True),
    ("PUT", FILE): Case(content=b"taken over", theirs=True),
    ("GET", FILE): Case(theirs=True),
    ("DELETE", FILE): Case(theirs=True),
    ("GET", "/v1/models"): Case(),
    ("POST", "/v1/chat/completions"): Case(
        json={"model": "tomato", "messages": [{"role": "user", "content": "hello"}]}
    ),
}
LANGSERVE: dict[str, dict[str, Any]] = {
    "agent": {"message": "hello", "room_id": "{room_id}"},
    "draft": {"content": CONTENT},
    "title": {"conversation": SAID},
    "summary": {"conversation": SAID},
}
ASKED = ("invoke", "batch", "stream", "stream_log", "stream_events")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"local_user": False, "password_time_cost": 1, "password_memory_kib": 64}
    )


@dataclass
class Person:
    """A user, their session, and the ids of what is theirs."""

    client: httpx.AsyncClient
    name: str
    sid: str = ""
    ids: dict[str, str] = field(default_factory=dict)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.sid}"}

    async def enter(self) -> None:
        body = {"username": self.name, "password": PASSWORD}
        await self.client.post("/api/auth/register", json=body)
        self.sid = (await self.client.post("/api/auth/login", json=body)).json()["sid"]
        self.client.cookies.clear()

    async def furnish(self) -> None:
        """A room with a talk, an entry with a file."""
        post = self.client.post
        room = (await post("/api/rooms", json={}, headers=self.headers)).json()["id"]
        body = {"message": f"기억해: {CONTENT}", "stream": False}
        said = await post(f"/api/rooms/{room}/chat", json=body, headers=self.headers)
        assert said.status_code == 200, said.text
        listed = await self.client.get("/api/archive", headers=self.headers)
        (entry,) = listed.json()["items"]
        file = f"/api/archive/{entry['id']}/files/mine.txt"
        assert (await self.client.put(file, content=b"mine", headers=self.headers)).is_success
        messages = await self.client.get(f"/api/rooms/{room}/messages", headers=self.headers)
        self.ids = {
            "room_id": room,
            "run_id": said.json()["run_id"],
            "key": messages.json()["items"][0]["key"],
            "entry_id": entry["id"],
            "filename": "mine.txt",
            "name": entry["category"],
        }

    async def everything(self) -> list[Any]:
        """All that this person can see of their own."""
        paths = [
            "/api/rooms",
            f"/api/rooms/{self.ids['room_id']}",
            f"/api/rooms/{self.ids['room_id']}/messages",
            "/api/archive",
            f"/api/archive/{self.ids['entry_id']}",
            "/api/archive/categories",
            "/api/auth/me/usage",
        ]
        return [(await self.client.get(path, headers=self.headers)).json() for path in paths]


@pytest.fixture
async def two(app: FastAPI) -> AsyncIterator[tuple[Person, Person]]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        owner, other = Person(client, "owner.one"), Person(client, "other.one")
        for person in (owner, other):
            await person.enter()
        await owner.furnish()
        yield owner, other


def filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, one in ids.items():
            value = value.replace(f"{{{name}}}", one).replace(f"{{{name}:path}}", one)
        return value
    if isinstance(value, dict):
        return {name: filled(one, ids) for name, one in value.items()}
    return [filled(one, ids) for one in value] if isinstance(value, list) else value


async def call(
    client: httpx.AsyncClient,
    route: tuple[str, str],
    case: Case,
    ids: dict[str, str],
    headers: dict[str, str],
) -> httpx.Response:
    method, path = route
    body: dict[str, Any] = {}
    if case.content is not None:
        body["content"] = case.content
    if case.json is not None:
        body["json"] = filled(case.json, ids)
    return await client.request(method, filled(path, ids), headers=headers, **body)


def routes(app: FastAPI) -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, methods in app.openapi()["paths"].items()
        for method in methods
    }


def langserve_cases() -> dict[tuple[str, str], Case]:
    """What LangServe offers of each graph; a batch takes a list."""
    cases: dict[tuple[str, str], Case] = {}
    for name, given in LANGSERVE.items():
        for kind in ASKED:
            body = {"inputs": [given]} if kind == "batch" else {"input": given}
            cases["POST", f"/{name}/{kind}"] = Case(json=body, theirs=name == "agent")
    return cases


async def test_every_route_is_walked(app: FastAPI) -> None:
    """Whoever adds a route says here whose it is."""
    from server.langserve_routes import build_langserve_app  # slow to import

    resources = await app.state.opening.resources()
    served = build_langserve_app(app.state, resources)
    asked = {
        ("POST", route.path)
        for route in served.routes
        if isinstance(route, Route) and "POST" in (route.methods or ())
        if "{config_hash}" not in route.path
    }
    assert asked
    assert asked <= set(langserve_cases()), asked - set(langserve_cases())
    assert routes(app) == {*CASES, *PUBLIC} & routes(app)


async def test_what_is_another_s_is_not_there(app: FastAPI, two: tuple[Person, Person]) -> None:
    owner, other = two
    before = await owner.everything()
    there = routes(app)
    for route, case in {**CASES, **langserve_cases()}.items():
        if not case.theirs or (route in CASES and route not in there):
            continue
        answer = await call(other.client, route, case, owner.ids, other.headers)
        if answer.status_code == 200 and answer.headers["content-type"].startswith("text/event"):
            # LangServe tells in its stream what went wrong.
            assert '"status_code":404' in answer.text, (route, answer.text)
        else:
            assert answer.status_code in (404, 405), (route, answer.text)
        if route[1] in {path for _, path in CASES}:
            assert answer.status_code == 404, (route, answer.text)
    assert await owner.everything() == before


async def test_nobody_gets_in(app: FastAPI, two: tuple[Person, Person]) -> None:
    owner, other = two
    ended = other.sid
    await other.client.post("/api/auth/logout", headers=other.headers)
    before = await owner.everything()
    there = routes(app)
    for headers, code in (
        ({}, "not_signed_in"),
        ({"Authorization": f"Bearer {new_sid()}"}, "session_expired"),
        ({"Authorization": f"Bearer {ended}"}, "session_expired"),
        ({"Authorization": "Bearer malformed"}, "bad_session"),
        ({"Cookie": f"tomatoSID={ended}"}, "session_expired"),
        ({"Authorization": f"Basic {owner.sid}"}, "bad_session"),
    ):
        for route, case in {**CASES, **langserve_cases()}.items():
            if route in CASES and route not in there:
                continue
            answer = await call(owner.client, route, case, owner.ids, headers)
            owner.client.cookies.clear()
            if answer.status_code in (404, 405) and route not in CASES:
                continue  # what LangServe does not offer
            assert answer.status_code == 401, (route, headers, answer.text)
            assert answer.json()["error"]["code"] == code, (route, headers)
    assert await owner.everything() == before


async def test_what_one_s_own_routes_do_stays_with_oneself(
    app: FastAPI, two: tuple[Person, Person]
) -> None:
    owner, other = two
    before = await owner.everything()
    there = routes(app)
    for route, case in CASES.items():
        if case.theirs or route not in there:
            continue
        answer = await call(other.client, route, case, {}, other.headers)
        assert answer.is_success, (route, answer.text)
        for mine in (owner.ids["room_id"], owner.ids["entry_id"], "owner.one"):
            assert mine not in answer.text, route
        if case.ends_session:
            await other.enter()
    assert await owner.everything() == before


async def test_nothing_that_a_client_says_makes_it_another(
    two: tuple[Person, Person],
) -> None:
    owner, other = two
    uid = (await owner.client.get("/api/auth/me", headers=owner.headers)).json()["user"]["uid"]
    claims = {"X-User-ID": uid, "X-Forwarded-User": uid, "X-UID": uid}
    configurable = {"user": uid, "user_id": uid, "thread_id": owner.ids["room_id"], "owner": uid}
    asked = await asyncio.gather(
        other.client.get("/api/rooms", headers=other.headers | claims),
        other.client.get(f"/api/rooms?owner={uid}&user={uid}", headers=other.headers),
        other.client.post(
            "/agent/invoke",
            json={
                "input": {"message": "what did I save about Redis?"},
                "config": {"configurable": configurable},
            },
            headers=other.headers | claims,
        ),
    )
    for answer in asked:
        assert "EXPIRE" not in answer.text
        assert owner.ids["room_id"] not in answer.text
    assert asked[0].json()["items"] == []
