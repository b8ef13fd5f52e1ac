"""LangServe's routes over the real application: the same user, rooms and bounds as REST."""

from itertools import pairwise
from typing import Any

import httpx
import pytest
from langserve import RemoteRunnable

from tests.services.tomato_server import TomatoServer

NOTE = "save this: the staging server lives at 10.0.0.7"
NOWHERE = {"message": "x", "room_id": "room_none"}
QUESTION = "what did I save about the staging server?"


async def called(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    response = await client.post(path, json=body)
    assert response.status_code == 200, response.text
    return response.json()


async def test_the_agent_is_the_same_as_over_rest(client: httpx.AsyncClient) -> None:
    saved = await called(client, "/agent/invoke", {"input": {"message": NOTE}})
    assert "Saved" in saved["output"]
    entries = (await client.get("/api/archive")).json()["items"]
    assert len(entries) == 1
    room = (await client.post("/api/rooms", json={})).json()["id"]
    asked = {"input": {"message": QUESTION, "room_id": room}}
    answer = (await called(client, "/agent/invoke", asked))["output"]
    assert "10.0.0.7" in answer
    messages = (await client.get(f"/api/rooms/{room}/messages")).json()["items"]
    assert messages[0]["content"] == answer
    rooms = (await client.get("/api/rooms")).json()["items"]
    assert [one["id"] for one in rooms] == [room]


async def test_a_batch_answers_each_in_a_room_of_its_own(client: httpx.AsyncClient) -> None:
    inputs = [{"message": "hello"}, {"message": "안녕"}]
    answers = (await called(client, "/agent/batch", {"inputs": inputs}))["output"]
    assert len(answers) == 2
    assert len(set(answers)) == 2


async def test_a_stream_holds_the_answers_text(client: httpx.AsyncClient) -> None:
    body = {"input": {"message": "hello"}}
    whole = (await called(client, "/agent/invoke", body))["output"]
    lines = (await client.post("/agent/stream", json=body)).text.splitlines()
    pieces = [
        httpx.Response(200, content=line[6:]).json()
        for before, line in pairwise(lines)
        if before.strip() == "event: data"
    ]
    assert len(pieces) > 3
    assert "".join(pieces) == whole


async def test_stream_events_show_nothing_of_the_inside(client: httpx.AsyncClient) -> None:
    body = {"input": {"message": "hello"}}
    text = (await client.post("/agent/stream_events", json=body)).text
    assert "on_chain_stream" in text
    assert "You are Tomato" not in text
    assert "on_chat_model" not in text


async def test_draft_title_and_summary(client: httpx.AsyncClient) -> None:
    content = {"input": {"content": "레디스 세션은 30분 후 만료된다"}}
    draft = (await called(client, "/draft/invoke", content))["output"]
    assert draft["summarizable"]
    assert 1 <= len(draft["summary"]) <= 30
    assert not (await client.get("/api/archive")).json()["items"]
    talk = {"conversation": [{"role": "user", "content": "We deploy on Thursdays."}]}
    title = (await called(client, "/title/invoke", {"input": talk}))["output"]["title"]
    assert 1 <= len(title) <= 40
    summary = await called(client, "/summary/invoke", {"input": {**talk, "summary": None}})
    assert "Thursdays" in summary["output"]["summary"]


@pytest.mark.parametrize("path", ["/agent", "/draft", "/title", "/summary"])
async def test_schemas_are_told(client: httpx.AsyncClient, path: str) -> None:
    for kind in ("input_schema", "output_schema"):
        response = await client.get(f"{path}/{kind}")
        assert response.status_code == 200
        assert response.json()


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (
            "/agent/invoke",
            {"input": NOWHERE},
            404,
            "room_not_found",
        ),
        (
            "/agent/stream",
            {"input": NOWHERE},
            404,
            "room_not_found",
        ),
        ("/agent/stream", {"input": {"message": "x", "tools": ["none"]}}, 422, "unknown_tool"),
        ("/agent/invoke", {"input": {"message": ""}}, 422, "invalid_field"),
        ("/agent/invoke", {"input": {"message": "가" * 33_000}}, 422, "invalid_field"),
        ("/agent/invoke", {"input": {"message": "x", "user": "somebody"}}, 422, "invalid_field"),
        ("/agent/invoke", {"input": None}, 422, "invalid_field"),
        ("/agent/invoke", {}, 422, "invalid_field"),
        ("/agent/invoke", [], 422, "invalid_field"),
        ("/agent/batch", {"inputs": "x"}, 422, "invalid_field"),
        ("/agent/invoke", {"input": {"message": "x"}, "config": 7}, 422, "invalid_field"),
        ("/draft/invoke", {"input": {"content": 7}}, 422, "invalid_field"),
        ("/title/invoke", {"input": {"conversation": [{"role": "system"}]}}, 422, "invalid_field"),
    ],
)
async def test_bad_input_is_refused_in_the_one_form(
    client: httpx.AsyncClient, path: str, body: Any, status: int, code: str
) -> None:
    response = await client.post(path, json=body)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert (await client.get("/api/rooms")).json()["items"] == []


async def test_bodies_are_strict_here_too(client: httpx.AsyncClient) -> None:
    json = {"Content-Type": "application/json"}
    broken = await client.post("/agent/invoke", content=b'{"input":', headers=json)
    assert broken.status_code == 400
    form = await client.post("/agent/invoke", data={"input": "x"})
    assert form.status_code == 415
    large = await client.post("/agent/invoke", json={"input": {"message": "x" * 3_000_000}})
    assert large.status_code == 413


async def test_a_clients_configuration_counts_for_nothing(client: httpx.AsyncClient) -> None:
    claimed = {"configurable": {"user": "somebody", "thread_id": "room_of_somebody"}}
    body = {"input": {"message": NOTE}, "config": claimed}
    response = await client.post("/agent/invoke", json=body)
    assert response.status_code in (200, 422)
    if response.status_code == 200:
        assert len((await client.get("/api/archive")).json()["items"]) == 1


async def test_a_remote_runnable_talks_to_it(live_server: TomatoServer) -> None:
    agent: RemoteRunnable[Any, Any] = RemoteRunnable(f"{live_server.address}/agent")
    try:
        assert "Saved" in await agent.ainvoke({"message": NOTE})
        batch = await agent.abatch([{"message": QUESTION}, {"message": "hello"}])
        assert "10.0.0.7" in batch[0]
        pieces = [piece async for piece in agent.astream({"message": QUESTION})]
        assert len(pieces) > 3
        assert "10.0.0.7" in "".join(pieces)
    finally:
        await agent.async_client.aclose()
        agent.sync_client.close()
