"""The agent behind OpenAI's interface, asked by OpenAI's own client."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import openai
import pytest
from openai import AsyncOpenAI

import server.openai_routes
from memory.times import now
from server.resources import open_resources
from server.settings import Settings
from tests.services.tomato_server import TomatoServer

SAVE = "기억해: 회의실 와이파이 비밀번호는 tomato2026 이다"


@pytest.fixture
async def sid(live_server: TomatoServer) -> str:
    """The session of somebody who has just signed up and in."""
    person = {"username": "김민지", "password": "correct horse battery"}
    async with httpx.AsyncClient(base_url=live_server.address) as client:
        assert (await client.post("/api/auth/register", json=person)).status_code == 201
        return str((await client.post("/api/auth/login", json=person)).json()["sid"])


@pytest.fixture
async def rest(live_server: TomatoServer, sid: str) -> AsyncIterator[httpx.AsyncClient]:
    """The same person over REST."""
    headers = {"Authorization": f"Bearer {sid}"}
    async with httpx.AsyncClient(base_url=live_server.address, headers=headers) as client:
        yield client


@pytest.fixture
async def agent(live_server: TomatoServer, sid: str) -> AsyncIterator[AsyncOpenAI]:
    """OpenAI's client of a real server, with the sid as its key."""
    base_url = f"{live_server.address}/v1"
    async with AsyncOpenAI(base_url=base_url, api_key=sid, max_retries=0) as client:
        yield client


async def test_the_real_client_asks_streams_and_goes_on_in_a_room(
    agent: AsyncOpenAI, rest: httpx.AsyncClient
) -> None:
    assert [model.id async for model in agent.models.list()] == ["tomato"]

    # Tools are used, and nothing of it is seen.
    raw = await agent.chat.completions.with_raw_response.create(
        model="tomato", messages=[{"role": "user", "content": SAVE}]
    )
    answer = raw.parse()
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content
    assert answer.choices[0].message.tool_calls is None
    assert answer.usage is not None
    room = raw.headers["x-room-id"]

    stream = await agent.chat.completions.create(
        model="tomato",
        messages=[{"role": "user", "content": "와이파이 비밀번호 뭐였지?"}],
        stream=True,
        stream_options={"include_usage": True},
        extra_headers={"X-Room-ID": room},
    )
    chunks = [chunk async for chunk in stream]
    assert "tomato2026" in "".join(
        choice.delta.content or "" for chunk in chunks for choice in chunk.choices
    )
    assert not any(choice.delta.tool_calls for chunk in chunks for choice in chunk.choices)
    assert [c.finish_reason for chunk in chunks for c in chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None

    said = (await rest.get(f"/api/rooms/{room}/messages")).json()["items"]
    asked = [one["content"] for one in said if one["role"] == "user"]
    assert asked == ["와이파이 비밀번호 뭐였지?", SAVE]
    assert (await rest.get("/api/rooms")).json()["items"] == []


async def test_errors_are_those_that_the_client_knows(agent: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="one model"):
        await agent.chat.completions.create(
            model="gpt-none", messages=[{"role": "user", "content": "hi"}]
        )
    with pytest.raises(openai.NotFoundError) as absent:
        await agent.chat.completions.create(
            model="tomato",
            messages=[{"role": "user", "content": "hi"}],
            extra_headers={"X-Room-ID": "room_none"},
        )
    assert absent.value.code == "room_not_found"
    with pytest.raises(openai.UnprocessableEntityError):
        await agent.chat.completions.create(
            model="tomato", messages=[{"role": "assistant", "content": "hi"}]
        )
    with pytest.raises(openai.AuthenticationError):
        await agent.with_options(api_key="no").models.list()


async def test_without_a_room_what_was_said_before_comes_along(
    agent: AsyncOpenAI, rest: httpx.AsyncClient
) -> None:
    raw = await agent.chat.completions.with_raw_response.create(
        model="tomato",
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "My dog is called Bori."},
            {"role": "assistant", "content": "Nice."},
            {"role": "user", "content": [{"type": "text", "text": "What is he called?"}]},
        ],
    )
    room = raw.headers["x-room-id"]
    said = (await rest.get(f"/api/rooms/{room}/messages")).json()["items"]
    question = next(one["content"] for one in said if one["role"] == "user")
    assert "Bori" in question
    assert "system: Be brief." in question
    assert question.endswith("What is he called?")


async def test_rooms_of_single_calls_go_after_their_day(tmp_path: Path) -> None:
    async with open_resources(Settings(data=tmp_path / "data")) as resources:
        old = await resources.rooms.create("나", "API", listed=False)
        listed = await resources.rooms.create("나", "둔다")
        later = now() + server.openai_routes.UNLISTED_FOR + timedelta(minutes=1)
        assert [room.id for room in await resources.rooms.unlisted("나", before=later)] == [old.id]
        assert await resources.rooms.unlisted("남", before=later) == []
        assert await resources.rooms.unlisted("나", before=now() - timedelta(hours=1)) == []
        assert (await resources.rooms.get("나", listed.id)).id == listed.id
