"""What an operator sees of a running server: its metrics, its logs, the account of tokens."""

import asyncio
import json

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.settings import Settings
from tests.services.openai_server import Call, OpenAIServer, Reply
from tests.services.tomato_server import TomatoServer

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
    assert await metric(client, "tomato_http_requests_total", route="none", status="404") == 3
    assert "made/up" not in (await client.get("/metrics")).text


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
    said = (await client.get(f"/api/rooms/{room}/messages")).json()["items"]
    assert len(said) == 4

    account = (await client.get("/api/auth/me/usage")).json()
    assert account["daily_tokens"] == 60
    (today,) = account["items"]
    assert (today["turns"], today["input_tokens"], today["output_tokens"]) == (2, 50, 10)
    assert today["cost"] == 50 + 20


@pytest.fixture
async def logging_server(live_server: TomatoServer) -> TomatoServer:
    await live_server.stop()
    live_server.settings = {"TOMATO_LOG": "json", "TOMATO_LOG_LEVEL": "debug"}
    await live_server.start()
    return live_server


async def test_logs_are_json_with_ids_and_without_words(logging_server: TomatoServer) -> None:
    async with httpx.AsyncClient(base_url=logging_server.address, timeout=30) as client:
        room = (await client.post("/api/rooms")).json()["id"]
        body = {"message": f"기억해: {SECRET_WORDS}", "stream": False}
        marked = {"X-Request-ID": "my-own-id"}
        await client.post(f"/api/rooms/{room}/chat", json=body, headers=marked)
        await client.get("/nothing")
    await logging_server.stop()
    log = await asyncio.to_thread(logging_server.log)
    lines = [json.loads(line) for line in log.splitlines()]
    (chatted,) = [line for line in lines if line.get("request_id") == "my-own-id"]
    assert chatted["route"] == "/api/rooms/{room_id}/chat"
    assert (chatted["method"], chatted["status"]) == ("POST", 200)
    assert chatted["level"] == "info"
    assert chatted["ms"] > 0
    assert any(line.get("status") == 404 for line in lines)
    assert "비밀" not in log
    assert "\\u" not in log
