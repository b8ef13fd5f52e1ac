"""What is saved and changed in words, with the model that needs no network."""

import httpx
import pytest

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

    ways = [text, f" {text} ", text.upper(), text.rstrip("."), f"{text} {more}", text + "!!"]
    for way in [*ways, text.replace(" ", "  "), text.lower(), f"“{text}”", f"{text} {more}"]:
        assert names[0] in await say(order + way)
    assert len(await entries()) == 1
