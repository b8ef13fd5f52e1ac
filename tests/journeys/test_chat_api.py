"""Rooms and chat over HTTP, from the request to what is stored and back."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from server.client import ServerSent, read_events

Json = dict[str, Any]


async def new_room(client: httpx.AsyncClient, **body: object) -> str:
    answer = await client.post("/api/rooms", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def ask(
    client: httpx.AsyncClient, room: str, message: str, **more: object
) -> Sequence[ServerSent]:
    """The events of one streamed turn."""
    answer = await client.post(f"/api/rooms/{room}/chat", json={"message": message, **more})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return list(read_events(answer.text.split("\n")))


async def messages_of(client: httpx.AsyncClient, room: str) -> list[Json]:
    answer = await client.get(f"/api/rooms/{room}/messages", params={"limit": 100})
    items: list[Json] = answer.json()["items"]
    return items


def named(events: Sequence[ServerSent], name: str) -> list[Json]:
    return [event.data for event in events if event.name == name]


async def test_a_turn_streams_its_events_in_the_form_of_the_contract(
    client: httpx.AsyncClient,
) -> None:
    room = await new_room(client)
    events = await ask(client, room, "기억해: redis 만료는 EXPIRE 명령으로 정한다")

    assert [event.id for event in events] == list(range(1, len(events) + 1))
    assert events[0].name == "run"
    assert set(events[0].data) == {"run_id", "room_id", "user_key"}
    assert events[0].data["room_id"] == room
    assert events[-1].name == "done"
    assert events[-1].data == {"run_id": events[0].data["run_id"], "status": "complete"}

    (started, *_), (ended, *_) = named(events, "tool_start"), named(events, "tool_end")
    assert set(started) == {"id", "name", "args"}
    assert set(ended) == {"id", "name", "ok", "preview"}
    assert (started["name"], started["id"], ended["ok"]) == ("archive_save", ended["id"], True)

    (message,) = named(events, "message")
    assert set(message) == {"key", "content", "usage", "status"}
    assert message["status"] == "complete"
    assert "".join(token["text"] for token in named(events, "token")) == message["content"]


async def test_the_question_and_the_answer_are_stored_newest_first(
    client: httpx.AsyncClient,
) -> None:
    room = await new_room(client)
    events = await ask(client, room, "안녕?")
    answer, *_, question = await messages_of(client, room)
    assert (question["role"], question["content"]) == ("user", "안녕?")
    assert question["key"] == events[0].data["user_key"]
    assert answer["role"] == "assistant"
    assert answer["content"] == named(events, "message")[0]["content"]
    assert "tool_call_id" not in question
    assert (await client.get(f"/api/rooms/{room}")).json()["message_count"] >= 2


@pytest.mark.parametrize(
    ("save", "question", "found"),
    [
        (
            "기억해: 회의실 와이파이 비밀번호는 tomato2026 이다",
            "와이파이 비밀번호 뭐였지?",
            "tomato2026",
        ),
        (
            "save this: the staging server lives at 10.0.0.7",
            "what is the staging server?",
            "10.0.0.7",
        ),
    ],
)
async def test_what_was_saved_in_one_room_answers_in_another(
    client: httpx.AsyncClient, save: str, question: str, found: str
) -> None:
    await ask(client, await new_room(client), save)
    (message,) = named(await ask(client, await new_room(client), question), "message")
    assert found in message["content"]


async def test_without_a_stream_the_answer_comes_at_once(client: httpx.AsyncClient) -> None:
    room = await new_room(client)
    answer = await client.post(
        f"/api/rooms/{room}/chat", json={"message": "hello", "stream": False}
    )
    assert answer.status_code == 200
    whole = answer.json()
    assert set(whole) == {"run_id", "message", "notices", "usage"}
    assert (await messages_of(client, room))[0]["key"] == whole["message"]["key"]
    assert whole["usage"]["output_tokens"] > 0


async def test_no_tools_means_no_tool_is_used(client: httpx.AsyncClient) -> None:
    room = await new_room(client)
    assert not named(await ask(client, room, "save this: the sky is blue", tools=[]), "tool_start")
    assert (await client.get("/api/archive")).json()["items"] == []


async def test_a_room_is_opened_named_listed_and_deleted(client: httpx.AsyncClient) -> None:
    opened = (await client.post("/api/rooms")).json()
    assert opened["title"] is None
    assert opened["title_source"] == "none"
    assert set(opened) == {
        "id",
        "title",
        "title_source",
        "created_at",
        "updated_at",
        "message_count",
    }
    assert opened["created_at"].endswith("Z")
    path = f"/api/rooms/{opened['id']}"
    named_room = (await client.patch(path, json={"title": "  토마토 메모 "})).json()
    assert (named_room["title"], named_room["title_source"]) == ("토마토 메모", "user")
    assert [room["id"] for room in (await client.get("/api/rooms")).json()["items"]] == [
        opened["id"]
    ]
    deleted = await client.delete(path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await client.get(path)).json()["error"]["code"] == "room_not_found"
    assert (await client.delete(path)).status_code == 404


async def test_lists_are_paged_to_their_end(client: httpx.AsyncClient) -> None:
    rooms = {await new_room(client, title=f"방 {number}") for number in range(7)}
    seen: list[str] = []
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/rooms", params=params)).json()
        seen += [room["id"] for room in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(seen) == 7
    assert set(seen) == rooms


async def test_messages_are_paged_by_key(client: httpx.AsyncClient) -> None:
    room = await new_room(client)
    for word in ("하나", "둘", "셋"):
        await ask(client, room, word, tools=[])
    everything = [message["key"] for message in await messages_of(client, room)]
    paged: list[str] = []
    page: Json = {"next_cursor": "t99999999-0000"}
    while page["next_cursor"]:
        params = {"limit": "1", "cursor": page["next_cursor"]}
        page = (await client.get(f"/api/rooms/{room}/messages", params=params)).json()
        paged += [message["key"] for message in page["items"]]
    assert paged == everything == sorted(everything, reverse=True)


async def test_a_deleted_message_is_gone_and_its_tool_pair_with_it(
    client: httpx.AsyncClient,
) -> None:
    room = await new_room(client)
    await ask(client, room, "기억해: 자정에 배포하지 않는다")
    stored = await messages_of(client, room)
    call = next(message for message in stored if message.get("tool_calls"))
    result = next(message for message in stored if message["role"] == "tool")
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    answer = await client.request(
        "DELETE", f"/api/rooms/{room}/messages", json={"keys": [call["key"]]}
    )
    assert answer.status_code == 200
    assert answer.json()["deleted"] == [call["key"]]
    assert result["key"] in answer.json()["also_deleted"]
    left = [message["key"] for message in await messages_of(client, room)]
    assert call["key"] not in left
    assert result["key"] not in left


async def test_of_keys_with_one_unknown_none_is_deleted(client: httpx.AsyncClient) -> None:
    room = await new_room(client)
    await ask(client, room, "안녕", tools=[])
    before = await messages_of(client, room)
    for unknown in ("t00000009-0000", "no key", ""):
        answer = await client.request(
            "DELETE",
            f"/api/rooms/{room}/messages",
            json={"keys": [before[0]["key"], unknown]},
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "message_not_found")
    assert await messages_of(client, room) == before


async def test_the_context_shows_the_next_call(client: httpx.AsyncClient) -> None:
    room = await new_room(client)
    await ask(client, room, "안녕", tools=[])
    context = (await client.get(f"/api/rooms/{room}/context")).json()
    assert set(context) == {
        "system",
        "summary",
        "summary_covers_up_to",
        "window",
        "archive_digest",
        "tools",
        "tokens",
    }
    keys = [message["key"] for message in await messages_of(client, room)]
    assert context["window"] == keys[::-1]
    assert "archive_search" in context["tools"]
    assert context["tokens"]["total"] > 0


async def test_a_title_can_be_asked_for(client: httpx.AsyncClient) -> None:
    room = await new_room(client, title="내 제목")
    nothing_yet = await client.post(f"/api/rooms/{room}/title")
    assert (nothing_yet.status_code, nothing_yet.json()["error"]["code"]) == (409, "no_title")
    await ask(client, room, "쿠버네티스 배포 전략을 정리해 보자", tools=[])
    made = (await client.post(f"/api/rooms/{room}/title")).json()
    assert made["title_source"] == "auto"
    assert 1 <= len(made["title"]) <= 40


async def test_the_tools_are_listed_as_the_model_is_told(client: httpx.AsyncClient) -> None:
    items = (await client.get("/api/tools")).json()["items"]
    names = [tool["name"] for tool in items]
    assert len(names) == len(set(names)) >= 8
    for tool in items:
        assert tool["description"]
        assert "caller" not in tool["args_schema"].get("properties", {})
        for argument in tool["args_schema"]["properties"].values():
            assert argument["description"]


async def test_a_run_is_followed_again_from_any_event(client: httpx.AsyncClient) -> None:
    room = await new_room(client)
    events = await ask(client, room, "save this: runs can be followed again")
    path = f"/api/runs/{events[0].data['run_id']}/events"
    for seen in range(len(events) + 1):
        by_header = await client.get(path, headers={"Last-Event-ID": str(seen)})
        by_query = await client.get(path, params={"after": seen})
        assert by_header.text == by_query.text
        assert list(read_events(by_header.text.split("\n"))) == events[seen:]
    assert len(await messages_of(client, room)) == len(
        {message["key"] for message in await messages_of(client, room)}
    )


async def test_an_ended_run_is_cancelled_without_effect(client: httpx.AsyncClient) -> None:
    room = await new_room(client)
    run = (await ask(client, room, "안녕", tools=[]))[0].data["run_id"]
    before = await messages_of(client, room)
    answer = await client.post(f"/api/runs/{run}/cancel")
    assert answer.status_code == 202
    assert await messages_of(client, room) == before


@pytest.mark.parametrize("path", ["/api/runs/run_none/events", "/api/rooms/room_none/messages"])
async def test_what_is_not_there_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"].endswith("_not_found")


async def test_one_idempotency_key_runs_once_however_often_it_comes(
    client: httpx.AsyncClient,
) -> None:
    room = await new_room(client)

    async def post() -> Json:
        answer = await client.post(
            f"/api/rooms/{room}/chat",
            json={"message": "기억해: 한 번만", "stream": False},
            headers={"Idempotency-Key": "key-1"},
        )
        assert answer.status_code == 200, answer.text
        body: Json = answer.json()
        return body

    first, *others = await asyncio.gather(*(post() for _ in range(8)))
    assert all(other == first for other in others)
    assert await post() == first
    questions = [m for m in await messages_of(client, room) if m["role"] == "user"]
    assert len(questions) == 1


async def test_a_key_of_another_request_is_a_conflict(client: httpx.AsyncClient) -> None:
    room = await new_room(client)
    headers = {"Idempotency-Key": "key-2"}
    path = f"/api/rooms/{room}/chat"
    await client.post(path, json={"message": "하나"}, headers=headers)
    answer = await client.post(path, json={"message": "둘"}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "idempotency_mismatch")


async def test_parallel_questions_to_one_room_run_one_at_a_time(client: httpx.AsyncClient) -> None:
    room = await new_room(client)
    answers = await asyncio.gather(
        *(
            client.post(f"/api/rooms/{room}/chat", json={"message": f"질문 {number}"})
            for number in range(10)
        )
    )
    refused = [answer for answer in answers if answer.status_code == 409]
    assert len(refused) + sum(answer.status_code == 200 for answer in answers) == 10
    assert refused
    for answer in refused:
        assert answer.json()["error"]["code"] == "room_busy"
        assert answer.json()["error"]["details"]["run_id"].startswith("run_")
    questions = [m for m in await messages_of(client, room) if m["role"] == "user"]
    assert len(questions) == 10 - len(refused)


async def test_the_openapi_document_describes_every_field(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            # What refers to another schema is described there.
            assert described.get("description") or described.get("$ref"), f"{name}.{field}"
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], path
            if path.startswith("/api/"):
                assert {"401", "403", "422", "503"} <= set(operation["responses"]), (method, path)


async def test_ready_once_all_is_open(client: httpx.AsyncClient, app: FastAPI) -> None:
    await app.state.opening.resources()
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
