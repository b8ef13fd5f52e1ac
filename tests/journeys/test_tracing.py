"""Traces as collectors receive them: switched on by the standard variables, ids only."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.services.collector import Collector
from tests.services.openai_server import Call, OpenAIServer, Reply
from tests.services.tomato_server import TomatoServer

WORDS = "와이파이 비밀번호는 tomato2026"
NAME, QUERY = "비밀 파일-tomato2027.txt", "찾는 말 tomato2028"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector.running() as server:
        yield server


async def talk(server: TomatoServer) -> str:
    """A turn and some requests that bear content in their addresses; the room."""
    async with httpx.AsyncClient(base_url=server.address, timeout=30) as client:
        room: str = (await client.post("/api/rooms")).json()["id"]
        body = {"message": f"기억해: {WORDS}"}
        above = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
        streamed = await client.post(f"/api/rooms/{room}/chat", json=body, headers=above)
        assert "event: done" in streamed.text
        await client.get("/api/archive", params={"q": QUERY})
        await client.get(f"/api/archive/entry_1/files/{NAME}")
        await client.get(f"/made/up/{NAME}")
        await client.request("MADE-UP", f"/api/archive?q={QUERY}")
        await client.get("/healthz")
    await server.stop()
    return room


@pytest.mark.parametrize("variable", ["ENDPOINT", "TRACES_ENDPOINT"])
async def test_a_turn_is_traced_by_opentelemetry(
    tmp_path: Path, collector: Collector, openai_server: OpenAIServer, variable: str
) -> None:
    saving = {"content": WORDS, "label": "라벨", "category": "일"}
    openai_server.reply(
        Reply(tool_calls=[Call(name="archive_save", arguments=saving), Call(name=WORDS)]),
        Reply(text=WORDS),
    )
    server = TomatoServer(
        tmp_path,
        {
            f"OTEL_EXPORTER_OTLP_{variable}": collector.address,
            "OTEL_SERVICE_NAME": "our-tomato",
            "OPENAI_API_KEY": "sk-operators-key",
            "OPENAI_BASE_URL": openai_server.base_url,
        },
    )
    await server.start()
    room = await talk(server)
    spans = await asyncio.to_thread(lambda: collector.spans)
    named = {span.name: span for span in spans}
    chat, run = named["POST /api/rooms/{room_id}/chat"], named["run"]
    assert (chat.trace_id.hex(), chat.parent_span_id.hex()) == (TRACE, SPAN)
    assert (run.trace_id, run.parent_span_id) == (chat.trace_id, chat.span_id)
    for name in ("tool archive_save", "tool unknown"):
        assert named[name].parent_span_id == run.span_id
    attributes = {one.key: one.value.string_value for one in run.attributes}
    assert attributes["tomato.status"] == "complete"
    assert attributes["tomato.room_id"] == room
    assert not any("healthz" in name for name in named)
    assert {"GET none", "GET /api/archive"} <= named.keys()
    (service,) = {
        one.value.string_value
        for resource in collector.resources
        for one in resource.resource.attributes
        if one.key == "service.name"
    }
    assert service == "our-tomato"
    told = b"".join(collector.bodies)
    for secret in ("tomato20", "와이파이", "비밀", "sk-operators-key", "라벨"):
        assert secret.encode() not in told


async def test_langsmith_is_told_of_a_turn_by_its_own_variables(
    tmp_path: Path, collector: Collector
) -> None:
    server = TomatoServer(
        tmp_path,
        {
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_ENDPOINT": collector.address,
            "LANGSMITH_API_KEY": "ls-operators-key",
        },
    )
    await server.start()
    await talk(server)
    told = b"".join(collector.bodies).decode(errors="replace")
    assert any(path.startswith("/runs") for path in collector.paths)
    assert '"run_type":"llm"' in told.replace(" ", "")


async def test_without_its_switch_langsmith_is_told_nothing(
    tmp_path: Path, collector: Collector
) -> None:
    settings = {"LANGSMITH_ENDPOINT": collector.address, "LANGSMITH_API_KEY": "ls-operators-key"}
    server = TomatoServer(tmp_path, settings)
    await server.start()
    await talk(server)
    assert collector.paths == []
