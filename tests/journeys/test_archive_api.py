"""The archive over HTTP, on real embedded storage: from a draft to its deletion."""

import asyncio
import unicodedata
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from server.settings import Settings

KO = "Redis의 maxmemory-policy를 allkeys-lru로 바꾸면 메모리가 찼을 때 오래된 키부터 지운다."
EN = "The staging database password rotates on the first Monday of each month."


async def save(client: httpx.AsyncClient, content: str = KO, **more: Any) -> dict[str, Any]:
    entry = {"content": content, "summary": "Redis 메모리 정책", "category": "개발", **more}
    answer = await client.post("/api/archive", json=entry)
    assert answer.status_code == 201, answer.text
    kept: dict[str, Any] = answer.json()
    return kept


async def items(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get("/api/archive", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The details of an error in the one form."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) <= {"code", "message", "request_id", "details"}
    assert error["code"] == code
    assert error["request_id"] == answer.headers["X-Request-ID"]
    details: dict[str, Any] = error.get("details", {})
    return details


@pytest.mark.parametrize("content", [KO, EN])
async def test_a_draft_stores_nothing(client: httpx.AsyncClient, content: str) -> None:
    answer = await client.post("/api/archive/drafts", json={"content": content})
    draft = answer.json()
    assert set(draft) == {"summarizable", "summary", "category", "duplicates"}
    assert draft["summarizable"] is True
    assert 1 <= len(draft["summary"]) <= 30
    assert draft["category"]
    assert draft["duplicates"] == []
    assert await items(client) == []


async def test_a_draft_becomes_an_entry_and_is_then_a_duplicate(client: httpx.AsyncClient) -> None:
    draft = (await client.post("/api/archive/drafts", json={"content": KO})).json()
    entry = await save(client, summary=draft["summary"], category=draft["category"])
    again = await client.post("/api/archive/drafts", json={"content": f" {KO.upper()}!"})
    assert again.json()["duplicates"] == [
        {"id": entry["id"], "summary": draft["summary"], "exact": True}
    ]
    assert again.json()["category"] == draft["category"]


@pytest.mark.parametrize(
    "content", ["", " \n", "42", "d41d8cd98f00b204e9800998ecf8427e", "ㅋㅋㅋㅋㅋㅋ"]
)
async def test_noise_has_no_draft(client: httpx.AsyncClient, content: str) -> None:
    draft = (await client.post("/api/archive/drafts", json={"content": content})).json()
    assert set(draft) == {"summarizable", "reason"}
    assert draft["summarizable"] is False
    assert draft["reason"]


async def test_a_draft_takes_a_named_category(client: httpx.AsyncClient) -> None:
    await save(client, category="Recipes")
    body = {"content": EN, "category": "recipes"}
    assert (await client.post("/api/archive/drafts", json=body)).json()["category"] == "Recipes"
    body["category"] = "x" * 200
    answer = await client.post("/api/archive/drafts", json=body)
    assert refused(answer, 422, "invalid_field")["field"] == "category"


async def test_an_entry_from_its_saving_to_its_deletion(client: httpx.AsyncClient) -> None:
    entry = await save(client)
    assert set(entry) == {
        "id", "category", "summary", "content", "size", "files",
        "created_at", "updated_at", "version",
    }  # fmt: skip
    assert (entry["summary"], entry["category"]) == ("Redis 메모리 정책", "개발")
    assert (entry["size"], entry["version"], entry["files"]) == (len(KO.encode()), 1, [])
    path = f"/api/archive/{entry['id']}"
    got = await client.get(path)
    assert got.json() == entry
    assert got.headers["ETag"] == '"1"'

    changed = await client.patch(path, json={"summary": "레디스 만료", "category": "Databases"})
    assert (changed.json()["summary"], changed.json()["version"]) == ("레디스 만료", 2)
    assert changed.headers["ETag"] == '"2"'
    assert changed.json()["content"] == KO

    assert (await client.delete(path)).status_code == 204
    refused(await client.get(path), 404, "entry_not_found")
    refused(await client.delete(path), 404, "entry_not_found")
    refused(await client.patch(path, json={"summary": "x"}), 404, "entry_not_found")
    assert await items(client) == []
    assert await items(client, q="레디스") == []


async def test_the_list_is_newest_first_without_contents_in_pages(
    client: httpx.AsyncClient,
) -> None:
    for number in range(5):
        await save(client, f"entry number {number}", summary=f"{number}", category="ab"[number % 2])
    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await client.get("/api/archive", params=query)).json()
        assert len(page["items"]) <= 2
        assert all("content" not in item for item in page["items"])
        seen += [item["summary"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == ["4", "3", "2", "1", "0"]
    assert [item["summary"] for item in await items(client, category="b")] == ["3", "1"]
    assert await items(client, category="none such") == []


async def test_search_is_best_first_and_shows_why(client: httpx.AsyncClient) -> None:
    redis = await save(client)
    await save(client, EN, summary="Staging password", category="Ops")
    await save(client, "김치찌개는 묵은지를 볶다가 끓인다.", summary="김치찌개", category="요리")
    found = await items(client, q="redis 메모리가 차면 어떤 키를 지우나?")
    assert found[0]["id"] == redis["id"]
    assert "content" not in found[0]
    assert found[0]["score"] > 0
    assert "redis" in found[0]["matched"]
    [ops] = await items(client, q="when does the staging password rotate", category="Ops")
    assert ops["summary"] == "Staging password"
    assert await items(client, q="redis", category="요리") == []
    assert len(await items(client, q="")) == 3


async def test_the_same_content_is_not_saved_twice(client: httpx.AsyncClient) -> None:
    entry = await save(client)
    body = {"content": f"{KO.lower()}  ", "summary": "other", "category": "other"}
    assert (
        refused(await client.post("/api/archive", json=body), 409, "duplicate")["id"] == entry["id"]
    )
    answers = await asyncio.gather(
        *(client.post("/api/archive", json=body | {"content": EN}) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    assert len(await items(client)) == 2


async def test_changes_may_ask_for_the_version_that_was_seen(client: httpx.AsyncClient) -> None:
    path = f"/api/archive/{(await save(client))['id']}"
    change = {"summary": "둘째"}
    assert (await client.patch(path, json=change, headers={"If-Match": '"1"'})).status_code == 200
    for seen in ('"1"', '"99"', "2", 'W/"2"', "nonsense", '"' + "9" * 100 + '"'):
        answer = await client.patch(path, json={"summary": "셋째"}, headers={"If-Match": seen})
        refused(answer, 412, "changed_since")
    assert (await client.get(path)).json()["summary"] == "둘째"
    assert (await client.patch(path, json=change, headers={"If-Match": "*"})).status_code == 200
    assert (await client.patch(path, json=change, headers={"If-Match": '"3"'})).status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"owner": "you"}, "owner"),
        ({"source": {"room_id": "room_x"}}, "source.key"),
        ({"source": {"room_id": "room_x", "key": "nonsense"}}, "source.key"),
    ],
)
async def test_fields_out_of_bounds_are_named(
    client: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    body = {"content": EN, "summary": "a", "category": "b", **change}
    assert (
        refused(await client.post("/api/archive", json=body), 422, "invalid_field")["field"]
        == field
    )
    assert await items(client) == []
    if "source" in change:
        return
    entry = await save(client)
    answer = await client.patch(f"/api/archive/{entry['id']}", json=change)
    assert refused(answer, 422, "invalid_field")["field"] == field
    assert (await client.get(f"/api/archive/{entry['id']}")).json() == entry


async def test_labels_are_counted_as_people_see_them(client: httpx.AsyncClient) -> None:
    family = "👨‍👩‍👧‍👦" * 30
    assert (await save(client, summary=family))["summary"] == family


async def test_a_change_says_what_to_change(client: httpx.AsyncClient) -> None:
    path = f"/api/archive/{(await save(client))['id']}"
    refused(await client.patch(path, json={}), 422, "invalid_field")
    refused(await client.patch(path, json={"summary": None}), 422, "invalid_field")


async def test_contents_over_the_limit(client: httpx.AsyncClient) -> None:
    for content in ("x" * 1_500_000, "x" * 10_000_000):
        body = {"content": content, "summary": "a", "category": "b"}
        refused(await client.post("/api/archive", json=body), 413, "too_large")
    assert await items(client) == []
    large = "한글 " * 100_000
    assert (await save(client, large))["content"] == large


async def test_an_entry_remembers_the_message_it_came_from(client: httpx.AsyncClient) -> None:
    room = (await client.post("/api/rooms")).json()
    source = {"room_id": room["id"], "key": "t00000001-0000"}
    entry = await save(client, source=source)
    assert entry["source"] == source
    assert (await items(client))[0]["source"] == source
    body = {"content": EN, "summary": "a", "category": "b"}
    body["source"] = {"room_id": "room_of_another", "key": "t00000001-0000"}  # type: ignore[assignment]
    refused(await client.post("/api/archive", json=body), 404, "room_not_found")


async def test_categories_are_counted_renamed_and_merged(client: httpx.AsyncClient) -> None:
    await save(client, "one thing", category="개발/백엔드")
    await save(client, "another thing", category="개발/백엔드")
    await save(client, "a third thing", category="Ops")
    categories = (await client.get("/api/archive/categories")).json()
    assert categories == {
        "items": [{"name": "개발/백엔드", "count": 2}, {"name": "Ops", "count": 1}]
    }

    renamed = await client.patch("/api/archive/categories/개발%2F백엔드", json={"name": "Backend"})
    assert renamed.json() == {"name": "Backend", "count": 2}
    merged = await client.patch("/api/archive/categories/Ops", json={"name": "Backend"})
    assert merged.json() == {"name": "Backend", "count": 3}
    assert {item["category"] for item in await items(client)} == {"Backend"}
    assert len(await items(client, q="thing", category="Backend")) == 3

    missing = await client.patch("/api/archive/categories/Ops", json={"name": "x"})
    refused(missing, 404, "category_not_found")
    for name in ("", "x" * 200, "a\nb", 7):
        answer = await client.patch("/api/archive/categories/Backend", json={"name": name})
        assert refused(answer, 422, "invalid_field")["field"] == "name"
    assert {item["category"] for item in await items(client)} == {"Backend"}


@pytest.mark.parametrize("entry_id", ["entry_0", "..%2F..", "' OR 1=1", "x" * 101, "%00"])
async def test_ids_that_are_none(client: httpx.AsyncClient, entry_id: str) -> None:
    answer = await client.get(f"/api/archive/{entry_id}")
    assert answer.status_code in (404, 422)
    assert "error" in answer.json()


@pytest.mark.parametrize(
    "query",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "x"},
        {"cursor": "nonsense"},
        {"cursor": "W10", "q": "a"},
    ],
)
async def test_bad_pages(client: httpx.AsyncClient, query: dict[str, Any]) -> None:
    await save(client)
    refused(await client.get("/api/archive", params=query), 422, "invalid_field")


async def test_what_is_deleted_or_replaced_is_gone_from_the_disk(
    client: httpx.AsyncClient, settings: Settings
) -> None:
    await save(
        client, "A secret: Zanzibarian pineapple", summary="Qwertzian", category="Xylophonic"
    )
    kept = await save(client, "Another: Wolverhampton umbrella", summary="other")
    assert b"Zanzibarian" in on_disk(settings)
    for item in await items(client):
        if item["id"] != kept["id"]:
            await client.delete(f"/api/archive/{item['id']}")
    await client.patch(f"/api/archive/{kept['id']}", json={"content": "Nothing of it."})
    left = on_disk(settings).lower()
    for secret in (b"zanzibar", b"pineapple", b"qwertzian", b"xylophon", b"wolverhampton"):
        assert secret not in left


def on_disk(settings: Settings) -> bytes:
    return b"".join(path.read_bytes() for path in settings.data.rglob("*") if path.is_file())


async def test_a_category_is_found_by_what_was_sent(client: httpx.AsyncClient) -> None:
    sent = unicodedata.normalize("NFD", "카페") + "  été"
    body = {"content": "레디스 만료는 3600초다.", "summary": "만료", "category": sent}
    saved = (await client.post("/api/archive", json=body)).json()
    assert saved["category"] == unicodedata.normalize("NFC", "카페 été")
    for query in ({"category": sent}, {"category": sent, "q": "레디스"}):
        found = (await client.get("/api/archive", params=query)).json()["items"]
        assert [one["id"] for one in found] == [saved["id"]], query
    renamed = await client.patch(f"/api/archive/categories/{quote(sent)}", json={"name": "Cafés"})
    assert renamed.json() == {"name": "Cafés", "count": 1}
