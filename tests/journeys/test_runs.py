"""Runs over real connections: left, followed, cancelled, and the end of the server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from server.app import create_app
from server.client import ServerSent, read_events
from server.resources import open_resources
from server.serving import Server, listen
from server.settings import Settings
from tests.services.gated_model import AFTER, BEFORE, GatedModel


@dataclass
class Served:
    """A server in this process, its gated model and its one room."""

    server: Server
    living: asyncio.Task[None]
    model: GatedModel
    client: httpx.AsyncClient
    room: str

    @asynccontextmanager
    async def asked(self) -> AsyncIterator[AsyncIterator[ServerSent]]:
        """The live events of a question."""
        path = f"/api/rooms/{self.room}/chat"
        async with self.client.stream("POST", path, json={"message": "순서대로?"}) as answer:
            assert answer.status_code == 200
            yield events_of(answer)

    async def started(self) -> str:
        """Ask, read up to the first token, and go away; the run's id."""
        async with self.asked() as events:
            run = await anext(events)
            assert (await anext(events)).name == "token"
        return str(run.data["run_id"])

    async def follow(self, run: str, after: int = 0) -> list[ServerSent]:
        answer = await self.client.get(f"/api/runs/{run}/events", params={"after": after})
        return list(read_events(answer.text.split("\n")))

    async def contents(self) -> list[tuple[str, str, str]]:
        answer = await self.client.get(f"/api/rooms/{self.room}/messages")
        return [(m["role"], m["content"], m["status"]) for m in answer.json()["items"][::-1]]


async def events_of(answer: httpx.Response) -> AsyncIterator[ServerSent]:
    lines: list[str] = []
    async for line in answer.aiter_lines():
        lines.append(line)
        if not line:
            for event in read_events(lines):
                yield event
            lines = []


@pytest.fixture
async def served(settings: Settings) -> AsyncIterator[Served]:
    model, listening = GatedModel(), asyncio.Event()
    listener = listen("127.0.0.1", 0)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with open_resources(settings, model) as resources:
        server = Server(create_app(settings, resources), listening.set)
        living = asyncio.create_task(server.live(listener))
        await listening.wait()
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            room = (await client.post("/api/rooms", json={"title": "runs"})).json()["id"]
            yield Served(server, living, model, client, room)
            model.go_on()
        server.stop()
        await living


async def test_a_client_that_goes_away_does_not_stop_its_run(served: Served) -> None:
    run = await served.started()
    served.model.go_on()
    events = await served.follow(run)
    assert events[-1].data == {"run_id": run, "status": "complete"}
    assert await served.contents() == [
        ("user", "순서대로?", "complete"),
        ("assistant", BEFORE + AFTER, "complete"),
    ]
    assert served.model.cut == 0


async def test_readers_that_come_later_get_the_same_events(served: Served) -> None:
    run = await served.started()
    readers = [asyncio.create_task(served.follow(run, after)) for after in (0, 1, 2, 0)]
    served.model.go_on()
    whole, *others = await asyncio.gather(*readers)
    assert [event.id for event in whole] == list(range(1, len(whole) + 1))
    assert others == [whole[1:], whole[2:], whole]


async def test_a_cancelled_run_keeps_what_it_said_and_frees_the_room(served: Served) -> None:
    async with served.asked() as events:
        run = (await anext(events)).data["run_id"]
        await anext(events)
        assert (await served.client.post(f"/api/runs/{run}/cancel")).status_code == 202
        rest = [event async for event in events]
    assert [event.name for event in rest] == ["notice", "message", "done"]
    assert rest[0].data["kind"] == "cancelled"
    assert (rest[1].data["content"].strip(), rest[1].data["status"]) == (BEFORE.strip(), "stopped")
    assert rest[2].data["status"] == "stopped"
    assert served.model.cut == 1

    served.model.go_on()
    async with served.asked() as events:
        again = [event.name async for event in events]
    assert again[-1] == "done"


async def test_while_a_turn_runs_the_room_takes_no_other_and_no_deletion(served: Served) -> None:
    run = await served.started()
    path = f"/api/rooms/{served.room}"
    key = (await served.client.get(f"{path}/messages")).json()["items"][0]["key"]
    refused = [
        await served.client.post(f"{path}/chat", json={"message": "둘"}),
        await served.client.request("DELETE", f"{path}/messages", json={"keys": [key]}),
        await served.client.delete(path),
    ]
    for answer in refused:
        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "room_busy"
        assert answer.json()["error"]["details"] == {"run_id": run}
    served.model.go_on()
    await served.follow(run)
    assert (await served.client.delete(path)).status_code == 204


async def test_a_server_that_stops_lets_its_runs_end_and_their_streams_with_them(
    served: Served,
) -> None:
    async with served.asked() as events:
        await anext(events)
        await anext(events)
        served.server.stop()
        served.model.go_on()
        names = [event.name async for event in events]
    assert names[-1] == "done"
    await served.living
