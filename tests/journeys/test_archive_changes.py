"""What is saved and changed in words by a model that calls tools, scripted, over a real port."""

import json
from typing import Any

import httpx
import pytest

from server.settings import Settings
from tests.services.openai_server import Call, OpenAIServer, Reply

TALKS = [
    (
        "Redis의 만료 시간은 3600초로 정했다.",
        "장애 뒤에 정했다.",
        ("라벨을 '레디스 만료'로 바꿔줘", "카테고리를 인프라로 바꿔줘"),
        ("레디스 만료", "인프라"),
    ),
    (
        "The staging database password rotates on the first Monday of each month.",
        "Kim does it.",
        ("change the label to 'DB password'", "change the category to Ops"),
        ("DB password", "Ops"),
    ),
]


@pytest.fixture
def settings(settings: Settings, openai_server: OpenAIServer) -> Settings:
    return openai_server.asked_by(settings)


class Talk:
    """A room whose model is scripted; what its tools answered is at hand."""

    def __init__(self, client: httpx.AsyncClient, server: OpenAIServer, room: str) -> None:
        self._client, self._server, self._room = client, server, room

    async def say(self, message: str, *calls: Call) -> list[Any]:
        """The results of the calls that the model answers ``message`` with: JSON, or words."""
        self._server.reply(Reply(tool_calls=calls), Reply(text="됐어요."))
        body = {"message": message, "stream": False}
        answer = await self._client.post(f"/api/rooms/{self._room}/chat", json=body)
        assert answer.json()["message"]["content"] == "됐어요."
        told = self._server.requests[-1]["messages"][-len(calls) :]
        return [_read(one["content"]) for one in told]


def _read(result: str) -> Any:
    return json.loads(result) if result.startswith("{") else result


@pytest.fixture
async def talk(client: httpx.AsyncClient, openai_server: OpenAIServer) -> Talk:
    # With a title of its own, the room asks the model for none.
    room = (await client.post("/api/rooms", json={"title": "시험"})).json()["id"]
    return Talk(client, openai_server, room)


def save(content: str) -> Call:
    arguments = {"content": content, "label": "메모", "category": "개발"}
    return Call(name="archive_save", arguments=arguments)


def update(entry_id: str, **change: str) -> Call:
    return Call(name="archive_update", arguments={"id": entry_id, **change})


@pytest.mark.parametrize(("text", "more", "changes", "names"), TALKS)
async def test_one_thing_is_saved_once_and_renamed_in_words_and_by_patch(
    client: httpx.AsyncClient,
    talk: Talk,
    text: str,
    more: str,
    changes: tuple[str, str],
    names: tuple[str, str],
) -> None:
    [told] = await talk.say(f"저장해줘: {text}", save(text))
    entry = told["saved"]
    assert (entry["label"], entry["category"]) == ("메모", "개발")
    assert await talk.say("또 저장해줘", save(f"{text.upper()}!")) == [{"already_saved": entry}]
    assert await talk.say("이것까지 저장해줘", save(f"{text} {more}")) == [{"updated": entry}]

    for change, field, name in zip(changes, ("label", "category"), names, strict=True):
        entry |= {field: name}
        assert await talk.say(change, update(entry["id"], **{field: name})) == [{"updated": entry}]
    [kept] = (await client.get("/api/archive")).json()["items"]
    assert (kept["summary"], kept["category"]) == names

    patch = {"summary": "새 라벨", "category": "Databases"}
    changed = (await client.patch(f"/api/archive/{entry['id']}", json=patch)).json()
    assert (changed["summary"], changed["category"]) == ("새 라벨", "Databases")
    assert changed["content"] == f"{text} {more}"


async def test_a_change_that_can_not_be_is_told_to_the_model_and_changes_nothing(
    client: httpx.AsyncClient, talk: Talk
) -> None:
    [told] = await talk.say("저장해줘", save("만료는 3600초"))
    entry_id = told["saved"]["id"]
    before = (await client.get(f"/api/archive/{entry_id}")).json()
    for change in (
        {"label": "가" * 31},
        {"label": "두\n줄"},
        {"label": " "},
        {"category": "x" * 200},
        {"label": "좋은 라벨", "category": "\0"},
    ):
        [refused] = await talk.say("라벨을 바꿔줘", update(entry_id, **change))
        assert refused.endswith("Give another.") or "one line" in refused, refused
    assert (await client.get(f"/api/archive/{entry_id}")).json() == before
