"""Drafts by a model over a real port: its answers are checked, asked for again, never trusted."""

import json
from typing import Any

import httpx
import pytest

from memory.text import grapheme_count
from server.settings import Settings
from tests.services.openai_server import OpenAIServer, Reply
from tests.services.openai_wire import JSON

KO = "Redis의 maxmemory-policy를 allkeys-lru로 바꾸면 메모리가 찼을 때 오래된 키부터 지운다."
EN = "The staging database password rotates on the first Monday of each month."

FAMILY = "👨‍👩‍👧‍👦"
JAMO = "\u1112\u1161\u11ab"  # one syllable in three parts
ACCENT = "e\u0301\u0302"


@pytest.fixture
def settings(settings: Settings, openai_server: OpenAIServer) -> Settings:
    return openai_server.asked_by(settings)


class Script:
    """Answers labels and categories, each from a list whose last one stays; keeps the requests."""

    def __init__(self, server: OpenAIServer, *, labels: list[Reply], categories: list[str]) -> None:
        self.asked: dict[str, list[JSON]] = {"LabelDraft": [], "CategoryDraft": []}
        self._labels, self._categories = labels, [said({"category": one}) for one in categories]
        server.script = self

    def __call__(self, request: JSON) -> Reply:
        schema: str = request["response_format"]["json_schema"]["name"]
        system, human = request["messages"]
        self.asked[schema].append({"system": system["content"], **json.loads(human["content"])})
        script = self._labels if schema == "LabelDraft" else self._categories
        return script.pop(0) if len(script) > 1 else script[0]


def said(data: Any) -> Reply:
    return Reply(text=json.dumps(data, ensure_ascii=False))


def label(text: str) -> Reply:
    return said({"summarizable": True, "label": text, "reason": ""})


async def draft(client: httpx.AsyncClient, content: str) -> dict[str, Any]:
    answer = await client.post("/api/archive/drafts", json={"content": content})
    assert answer.status_code == 200, answer.text
    assert (await client.get("/api/archive")).json()["items"] == []
    made: dict[str, Any] = answer.json()
    return made


MALFORMED = [
    (Reply(text="Sure! Here is a label: sk-secret"), "Invalid JSON."),
    (Reply(text='```json\n{"label": "x"}\n```'), "Invalid JSON."),
    (Reply(text='{"label": "sk-secr'), "Invalid JSON."),
    (Reply(text='["sk-secret"]'), "Input should be an object."),
    (said({"label": "sk-secret"}), "summarizable: Field required."),
    (said({"summarizable": "sk-secret", "label": 1}), "summarizable: Input should be a valid "),
    (Reply(text=""), "it was not the JSON object that is asked for."),
]


async def test_what_can_not_be_read_is_asked_for_once_more_with_the_reason(
    client: httpx.AsyncClient, openai_server: OpenAIServer
) -> None:
    good = label("Redis 메모리 정책")
    for bad, told in MALFORMED:
        script = Script(openai_server, labels=[bad, good], categories=["개발"])
        assert (await draft(client, KO))["summary"] == "Redis 메모리 정책"
        first, second = script.asked["LabelDraft"]
        assert (first["content"], second["content"]) == (KO, KO)
        assert second["system"].startswith(first["system"])
        assert f"Your last answer could not be read: {told}" in second["system"]
        assert "secret" not in second["system"]


async def test_what_can_not_be_read_twice_costs_no_draft(
    client: httpx.AsyncClient, openai_server: OpenAIServer
) -> None:
    bad = Reply(text="{")
    script = Script(openai_server, labels=[bad], categories=["x" * 200])
    made = await draft(client, EN)
    assert len(script.asked["LabelDraft"]) == 2
    assert made["summary"] == "The staging database password"
    assert made["category"] == "Notes"
    body = {"content": EN, "summary": made["summary"], "category": made["category"]}
    assert (await client.post("/api/archive", json=body)).status_code == 201


@pytest.mark.parametrize(
    ("content", "clusters"), [(KO, [JAMO, "가"]), (EN, [FAMILY, ACCENT, "🇰🇷"])]
)
async def test_a_label_has_thirty_characters_as_people_see_them(
    client: httpx.AsyncClient, openai_server: OpenAIServer, content: str, clusters: list[str]
) -> None:
    for cluster in clusters:
        await thirty(client, openai_server, content, cluster)


async def thirty(
    client: httpx.AsyncClient, openai_server: OpenAIServer, content: str, cluster: str
) -> None:
    script = Script(openai_server, labels=[label(cluster * 30)], categories=["개발"])
    assert (await draft(client, content))["summary"] == cluster * 30
    assert len(script.asked["LabelDraft"]) == 1

    long = f"{cluster * 20} {cluster * 10}"
    script = Script(openai_server, labels=[label(cluster * 31), label(long)], categories=["개발"])
    made = await draft(client, content)
    assert made["summary"] == cluster * 20
    assert grapheme_count(made["summary"]) == 20
    refused = script.asked["LabelDraft"][1]["problem"]
    assert refused == "The label has 31 characters; at most 30 are allowed."


REFUSED = [
    (KO, "Memory eviction", "메모리 정책", "Write it in Korean."),
    (EN, "스테이징 비밀번호", "Password rotation", "Write it in the language of the content."),
    (KO, "두\n줄", "메모리 정책", "The label must be one line."),
    (EN, " ", "Password rotation", "The label is empty."),
]


async def test_a_label_that_is_none_is_refused_with_the_reason(
    client: httpx.AsyncClient, openai_server: OpenAIServer
) -> None:
    for content, bad, good, problem in REFUSED:
        script = Script(openai_server, labels=[label(bad), label(good)], categories=["개발"])
        assert (await draft(client, content))["summary"] == good
        assert script.asked["LabelDraft"][1]["problem"].endswith(problem)


NOISE = [
    " \n\t",
    "42",
    "3,141,592.65",
    "010-1234-5678",
    "d41d8cd98f00b204e9800998ecf8427e",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "550e8400-e29b-41d4-a716-446655440000",
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ",
    "asdkjhqwexzmnbvlkj",
    "ㅁㄴㅇㄹㅁㄴㅇㄹ",
    "ㅋㅋㅋㅋㅋㅋㅋ",
    "!!!???...",
    bytes(range(128, 256)).decode("latin-1"),
    bytes(range(1, 256, 3)).decode("utf-8", "replace").replace("\0", ""),
]


async def test_noise_is_told_with_a_reason_and_no_model_can_invent(
    client: httpx.AsyncClient, openai_server: OpenAIServer
) -> None:
    for content in NOISE:
        made = await draft(client, content)
        assert set(made) == {"summarizable", "reason"}, content
        assert made["summarizable"] is False
        assert made["reason"]
    assert openai_server.requests == []


async def test_a_model_may_find_nothing_to_label(
    client: httpx.AsyncClient, openai_server: OpenAIServer
) -> None:
    nothing = said({"summarizable": False, "label": "An invention", "reason": "뜻이 없습니다."})
    Script(openai_server, labels=[nothing], categories=["개발"])
    assert await draft(client, "음 그 저 뭐") == {"summarizable": False, "reason": "뜻이 없습니다."}


async def test_the_same_content_gets_the_same_category_from_a_model_that_varies(
    client: httpx.AsyncClient, openai_server: OpenAIServer
) -> None:
    varying = [f"Choice {number}" for number in range(9)]
    Script(openai_server, labels=[label("Password rotation")], categories=varying)
    first = await draft(client, EN)
    assert await draft(client, f" {EN.lower()}!") == first
    body = {"content": EN, "summary": first["summary"], "category": first["category"]}
    saved = (await client.post("/api/archive", json=body)).json()

    again = await client.post("/api/archive/drafts", json={"content": EN.upper()})
    exact = {"id": saved["id"], "summary": saved["summary"], "exact": True}
    assert again.json()["category"] == first["category"]
    assert again.json()["duplicates"] == [exact]
    near = await client.post("/api/archive/drafts", json={"content": f"{EN} Kim does it."})
    assert near.json()["category"] == first["category"]
    assert near.json()["duplicates"] == [exact | {"exact": False}]


async def test_a_category_that_fits_is_the_persons_own(
    client: httpx.AsyncClient, openai_server: OpenAIServer
) -> None:
    body = {
        "content": "김치찌개는 묵은지로 끓인다.",
        "summary": "김치찌개",
        "category": "데이터 베이스",
    }
    await client.post("/api/archive", json=body)
    script = Script(openai_server, labels=[label("메모리")], categories=["데이터-베이스"])
    answer = await client.post("/api/archive/drafts", json={"content": KO})
    assert answer.json()["category"] == "데이터 베이스"
    assert script.asked["CategoryDraft"][0]["categories"] == ["데이터 베이스"]
