"""A real process that is told to end: what it answers and what waits in line ends as stopped."""

import asyncio
from pathlib import Path

import httpx
import pytest

from server.client import read_events
from tests.services.openai_server import OpenAIServer, Reply
from tests.services.tomato_server import TomatoServer

ANSWER = "토마토는 붉고 둥글다. Tomatoes are red and round. "


@pytest.mark.parametrize("on", ["sqlite", "servers"])
async def test_past_the_grace_time_what_runs_and_what_waits_ends_as_stopped(
    on: str, request: pytest.FixtureRequest, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = lambda _: Reply(text=ANSWER, hold_at=8)
    urls = {} if on == "sqlite" else {"MONGODB_URL": "mongo_url", "REDIS_URL": "redis_url"}
    settings = {
        **{name: request.getfixturevalue(fixture) for name, fixture in urls.items()},
        "TOMATO_MODEL": "openai:test",
        "TOMATO_RUNS_PER_USER": "1",
        "TOMATO_RUNS_QUEUE": "1",
        "TOMATO_GRACE_SECONDS": "0",
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": openai_server.base_url,
    }
    server = TomatoServer(tmp_path, settings)
    await server.start()
    async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
        rooms = [
            f"/api/rooms/{(await client.post('/api/rooms', json={})).json()['id']}" for _ in "12"
        ]
        answers = [asyncio.create_task(asked(client, rooms[0]))]
        await openai_server.held()
        waiting = asyncio.Event()
        answers.append(asyncio.create_task(asked(client, rooms[1], waiting)))
        await waiting.wait()
        assert await server.stop() == 0
        spoken, queued = [await answer for answer in answers]
    assert spoken[-3:] == ["cancelled", "stopped", "stopped"]
    assert queued == ["run", "queued", "cancelled", "stopped"]
    assert openai_server.disconnects == 1
    assert len(openai_server.requests) == 1

    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
            said = [(await client.get(f"{room}/messages")).json()["items"] for room in rooms]
            assert [one["status"] for one in said[0]] == ["stopped", "complete"]
            assert ANSWER.startswith(said[0][0]["content"])
            assert [one["role"] for one in said[1]] == ["user"]
    finally:
        await server.kill()


async def asked(
    client: httpx.AsyncClient, room: str, waiting: asyncio.Event | None = None
) -> list[str]:
    """The events of a question: the kind or the status of each that has one, else its name."""
    lines: list[str] = []
    body = {"message": "안녕?"}
    async with client.stream("POST", f"{room}/chat", json=body) as answer:
        async for line in answer.aiter_lines():
            lines.append(line)
            if waiting is not None and "queued" in line:
                waiting.set()
    return [
        event.data.get("kind", event.data.get("status", event.name)) for event in read_events(lines)
    ]
