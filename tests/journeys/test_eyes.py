"""What an operator sees of a running server: its metrics, its logs, the account of tokens."""

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from prometheus_client.parser import text_string_to_metric_families

from server.settings import Settings
from tests.services.openai_server import Call, OpenAIServer, Reply

SECRET_WORDS = "토마토는 비밀이 많다"


@pytest.fixture
def settings(settings: Settings, openai_server: OpenAIServer) -> Settings:
    return openai_server.asked_by(
        settings, daily_tokens=60, price_input=1_000_000.0, price_output=2_000_000.0
    )


async def metric(client: httpx.AsyncClient, name: str, **labels: str) -> float:
    """One sample of /metrics; 0 if there is none."""
    text = (await client.get("/metrics")).text
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return float(sample.value)
    return 0.0


async def test_a_turn_is_counted(client: httpx.AsyncClient, openai_server: OpenAIServer) -> None:
    room = (await client.post("/api/rooms", json={"title": "t"})).json()["id"]
    openai_server.reply(
        Reply(
            tool_calls=[
                Call(name="archive_search", arguments={"query": "redis"}),
                Call(name="made_up_by_the_model", arguments={}),
            ],
            usage=(10, 3),
        ),
        Reply(text=SECRET_WORDS, usage=(20, 5)),
    )
    body = {"message": SECRET_WORDS, "stream": False}
    answer = await client.post(f"/api/rooms/{room}/chat", json=body)
    assert answer.json()["usage"] == {"input_tokens": 30, "output_tokens": 8}

    assert await metric(client, "tomato_runs_total", status="complete") == 1
    assert await metric(client, "tomato_runs_running") == 0
    assert await metric(client, "tomato_first_token_seconds_count") == 1
    model = {"model": "openai:test"}
    assert await metric(client, "tomato_model_tokens_total", kind="input", **model) == 30
    assert await metric(client, "tomato_model_tokens_total", kind="output", **model) == 8
    assert await metric(client, "tomato_model_cost_total", **model) == 30 + 16
    searched = {"tool": "archive_search", "result": "ok"}
    assert await metric(client, "tomato_tool_calls_total", **searched) == 1
    assert await metric(client, "tomato_tool_calls_total", tool="unknown", result="failed") == 1
    route = "/api/rooms/{room_id}/chat"
    requests = {"route": route, "method": "POST", "status": "200"}
    assert await metric(client, "tomato_http_requests_total", **requests) == 1
    begun = {"store": "history", "operation": "begin"}
    assert await metric(client, "tomato_store_seconds_count", **begun) == 1
    text = (await client.get("/metrics")).text
    assert SECRET_WORDS not in text
    assert room not in text


async def test_what_clients_make_up_is_no_label(client: httpx.AsyncClient) -> None:
    await client.get("/metrics")  # from now on it counts
    for number in range(3):
        await client.get(f"/made/up/{number}")
        await client.request(f"MADE{number}", "/healthz")
    assert await metric(client, "tomato_http_requests_total", method="other", status="405") == 3
    assert await metric(client, "tomato_http_requests_total", route="none", status="404") == 3
    assert "made/up" not in (await client.get("/metrics")).text


async def test_a_crash_is_counted(app: FastAPI, client: httpx.AsyncClient) -> None:
    async def crash() -> None:
        raise ZeroDivisionError(SECRET_WORDS)

    app.router.routes.insert(0, APIRoute("/crash", crash))
    await client.get("/metrics")  # from now on it counts
    assert (await client.get("/crash")).status_code == 500
    assert await metric(client, "tomato_http_requests_total", route="/crash", status="500") == 1


async def test_what_stores_take_is_timed(client: httpx.AsyncClient) -> None:
    who = {"username": "eyes", "password": "correct horse battery"}
    await client.post("/api/auth/register", json=who)
    sid = (await client.post("/api/auth/login", json=who)).json()["sid"]
    await client.get("/api/auth/me", headers={"Authorization": f"Bearer {sid}"})
    entry = {"content": "파일이 있는 메모", "summary": "메모", "category": "일"}
    made = (await client.post("/api/archive", json=entry)).json()["id"]
    await client.put(f"/api/archive/{made}/files/a.txt", content=b"x")
    for store, operation in (
        ("users", "add"),
        ("sessions", "use"),
        ("archive", "save"),
        ("files", "put"),
    ):
        timed = {"store": store, "operation": operation}
        assert await metric(client, "tomato_store_seconds_count", **timed) > 0, store


async def test_the_day_has_a_limit(client: httpx.AsyncClient, openai_server: OpenAIServer) -> None:
    room = (await client.post("/api/rooms", json={"title": "t"})).json()["id"]
    body = {"message": "hello", "stream": False}
    for _ in range(2):
        openai_server.reply(Reply(text="hi", usage=(25, 5)))
        answer = await client.post(f"/api/rooms/{room}/chat", json=body)
        assert answer.status_code == 200, answer.text
    asked = len(openai_server.requests)
    refused = await client.post(f"/api/rooms/{room}/chat", json=body)
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "quota"
    assert refused.json()["error"]["details"] == {"daily_tokens": 60, "spent": 60}
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    assert len(openai_server.requests) == asked
    assert await metric(client, "tomato_limits_hit_total", kind="quota") == 1
    said = (await client.get(f"/api/rooms/{room}/messages")).json()["items"]
    assert len(said) == 4

    account = (await client.get("/api/auth/me/usage")).json()
    assert account["daily_tokens"] == 60
    (today,) = account["items"]
    assert (today["turns"], today["input_tokens"], today["output_tokens"]) == (2, 50, 10)
    assert today["cost"] == 50 + 20
