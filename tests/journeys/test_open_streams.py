"""Many streams that wait in one process: what each takes of it, and that all go on to their end."""

from pathlib import Path

import pytest

from tests.benchmarks.streams import client_of, end, new_rooms, one_by_one, open_all
from tests.services.openai_server import OpenAIServer, Reply
from tests.services.tomato_server import TomatoServer

STREAMS = 200
MOST_BYTES = 100_000


@pytest.mark.parametrize("on", ["sqlite", "servers"])
async def test_an_open_stream_with_its_run_takes_less_than_100_kilobytes(
    on: str, request: pytest.FixtureRequest, openai_server: OpenAIServer, tmp_path: Path
) -> None:
    openai_server.script = lambda _: Reply(text="토마토는 붉다. " * 4, hold_at=4)
    urls = {} if on == "sqlite" else {"MONGODB_URL": "mongo_url", "REDIS_URL": "redis_url"}
    settings = {
        **{name: request.getfixturevalue(fixture) for name, fixture in urls.items()},
        "TOMATO_MODEL": "openai:test",
        "TOMATO_RATE_LIMITS": "off",
        "TOMATO_RUNS_PER_USER": str(STREAMS),
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": openai_server.base_url,
    }
    server = TomatoServer(tmp_path, settings)
    await server.start()
    try:
        async with client_of(server) as client:
            rooms = await new_rooms(client, STREAMS)
            await one_by_one(client, openai_server, rooms[:10])  # what is loaded at the first
            streams, bytes_each = await open_all(server, client, rooms)
            assert bytes_each < MOST_BYTES
            await end(openai_server, streams)
            said = await client.get(f"/api/rooms/{rooms[-1]}/messages")
            assert [one["status"] for one in said.json()["items"]] == ["complete", "complete"]
    finally:
        await server.kill()
