"""What is over the bounds is refused with words and a time, and nothing of it is stored."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from server.app import create_app
from server.resources import open_resources
from server.settings import Settings
from tests.services.gated_model import GatedModel


@pytest.fixture
async def gated(settings: Settings) -> AsyncIterator[tuple[httpx.AsyncClient, GatedModel]]:
    model = GatedModel()
    bounded = settings.model_copy(update={"runs_per_user": 2})
    async with open_resources(bounded, model) as resources:
        app = create_app(bounded, resources)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            yield client, model
            model.go_on()


async def test_more_runs_than_a_user_may_have_are_refused(
    gated: tuple[httpx.AsyncClient, GatedModel],
) -> None:
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
