"""LangServe's routes do what REST does: for whom, within what bounds, and with what errors."""

import json
import warnings
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from memory.times import now
from server.context import LOCAL_USER
from server.settings import Settings
from tests.services.openai_server import OpenAIServer, Reply
from tests.services.tomato_server import TomatoServer

if TYPE_CHECKING:
    from fastapi import FastAPI

CONVERSATION = [
    {"role": "user", "content": "우리는 매주 목요일에 배포해. 배포 절차를 정하자."},
    {"role": "assistant", "content": "목요일 배포 절차를 정해 봐요."},
]
NOTE = "레디스 세션은 30분 후 만료되고 요청마다 갱신된다"
PATHS = ("agent", "draft", "title", "summary")
INPUTS: dict[str, dict[str, Any]] = {
    "agent": {"message": "안녕?"},
    "draft": {"content": NOTE},
    "title": {"conversation": CONVERSATION},
    "summary": {"summary": "We ship often.", "conversation": CONVERSATION},
}


async def call(client: httpx.AsyncClient, path: str, given: object, **more: Any) -> httpx.Response:
    return await client.post(f"/{path}", json={"input": given, **more})


async def output(client: httpx.AsyncClient, name: str, given: object, **more: Any) -> Any:
    answer = await call(client, f"{name}/invoke", given, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["output"]


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    """The events of a stream, in their order."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(_events(answer.text))


def _events(text: str) -> Iterator[tuple[str, Any]]:
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "event" in fields:
            yield fields["event"], json.loads(fields.get("data", "null"))


def text_of(stream: list[tuple[str, Any]]) -> str:
    return "".join(data for name, data in stream if name == "data")


async def questions(client: httpx.AsyncClient, room: str) -> list[str]:
    items = (await client.get(f"/api/rooms/{room}/messages")).json()["items"]
    return [one["content"] for one in items[::-1] if one["role"] == "user"]


async def new_room(client: httpx.AsyncClient) -> str:
    return str((await client.post("/api/rooms", json={"title": "시험"})).json()["id"])


async def test_the_agent_saves_and_finds(client: httpx.AsyncClient) -> None:
    await output(client, "agent", {"message": f"기억해: {NOTE}"})
    streamed = events(await call(client, "agent/stream", {"message": "레디스 만료 뭐였지?"}))
    assert "30분" in text_of(streamed)
    assert [name for name, _ in streamed].count("data") > 1
    assert streamed[-1][0] == "end"


async def test_a_room_of_its_own_is_kept_out_of_the_list(client: httpx.AsyncClient) -> None:
    await output(client, "agent", {"message": "hello"})
    assert (await client.get("/api/rooms")).json()["items"] == []


async def test_a_room_of_its_own_goes_after_its_day(
    app: "FastAPI", client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    rooms = (await app.state.opening.resources()).rooms
    monkeypatch.setattr("server.asking.UNLISTED_FOR", timedelta(0))
    kept = []
    for message in ("hello", "안녕?"):
        await output(client, "agent", {"message": message})
        later = now() + timedelta(minutes=1)
        kept.append([room.id for room in await rooms.unlisted(LOCAL_USER, before=later)])
    assert [len(ids) for ids in kept] == [1, 1]
    assert kept[0] != kept[1]


@pytest.mark.parametrize("endpoint", ["invoke", "stream", "stream_events", "stream_log"])
async def test_a_turn_is_in_its_rooms_history(client: httpx.AsyncClient, endpoint: str) -> None:
    room = await new_room(client)
    answer = await call(client, f"agent/{endpoint}", {"message": "안녕?", "room_id": room})
    assert answer.status_code == 200
    assert await questions(client, room) == ["안녕?"]


async def test_a_draft_a_title_and_a_summary(client: httpx.AsyncClient) -> None:
    drafted = await output(client, "draft", {"content": NOTE, "category": "개발"})
    assert drafted["summarizable"]
    assert 1 <= len(drafted["summary"]) <= 30
    assert (drafted["category"], drafted["duplicates"]) == ("개발", [])
    noise = await output(client, "draft", {"content": "12345"})
    assert not noise["summarizable"]
    assert noise["reason"]
    assert (await client.get("/api/archive")).json()["items"] == []
    assert (await output(client, "title", INPUTS["title"]))["title"]
    assert "목요일" in (await output(client, "summary", INPUTS["summary"]))["summary"]


@pytest.mark.parametrize("name", PATHS)
async def test_every_way_gives_the_same(client: httpx.AsyncClient, name: str) -> None:
    given = INPUTS[name]
    one = await output(client, name, given)
    batch = await client.post(f"/{name}/batch", json={"inputs": [given, given]})
    assert batch.status_code == 200, batch.text
    assert batch.json()["output"] == [one, one]
    streamed = events(await call(client, f"{name}/stream", given))
    pieces = [data for kind, data in streamed if kind == "data"]
    assert ("".join(pieces) if name == "agent" else pieces[0]) == one
    told = events(await call(client, f"{name}/stream_events", given))
    assert [data["event"] for kind, data in told if kind == "data"][-1] == "on_chain_end"


@pytest.mark.parametrize("name", PATHS)
async def test_schemas_and_pages_are_served(client: httpx.AsyncClient, name: str) -> None:
    schema = (await client.get(f"/{name}/input_schema")).json()
    assert set(INPUTS[name]) <= set(schema["properties"])
    assert (await client.get(f"/{name}/output_schema")).status_code == 200
    page = await client.get(f"/{name}/playground/")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert f'src="/{name}/playground/assets/' in page.text


@pytest.mark.parametrize("endpoint", ["invoke", "batch", "stream"])
@pytest.mark.parametrize(
    "configurable",
    [
        {"thread_id": "other"},
        {"user": "mallory"},
        {"__asked": {"user": "mallory"}},
        {"x": "y" * 99},
    ],
)
async def test_nothing_that_a_client_configures_counts(
    client: httpx.AsyncClient, endpoint: str, configurable: dict[str, Any]
) -> None:
    room = await new_room(client)
    given = {"message": "안녕?", "room_id": room}
    config = {"configurable": configurable, "metadata": {"user": "mallory"}, "run_id": "1"}
    body = {"inputs": [given], "config": [config]} if endpoint == "batch" else {"input": given}
    answer = await client.post(f"/agent/{endpoint}", json={"config": config, **body})
    assert answer.status_code == 200, answer.text
    assert "mallory" not in answer.text
    assert await questions(client, room) == ["안녕?"]


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code), answer.text
    assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]
    error: dict[str, Any] = answer.json()["error"]
    return error


BAD_MESSAGES: list[tuple[Any, int, str]] = [
    ({"message": ""}, 422, "invalid_field"),
    ({"message": "가" * 33_000}, 422, "invalid_field"),
    ({"message": "nul\0"}, 422, "invalid_field"),
    ({"message": 1}, 422, "invalid_field"),
    ({"message": "x", "user": "mallory"}, 422, "invalid_field"),
    ({}, 422, "invalid_field"),
    ("x", 422, "invalid_field"),
    (None, 422, "invalid_field"),
    ({"message": "x", "room_id": "room_none"}, 404, "room_not_found"),
    ({"message": "x", "tools": ["no_such_tool"]}, 422, "unknown_tool"),
]


@pytest.mark.parametrize("endpoint", ["invoke", "batch", "stream", "stream_events", "stream_log"])
@pytest.mark.parametrize(("given", "status", "code"), BAD_MESSAGES)
async def test_a_refusal_comes_before_the_answer(
    client: httpx.AsyncClient, endpoint: str, given: Any, status: int, code: str
) -> None:
    body = {"inputs": [given]} if endpoint == "batch" else {"input": given}
    refused(await client.post(f"/agent/{endpoint}", json=body), status, code)


@pytest.mark.parametrize(
    ("path", "given", "field"),
    [
        ("agent/invoke", {"message": "x", "room_id": 5}, "room_id"),
        ("agent/invoke", {"message": "x", "tools": [1]}, "tools.0"),
        ("agent/invoke", {"message": 1}, "message"),
        ("agent/invoke", {"message": "x", "none": 1}, "none"),
        ("draft/invoke", {"content": NOTE, "category": 4}, "category"),
        ("title/invoke", {"conversation": [{"role": "user"}]}, "conversation.0.content"),
    ],
)
async def test_a_bad_field_is_named(
    client: httpx.AsyncClient, path: str, given: object, field: str
) -> None:
    error = refused(await call(client, path, given), 422, "invalid_field")
    assert error["details"]["field"] == field
    assert {one["field"] for one in error["details"]["errors"]} == {field}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("draft/invoke", {"input": {"content": "\0"}}),
        ("draft/stream", {"input": {"content": NOTE, "category": "가" * 1_000}}),
        ("title/stream", {"input": {"conversation": [{"role": "system", "content": "x"}]}}),
        ("title/invoke", {"input": {"conversation": CONVERSATION * 101}}),
        ("summary/invoke", {"input": {"conversation": "x"}}),
        ("agent/batch", {"inputs": [{"message": "x"}] * 17}),
        ("agent/batch", {"inputs": "x"}),
        ("agent/batch", {"inputs": []}),
        ("agent/batch", {}),
        ("agent/invoke", {}),
        ("agent/invoke", []),
        ("agent/batch", {"inputs": [{"message": "x"}], "config": [{}, {}]}),
        ("agent/stream_events", {"input": {"message": "x"}, "include_names": 1}),
        ("agent/stream_log", {"input": {"message": "x"}, "exclude_tags": [1]}),
        ("agent/invoke", {"input": {"message": "x"}, "config": 1}),
    ],
)
async def test_bad_fields(client: httpx.AsyncClient, path: str, body: object) -> None:
    answer = await client.post(f"/{path}", json=body)
    assert answer.status_code == 422, answer.text
    assert set(answer.json()["error"]) >= {"code", "message", "request_id"}


@pytest.mark.parametrize("body", [b'{"input":', b"\xff\xfe", b"[" * 100 + b"]" * 100, b""])
async def test_bodies_that_are_not_json(client: httpx.AsyncClient, body: bytes) -> None:
    headers = {"content-type": "application/json"}
    answer = await client.post("/agent/stream", content=body, headers=headers)
    assert answer.status_code in (400, 422), answer.text
    assert set(answer.json()["error"]) >= {"code", "message", "request_id"}


async def test_a_batch_that_names_a_room_twice_is_refused_whole(client: httpx.AsyncClient) -> None:
    room = await new_room(client)
    given = {"message": "x", "room_id": room}
    refused(await client.post("/agent/batch", json={"inputs": [given] * 2}), 422, "invalid_field")
    other = {"message": "x", "room_id": "room_none"}
    answer = await client.post("/agent/batch", json={"inputs": [given, other]})
    refused(answer, 404, "room_not_found")
    assert await questions(client, room) == []


async def test_addresses_that_are_none(client: httpx.AsyncClient) -> None:
    refused(await client.get("/agent/nothing"), 404, "not_found")
    refused(await client.get("/agent/invoke"), 405, "method_not_allowed")
    for path in ("config_schema", "feedback", "token_feedback", "c/x/input_schema"):
        refused(await client.get(f"/agent/{path}"), 404, "not_found")


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    "file",
    ["%00", "assets", "assets/", "nope.js", "a" * 300, "a%00b/c", "..%2F..%2Fserver.py", "a%0Ab"],
)
async def test_files_that_a_playground_has_not(
    client: httpx.AsyncClient, name: str, file: str
) -> None:
    refused(await client.get(f"/{name}/playground/{file}"), 404, "not_found")


async def test_without_a_session_nobody_is_answered(settings: Settings) -> None:
    from server.app import create_app

    app = create_app(settings.model_copy(update={"local_user": False}))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
    ):
        for name in PATHS:
            for endpoint in ("invoke", "stream"):
                answer = await call(client, f"{name}/{endpoint}", INPUTS[name])
                refused(answer, 401, "not_signed_in")
            answer = await client.post(f"/{name}/batch", json={"inputs": [INPUTS[name]]})
            refused(answer, 401, "not_signed_in")


class TestWithAModelOverAPort:
    """The real client of a model, against a server that fails as it is told."""

    @pytest.fixture
    def settings(self, settings: Settings, openai_server: OpenAIServer) -> Settings:
        return settings.model_copy(
            update={"model": "openai:test", "openai_base_url": openai_server.base_url}
        )

    async def test_the_answer_is_streamed(
        self, client: httpx.AsyncClient, openai_server: OpenAIServer
    ) -> None:
        openai_server.reply(Reply(text="하나 둘 셋"))
        room = await new_room(client)
        given = {"message": "세어 봐", "room_id": room}
        assert text_of(events(await call(client, "agent/stream", given))) == "하나 둘 셋"

    async def test_a_failure_has_its_code_and_not_its_words(
        self, client: httpx.AsyncClient, openai_server: OpenAIServer
    ) -> None:
        openai_server.reply(Reply(status=401), Reply(status=401))
        room = await new_room(client)
        given = {"message": "안녕?", "room_id": room}
        refused(await call(client, "agent/invoke", given), 503, "model_refused")
        name, data = events(await call(client, "agent/stream", given))[-1]
        assert (name, data["status_code"]) == ("error", 503)
        assert data["error"]["code"] == "model_refused"

    async def test_what_was_said_before_a_failure_stays(
        self, client: httpx.AsyncClient, openai_server: OpenAIServer
    ) -> None:
        openai_server.reply(Reply(text="하나 둘 셋 넷 다섯 여섯", cut_after=2))
        given = {"message": "세어 봐", "room_id": await new_room(client)}
        streamed = events(await call(client, "agent/stream", given))
        assert text_of(streamed).startswith("하나")
        assert [name for name, _ in streamed].count("error") == 1
        assert streamed[-1][1]["error"]["code"] == "model_interrupted"


async def test_langserves_own_client(live_server: TomatoServer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langserve import RemoteRunnable
    agent: Any = RemoteRunnable(f"{live_server.address}/agent/")
    assert await agent.ainvoke({"message": f"기억해: {NOTE}"})
    found = [piece async for piece in agent.astream({"message": "레디스 만료 뭐였지?"})]
    assert len(found) > 1
    assert "30분" in "".join(found)
    greetings = await agent.abatch([{"message": "안녕?"}, {"message": "hello"}])
    assert len(set(greetings)) == 2
    title: Any = RemoteRunnable(f"{live_server.address}/title/")
    assert (await title.ainvoke(INPUTS["title"]))["title"]
    with pytest.raises(httpx.HTTPStatusError) as refusal:
        await agent.ainvoke({"message": "x", "room_id": "room_none"})
    assert refusal.value.response.status_code == 404
    for remote in (agent, title):
        await remote.async_client.aclose()
        remote.sync_client.close()
