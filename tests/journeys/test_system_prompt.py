"""What the model was really sent in 300 turns: one system message first, whole pairs, a bound."""

import json
import random
from typing import Any

import httpx
import pytest

from memory.tokens import estimate_tokens
from server.settings import Settings
from tests.services.openai_server import Call, OpenAIServer, Reply

TURNS = 300
WINDOW_TOKENS = 1_500
SYSTEM_TOKENS = 2_500
TURN_TOKENS = 400

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def settings(settings: Settings, openai_server: OpenAIServer) -> Settings:
    return openai_server.asked_by(settings, window_tokens=WINDOW_TOKENS, summary_after_turns=10)


def answers(request: dict[str, Any]) -> Reply:
    """Search when asked to find something; summarize and title in a few words."""
    asked = json.dumps(request)
    last = request["messages"][-1]
    text = str(last["content"])
    if "RollingSummary" in asked:
        return Reply(data={"summary": f"요약 {len(asked)}"})
    if "RoomTitle" in asked:
        return Reply(data={"title": "삼백 번"})
    if last["role"] == "user" and "찾아" in text:
        return Reply(tool_calls=[Call(name="archive_search", arguments={"query": text})])
    return Reply(text=f"답은 이렇습니다. {text[:60]} " * 2)


async def said(client: httpx.AsyncClient, room: str, message: str) -> None:
    answer = await client.post(
        f"/api/rooms/{room}/chat", json={"message": message, "stream": False}
    )
    assert answer.status_code == 200, answer.text


def calls_of_the_agent(server: OpenAIServer, since: int = 0) -> list[list[dict[str, Any]]]:
    """What the agent sent; titles and summaries are asked for beside it."""
    return [
        request["messages"]
        for request in server.requests[since:]
        if not any(word in json.dumps(request) for word in ("RollingSummary", "RoomTitle"))
    ]


def assert_well_formed(messages: list[dict[str, Any]]) -> None:
    assert [message["role"] for message in messages].count("system") == 1
    assert messages[0]["role"] == "system"
    waiting: list[str] = []
    for message in messages[1:]:
        if message["role"] == "tool":
            assert message["tool_call_id"] in waiting, "a result without its call"
            waiting.remove(message["tool_call_id"])
            continue
        assert not waiting, "a call without its result"
        waiting = [call["id"] for call in message.get("tool_calls") or ()]
    assert not waiting


def size(messages: list[dict[str, Any]]) -> int:
    return sum(
        estimate_tokens(str(message.get("content") or ""))
        + estimate_tokens(json.dumps(message.get("tool_calls") or "", ensure_ascii=False))
        for message in messages
    )


async def test_three_hundred_turns_with_summaries_and_deletions(
    client: httpx.AsyncClient, openai_server: OpenAIServer
) -> None:
    openai_server.script = answers
    dice = random.Random(300)
    room = (await client.post("/api/rooms")).json()["id"]
    path = f"/api/rooms/{room}"
    fates: set[str] = set()
    sizes: list[int] = []
    for number in range(TURNS):
        expected = (await client.get(f"{path}/context")).json()
        before = len(openai_server.requests)
        verb = "찾아 줘" if number % 3 == 0 else "tell me about it"
        await said(client, room, f"{number}번째 질문: 토마토 {'가나다라 ' * 20} {verb}")
        first = calls_of_the_agent(openai_server, before)[0]
        assert first[0]["content"] == expected["system"]
        window = (await client.get(f"{path}/messages?limit=100")).json()["items"]
        content = {item["key"]: item["content"] for item in window}
        assert [message["content"] or "" for message in first[1:-1]] == [
            content[key] for key in expected["window"]
        ]
        sizes.append(size(first))
        if number % 7 == 6:
            some = dice.sample(window[: dice.choice((6, 60))], 3)
            gone = await client.request(
                "DELETE", f"{path}/messages", json={"keys": [item["key"] for item in some]}
            )
            assert gone.status_code == 200, gone.text
            fates.add(gone.json()["summary"])

    assert "unchanged" in fates
    assert fates & {"rebuilt", "cleared"}
    summary = (await client.get(f"{path}/context")).json()["summary"]
    assert summary is not None
    calls = calls_of_the_agent(openai_server)
    assert len(calls) >= TURNS
    results = [one["content"] for messages in calls for one in messages if one["role"] == "tool"]
    assert results
    assert not any("no tool" in result for result in results)
    for messages in calls:
        assert_well_formed(messages)
        assert size(messages) <= SYSTEM_TOKENS + WINDOW_TOKENS + TURN_TOKENS
    # What a call carries does not grow with the room.
    assert max(sizes[-50:]) <= 1.1 * max(sizes[50:150])
