"""What is saved and changed in words, with the model that needs no network."""

import unicodedata

import httpx
import pytest
from pydantic import SecretStr

from server.settings import Settings

TALKS = [
    (
        "저장해줘: ",
        "Redis의 만료 시간은 3600초로 정했다.",
        ("라벨을 '레디스 만료'로 바꿔줘", "카테고리를 인프라로 바꿔줘"),
        ("레디스 만료", "인프라"),
        "장애 뒤에 정했다.",
    ),
    (
        "save this: ",
        "The staging database password rotates on the first Monday of each month.",
        ("change the label to 'DB password'", "change the category to Ops"),
        ("DB password", "Ops"),
        "Kim does it.",
    ),
]


@pytest.fixture(params=["sqlite", "mongodb"])
def settings(request: pytest.FixtureRequest, settings: Settings) -> Settings:
    if request.param == "sqlite":
        return settings
    url = SecretStr(request.getfixturevalue("mongo_url"))
    return settings.model_copy(update={"mongodb_url": url})


@pytest.mark.parametrize(("order", "text", "changes", "names", "more"), TALKS)
async def test_one_thing_is_saved_once_and_renamed_in_words(
    client: httpx.AsyncClient,
    order: str,
    text: str,
    changes: tuple[str, str],
    names: tuple[str, str],
    more: str,
) -> None:
    room = (await client.post("/api/rooms", json={"title": "t"})).json()["id"]

    async def say(message: str) -> str:
        body = {"message": message, "stream": False}
        answer = await client.post(f"/api/rooms/{room}/chat", json=body)
        return str(answer.json()["message"]["content"])

    async def entries() -> list[dict[str, str]]:
        items: list[dict[str, str]] = (await client.get("/api/archive")).json()["items"]
        return items

    told = await say(order + text)
    [entry] = await entries()
    assert entry["summary"] in told
    assert entry["category"] in told
    for change in changes:
        await say(change)
    [entry] = await entries()
    assert (entry["summary"], entry["category"]) == names

    for way in ways_of(text, more):
        assert names[0] in await say(order + way), way
    [entry] = await entries()
    kept = (await client.get(f"/api/archive/{entry['id']}")).json()["content"]
    assert text in kept
    assert kept.count(more.rstrip(".")) == 1


@pytest.mark.parametrize(("text", "more"), [(text, more) for _, text, _, _, more in TALKS])
async def test_one_thing_posted_twenty_ways_is_there_twice_at_most(
    client: httpx.AsyncClient, text: str, more: str
) -> None:
    kept: dict[bool, str] = {}
    for way in ways_of(text, more):
        body = {"content": way, "summary": "메모", "category": "Notes"}
        longer = more.rstrip(".").lower() in way.lower()
        answer = await client.post("/api/archive", json=body)
        if longer not in kept:
            assert answer.status_code == 201, way
            kept[longer] = answer.json()["id"]
            continue
        assert answer.status_code == 409, way
        error = answer.json()["error"]
        assert (error["code"], error["details"]["id"]) == ("duplicate", kept[longer])
    assert len((await client.get("/api/archive")).json()["items"]) == 2


def ways_of(text: str, more: str) -> list[str]:
    """Over twenty ways to say ``text``: by spacing, case, punctuation, form, a sentence added."""
    bare = text.rstrip(".")
    wide = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in text)
    return [
        text,
        f"  {text}  ",
        text.upper(),
        text.lower(),
        text.title(),
        bare,
        f"{text}!!",
        f"{bare}…",
        text.replace(" ", "  "),
        text.replace(" ", "\t"),
        text.replace(" ", "\n", 1),
        text.replace(" ", "\u00a0"),
        text.replace(" ", ", ", 1),
        text.replace("만료 시간", "만료시간").replace("database password", "database-password"),
        text.replace("3600", "3,600").replace(" first ", " - first - "),
        f"“{text}”",
        f"- **{bare}**",
        unicodedata.normalize("NFD", text),
        wide,
        f"{text} {more}",
        f"{bare}!\n\n{more.upper()}",
        f"({text}) {more.rstrip('.')}",
    ]
