"""LangGraph Studio's server on our langgraph.json: each graph is driven over its API, offline."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.client import LangGraphClient

from tests.services.process import free_ports

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, "langgraph dev ended"
        assert time.monotonic() < deadline, "langgraph dev does not answer"
        try:
            if httpx.get(f"{url}/ok", timeout=5).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a `langgraph dev` on the repository's own langgraph.json."""
    home, port = tmp_path_factory.mktemp("studio"), free_ports(1)[0]
    url, binaries = f"http://127.0.0.1:{port}", Path(sys.executable).parent
    # It keeps its threads in the folder that it runs in, which must not be the repository.
    for name in ("langgraph.json", "server"):
        (home / name).symlink_to(ROOT / name)
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [binaries / "langgraph", "dev", "--no-browser", "--no-reload", f"--port={port}"],
            cwd=home,
            env={
                "PATH": f"{binaries}:/usr/bin:/bin",
                "HOME": str(home),
                "LANG": "C.UTF-8",
                "TOMATO_DATA": str(home / "data"),
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_for(url, process)
        yield url
    finally:
        # It starts workers of its own: the whole group goes.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
async def client(studio: str) -> AsyncIterator[LangGraphClient]:
    async with get_client(url=studio) as client:
        yield client


async def run(client: LangGraphClient, thread: str | None, graph: str, **more: Any) -> Any:
    return await client.runs.wait(thread, graph, **more)


async def a_thread(client: LangGraphClient) -> str:
    thread = await client.threads.create()
    return str(thread["thread_id"])


async def test_every_graph_is_served(client: LangGraphClient) -> None:
    found = await client.assistants.search()
    assert {one["graph_id"] for one in found} == {"chat", "archivist", "title", "summary"}


async def test_the_agent_remembers_from_turn_to_turn(client: LangGraphClient) -> None:
    thread = await a_thread(client)
    turns = ["기억해: 와이파이 비밀번호는 tomato2026", "와이파이 비밀번호 뭐였지?"]
    for question in turns:
        asked = {"messages": [{"role": "user", "content": question}]}
        state = await run(client, thread, "chat", input=asked)
    said = [message["content"] for message in state["messages"] if message["type"] == "human"]
    assert said == turns
    assert "tomato2026" in state["messages"][-1]["content"]
    assert [message["type"] for message in state["messages"]].count("tool") == 2
    stored = await client.threads.get_state(thread)
    for values in (state, stored["values"]):
        assert set(values) <= {"messages", "summary", "deletions"}


async def test_the_agent_streams_its_tokens(client: LangGraphClient) -> None:
    asked: dict[str, Any] = {"messages": [{"role": "user", "content": "what can you do?"}]}
    pieces = [
        part.data
        async for part in client.runs.stream(None, "chat", input=asked, stream_mode="custom")
        if part.event == "custom"
    ]
    assert len(pieces) > 3


async def test_the_archivist_stops_for_review_and_saves_the_edits(client: LangGraphClient) -> None:
    thread = await a_thread(client)
    content = "레디스 세션은 30분 후 만료되고 요청마다 갱신된다"
    state = await run(client, thread, "archivist", input={"content": content})
    (shown,) = [one["value"] for one in state["__interrupt__"]]
    assert 1 <= len(shown["summary"]) <= 30
    assert shown["category"]
    asked_again = await run(client, thread, "archivist", command={"resume": {"summary": "가" * 31}})
    (again,) = [one["value"] for one in asked_again["__interrupt__"]]
    assert "30" in again["problem"]
    edits = {"summary": "레디스 만료", "category": "개발"}
    saved = await run(client, thread, "archivist", command={"resume": edits})
    assert saved["outcome"] == "saved"
    assert {key: saved[key] for key in edits} == edits
    found = await run(
        client,
        await a_thread(client),
        "chat",
        input={"messages": [{"role": "user", "content": "레디스 만료 뭐라고 저장했지?"}]},
    )
    assert "30분" in found["messages"][-1]["content"]


async def test_a_conversation_gets_a_title_and_a_summary(client: LangGraphClient) -> None:
    conversation = [
        {"role": "user", "content": "When do we deploy? I say every Thursday."},
        {"role": "assistant", "content": "Noted: every Thursday."},
    ]
    titled = await run(client, None, "title", input={"conversation": conversation})
    assert 1 <= len(titled["title"]) <= 40
    folded = await run(client, None, "summary", input={"conversation": conversation})
    assert "Thursday" in folded["summary"]
