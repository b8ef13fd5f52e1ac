"""Deletion that is true: no byte that the product keeps still holds what a person deleted."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bson
import httpx
import pytest
from pydantic import SecretStr
from pymongo import MongoClient
from redis import Redis

from server.settings import Settings
from tests.services.openai_server import Call, OpenAIServer, Reply

QUESTION = "zqkquestion"
ANSWER = "zqkanswer"
SUMMARY = "zqksummary"
ENTRY = "zqkentry"
ARGUMENT = "zqkargument"
SLOW = "오래 걸리는 질문"

Scan = Callable[[str], list[str]]


@pytest.fixture(params=["sqlite", "sqlite+redis", "mongo", "mongo+redis", "redis"])
def settings(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    mongo_url: str,
    redis_url: str,
    openai_server: OpenAIServer,
) -> Settings:
    kind: str = request.param
    return Settings(
        data=tmp_path / "data",
        model="openai:test",
        openai_api_key=SecretStr("key"),
        openai_base_url=openai_server.base_url,
        mongodb_url=SecretStr(mongo_url) if "mongo" in kind else None,
        redis_url=SecretStr(redis_url) if "redis" in kind else None,
        checkpointer="redis" if kind == "redis" else None,
        summary_after_turns=2,
    )


@pytest.fixture
def scan(settings: Settings, tmp_path: Path) -> Scan:
    """Where a text still stands, in any byte that is kept."""

    def places(text: str) -> list[str]:
        wanted = text.encode()
        found = [
            str(path)
            for path in tmp_path.rglob("*")
            if path.is_file() and wanted in path.read_bytes().lower()
        ]
        if settings.mongodb_url is not None:
            found += _in_mongo(settings.mongodb_url.get_secret_value(), wanted)
        if settings.redis_url is not None:
            found += _in_redis(settings.redis_url.get_secret_value(), wanted)
        return found

    return places


def _in_mongo(url: str, wanted: bytes) -> list[str]:
    with MongoClient[dict[str, Any]](url) as client:
        database = client.get_default_database()
        return [
            f"{name}: {document['_id']!r}"
            for name in database.list_collection_names()
            for document in database[name].find()
            if wanted in bson.encode(document).lower()
        ]


def _in_redis(url: str, wanted: bytes) -> list[str]:
    with Redis.from_url(url) as client:
        return [
            repr(key)
            for key in client.scan_iter()
            if wanted in key.lower() or wanted in (client.dump(key) or b"").lower()
        ]


def answers(request: dict[str, Any]) -> Reply:
    """Tell in every answer, summary and title what the model was shown of the markers."""
    said = request["messages"]
    last = str(said[-1]["content"])
    told = " ".join(marker for marker in (QUESTION, ANSWER) if marker in last) or "nothing"
    asked = json.dumps(request)
    if "RollingSummary" in asked:
        return Reply(data={"summary": f"{SUMMARY} of {told}"})
    if "RoomTitle" in asked:
        return Reply(data={"title": f"{told} {SUMMARY}"[:40]})
    if "찾아" in last and said[-1]["role"] == "user":
        arguments = {"query": f"{ARGUMENT} {ENTRY}"}
        return Reply(tool_calls=[Call(name="archive_search", arguments=arguments, id="call_1")])
    return Reply(text=f"{ANSWER} {told}")


async def said(client: httpx.AsyncClient, room: str, message: str) -> None:
    answer = await client.post(
        f"/api/rooms/{room}/chat", json={"message": message, "stream": False}
    )
    assert answer.status_code == 200, answer.text


async def talked(client: httpx.AsyncClient, turns: int = 6) -> tuple[str, list[str]]:
    """A room whose first question holds a marker, and the keys of its first turn."""
    room = (await client.post("/api/rooms")).json()["id"]
    await said(client, room, f"기억해 줘, {QUESTION} 이야기야")
    for number in range(turns - 1):
        await said(client, room, f"다음 이야기 {number}")
    items = (await client.get(f"/api/rooms/{room}/messages?limit=100")).json()["items"]
    return room, [item["key"] for item in items if item["turn"] == items[-1]["turn"]]


async def test_a_deleted_message_is_gone_to_the_last_byte(
    client: httpx.AsyncClient, openai_server: OpenAIServer, scan: Scan
) -> None:
    openai_server.script = answers
    room, keys = await talked(client)
    assert (await client.get(f"/api/rooms/{room}/context")).json()["summary"] is not None
    assert scan(QUESTION)
    gone = await client.request("DELETE", f"/api/rooms/{room}/messages", json={"keys": keys})
    assert gone.status_code == 200, gone.text
    assert set(gone.json()["deleted"]) == set(keys)
    assert gone.json()["summary"] in ("rebuilt", "cleared")
    assert scan(QUESTION) == []
    # What is left still is a talk, and the model does not see what is gone.
    openai_server.requests.clear()
    await said(client, room, "계속하자")
    assert QUESTION not in repr(openai_server.requests)
    assert scan(QUESTION) == []


async def test_a_deleted_tool_call_is_gone_with_its_result_to_the_last_byte(
    client: httpx.AsyncClient, openai_server: OpenAIServer, scan: Scan
) -> None:
    openai_server.script = answers
    entry = {"content": f"토마토와 {ENTRY} 이야기", "summary": "토마토", "category": "시험"}
    saved = (await client.post("/api/archive", json=entry)).json()["id"]
    room = (await client.post("/api/rooms")).json()["id"]
    await said(client, room, "토마토 이야기를 찾아 줘")
    await said(client, room, "고마워")
    talk = (await client.get(f"/api/rooms/{room}/messages")).json()["items"]
    call = next(message for message in talk if message.get("tool_calls"))
    result = next(message for message in talk if message["role"] == "tool")
    assert ARGUMENT in str(call["tool_calls"])
    assert ENTRY in result["content"]
    # The entry goes first: what the tool had read from it still stands in the room.
    assert (await client.delete(f"/api/archive/{saved}")).status_code == 204
    assert scan(ENTRY)
    assert scan(ARGUMENT)
    gone = await client.request(
        "DELETE", f"/api/rooms/{room}/messages", json={"keys": [result["key"]]}
    )
    assert gone.json()["also_deleted"] == [call["key"]]
    assert [scan(text) for text in (ENTRY, ARGUMENT)] == [[], []]
    openai_server.requests.clear()
    await said(client, room, "계속하자")
    assert not any(text in repr(openai_server.requests) for text in (ENTRY, ARGUMENT, "call_1"))


async def test_while_a_turn_runs_nothing_can_be_deleted(
    client: httpx.AsyncClient, openai_server: OpenAIServer, scan: Scan
) -> None:
    def held(request: dict[str, Any]) -> Reply:
        # Not the next request, which may be the one for the room's title: this question's.
        if request["messages"][-1]["content"] == SLOW and "RoomTitle" not in json.dumps(request):
            return Reply(text="천천히 말하는 답", hold_at=2)
        return answers(request)

    openai_server.script = held
    room, keys = await talked(client, turns=1)
    asked = asyncio.create_task(said(client, room, SLOW))
    await openai_server.held()
    for path, body in ((f"/api/rooms/{room}/messages", {"keys": keys}), (f"/api/rooms/{room}", {})):
        refused = await client.request("DELETE", path, json=body)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "room_busy")
    assert scan(QUESTION)
    openai_server.release()
    await asked
    gone = await client.request("DELETE", f"/api/rooms/{room}/messages", json={"keys": keys})
    assert gone.status_code == 200, gone.text
    assert scan(QUESTION) == []


async def test_a_deleted_room_is_gone_to_the_last_byte(
    client: httpx.AsyncClient, openai_server: OpenAIServer, scan: Scan
) -> None:
    openai_server.script = answers
    room, _ = await talked(client)
    assert scan(QUESTION)
    assert scan(ANSWER)
    assert scan(SUMMARY)
    assert (await client.delete(f"/api/rooms/{room}")).status_code == 204
    assert [scan(text) for text in (QUESTION, ANSWER, SUMMARY, room)] == [[], [], [], []]


async def test_a_deleted_entry_is_gone_to_the_last_byte(
    client: httpx.AsyncClient, scan: Scan
) -> None:
    entry = {"content": f"한국어와 {ENTRY} 함께", "summary": f"{ENTRY} 라벨", "category": "시험"}
    saved = (await client.post("/api/archive", json=entry)).json()["id"]
    assert (await client.get("/api/archive", params={"q": ENTRY})).json()["items"]
    assert scan(ENTRY)
    assert (await client.delete(f"/api/archive/{saved}")).status_code == 204
    assert scan(ENTRY) == []
    # A change forgets what was there before it, too.
    saved = (await client.post("/api/archive", json=entry)).json()["id"]
    new = {"content": "다른 것", "summary": "다른 라벨"}
    assert (await client.patch(f"/api/archive/{saved}", json=new)).status_code == 200
    assert scan(ENTRY) == []
