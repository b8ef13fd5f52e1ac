"""A model that fails, over a real port: a clear error, and a room that goes on as before."""

from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from server.client import read_events
from server.settings import Settings
from tests.services.openai_server import Call, OpenAIServer, Reply

BUSY = Reply(status=429, headers={"Retry-After": "0"})
FAULT = Reply(status=500, headers={"Retry-After": "0"})


@pytest.fixture
def settings(settings: Settings, openai_server: OpenAIServer) -> Settings:
    return settings.model_copy(
        update={"model": "openai:test", "openai_base_url": openai_server.base_url}
    )


@pytest.fixture
async def room(client: httpx.AsyncClient) -> str:
    # With a title of its own, the room asks the model for none.
    return str((await client.post("/api/rooms", json={"title": "시험"})).json()["id"])


async def ask(client: httpx.AsyncClient, room: str, message: str) -> list[tuple[str, Any]]:
    answer = await client.post(f"/api/rooms/{room}/chat", json={"message": message})
    assert answer.status_code == 200, answer.text
    return [(event.name, event.data) for event in read_events(answer.text.split("\n"))]


async def statuses(client: httpx.AsyncClient, room: str) -> list[tuple[str, str]]:
    answer = await client.get(f"/api/rooms/{room}/messages")
    return [(message["role"], message["status"]) for message in answer.json()["items"][::-1]]


@pytest.mark.parametrize(
    ("replies", "code"),
    [
        ([Reply(status=401)], "model_refused"),
        ([Reply(status=404, error_code="model_not_found")], "model_refused"),
        ([BUSY] * 3, "model_rate_limited"),
        ([FAULT] * 3, "model_unavailable"),
        ([Reply(text="하나 둘 셋 넷 다섯 여섯", cut_after=2)], "model_interrupted"),
    ],
)
async def test_a_failure_is_one_error_event_and_the_room_goes_on(
    client: httpx.AsyncClient,
    room: str,
    openai_server: OpenAIServer,
    replies: Sequence[Reply],
    code: str,
) -> None:
    openai_server.reply(*replies)
    events = await ask(client, room, "안녕?")
    names = [name for name, _ in events]
    assert names[0] == "run"
    assert names[-1] == "done"
    (error,) = [data for name, data in events if name == "error"]
    assert set(error) == {"code", "message", "request_id"}
    assert error["code"] == code
    assert events[-1][1]["status"] == "failed"
    assert set(await statuses(client, room)) <= {("user", "failed"), ("assistant", "failed")}

    openai_server.reply(Reply(text="이제 됩니다."))
    events = await ask(client, room, "다시?")
    assert ("message", "이제 됩니다.") in [(name, data.get("content")) for name, data in events]
    assert events[-1][1]["status"] == "complete"


async def test_without_a_stream_a_failure_is_a_503_that_says_when_to_come_back(
    client: httpx.AsyncClient, room: str, openai_server: OpenAIServer
) -> None:
    openai_server.reply(*[FAULT] * 3)
    answer = await client.post(
        f"/api/rooms/{room}/chat", json={"message": "안녕?", "stream": False}
    )
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    error = answer.json()["error"]
    assert error["code"] == "model_unavailable"
    assert error["details"]["run_id"].startswith("run_")


async def test_a_short_failure_is_not_seen_at_all(
    client: httpx.AsyncClient, room: str, openai_server: OpenAIServer
) -> None:
    openai_server.reply(BUSY, FAULT, Reply(text="한 번에 된 것처럼"))
    events = await ask(client, room, "안녕?")
    assert "error" not in [name for name, _ in events]
    assert len(openai_server.requests) == 3


async def test_an_answer_without_text_still_becomes_one(
    client: httpx.AsyncClient, room: str, openai_server: OpenAIServer
) -> None:
    openai_server.script = lambda request: Reply(text="")
    events = await ask(client, room, "안녕?")
    (message,) = [data for name, data in events if name == "message"]
    assert message["content"].strip()
    assert message["status"] == "complete"


async def test_a_tool_that_the_model_calls_in_its_stream_is_run(
    client: httpx.AsyncClient, room: str, openai_server: OpenAIServer
) -> None:
    content = "배포는 화요일과 목요일에만 한다"
    arguments = {"content": content, "label": "배포 요일", "category": "운영"}
    call = Call(name="archive_save", arguments=arguments)
    openai_server.reply(Reply(tool_calls=[call]), Reply(text="저장했어요."))
    events = await ask(client, room, f"기억해: {content}")
    (ended,) = [data for name, data in events if name == "tool_end"]
    assert (ended["name"], ended["ok"]) == ("archive_save", True)
    (entry,) = (await client.get("/api/archive")).json()["items"]
    assert entry["summary"] == "배포 요일"
    told = [message["role"] for message in openai_server.requests[-1]["messages"]]
    assert told[0] == "system"
    assert told.count("system") == 1


async def test_a_model_that_is_not_there_fails_the_turn_and_not_the_server(
    client: httpx.AsyncClient, room: str, openai_server: OpenAIServer
) -> None:
    openai_server.stop()
    events = await ask(client, room, "안녕?")
    (error,) = [data for name, data in events if name == "error"]
    assert error["code"] == "model_unavailable"
    assert (await client.get("/readyz")).status_code == 200
