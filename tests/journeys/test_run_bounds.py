"""What is over the bounds is refused with words and a time, and nothing of it is stored."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx
import pytest

from server.app import create_app
from server.client import read_events
from server.resources import open_resources
from server.settings import Settings
from tests.services.gated_model import GatedModel

Asked = tuple[httpx.AsyncClient, GatedModel]


@pytest.fixture(params=[{}])
async def gated(request: pytest.FixtureRequest, settings: Settings) -> AsyncIterator[Asked]:
    model = GatedModel()
    bounded = settings.model_copy(update={"runs_per_user": 2, **request.param})
    async with open_resources(bounded, model) as resources:
        app = create_app(bounded, resources)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            yield client, model
            model.go_on()


async def test_more_runs_than_a_user_may_have_are_refused(gated: Asked) -> None:
    client, model = gated

    async def ask(room: str, key: str = "") -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        body = {"message": "안녕?", "stream": False}
        return await client.post(f"/api/rooms/{room}/chat", json=body, headers=headers)

    rooms = [(await client.post("/api/rooms", json={})).json()["id"] for _ in range(8)]
    asking = [asyncio.create_task(ask(room, key="한번".encode().hex())) for room in rooms]
    while sum(one.done() for one in asking) < 6:
        pending = [one for one in asking if not one.done()]
        await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
    refused = [one.result() for one in asking if one.done()]
    assert {answer.status_code for answer in refused} == {429}
    assert {answer.json()["error"]["code"] for answer in refused} == {"too_many_runs"}
    assert all(int(answer.headers["retry-after"]) > 0 for answer in refused)
    running = [room for room, one in zip(rooms, asking, strict=True) if not one.done()]
    # The same key is the same run, whatever else runs.
    again = asyncio.create_task(ask(running[0], key="한번".encode().hex()))
    model.go_on()
    answers = [await one for one in asking]
    assert (await again).json()["run_id"] in {
        answer.json()["run_id"] for answer in answers if answer.status_code == 200
    }
    for room in set(rooms) - set(running):
        assert (await client.get(f"/api/rooms/{room}/messages")).json()["items"] == []
        assert (await ask(room)).status_code == 200


with_a_queue = pytest.mark.parametrize(
    "gated", [{"runs_per_user": 1, "runs_queue": 2}], indirect=True
)


@dataclass
class Asking:
    """A question in a room of its own."""

    room: str
    answer: asyncio.Task[httpx.Response]


async def ask(client: httpx.AsyncClient, message: str = "안녕?") -> Asking:
    """Ask; the question is stored, or was refused, when this is back."""
    room = f"/api/rooms/{(await client.post('/api/rooms', json={})).json()['id']}"
    asking = asyncio.create_task(client.post(f"{room}/chat", json={"message": message}))
    while not asking.done() and not (await client.get(room)).json()["message_count"]:
        pass
    return Asking(room, asking)


@with_a_queue
async def test_what_is_over_the_bound_waits_for_its_place(gated: Asked) -> None:
    client, model = gated
    first, korean, english = [await ask(client, words) for words in ("하나", "둘", "three")]
    refused = await (await ask(client)).answer
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_runs")
    model.go_on()
    assert "queued" not in (await first.answer).text
    for asking, words in ((korean, "앞선 답변이"), (english, "Others are being answered")):
        told = (await asking.answer).text
        names = [event.name for event in read_events(told.split("\n"))]
        assert names[:3] == ["run", "notice", "token"]
        assert (names.count("notice"), names[-2:]) == (1, ["message", "done"])
        assert words in told
    assert "queued" not in (await (await ask(client)).answer).text


@with_a_queue
async def test_who_has_waited_is_answered_from_what_is_there_by_then(gated: Asked) -> None:
    client, model = gated
    first, waiting = await ask(client), await ask(client, "둘")
    entry = {"content": "토마토", "summary": "나중에 온 표지", "category": "밭"}
    assert (await client.post("/api/archive", json=entry)).status_code == 201
    model.go_on()
    await first.answer
    await waiting.answer
    prompts = [str(asked[0].text) for asked in model.asked if asked[-1].text in ("안녕?", "둘")]
    assert [entry["summary"] in prompt for prompt in prompts] == [False, True]


@with_a_queue
async def test_a_run_that_waits_is_cancelled_without_an_answer(gated: Asked) -> None:
    client, model = gated
    first, waiting = await ask(client), await ask(client, "둘")
    busy = await client.delete(waiting.room)
    run = busy.json()["error"]["details"]["run_id"]
    assert (await client.post(f"/api/runs/{run}/cancel")).status_code == 202
    events = read_events((await waiting.answer).text.split("\n"))
    kinds = [event.data.get("kind", event.data.get("status", event.name)) for event in events]
    assert kinds == ["run", "queued", "cancelled", "stopped"]
    assert not first.answer.done()
    model.go_on()
    assert (await first.answer).status_code == 200
    said = (await client.get(f"{waiting.room}/messages")).json()["items"]
    assert [one["role"] for one in said] == ["user"]
    assert (await client.delete(waiting.room)).status_code == 204
