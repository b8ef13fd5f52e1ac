"""The agent behind OpenAI's interface, asked by OpenAI's own client."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

import server.asking
from memory.times import now
from server.resources import open_resources
from server.settings import Settings
from tests.services.openai_server import OpenAIServer, Reply
from tests.services.tomato_server import TomatoServer

PATIENCE_SECONDS = 30
SAVE = "기억해: 회의실 와이파이 비밀번호는 tomato2026 이다"

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "안녕?"}]


async def signed_in(address: str) -> str:
    """The session of somebody who has just signed up and in."""
    person = {"username": "김민지", "password": "correct horse battery"}
    async with httpx.AsyncClient(base_url=address, timeout=PATIENCE_SECONDS) as client:
        assert (await client.post("/api/auth/register", json=person)).status_code == 201
        return str((await client.post("/api/auth/login", json=person)).json()["sid"])


@pytest.fixture
async def sid(live_server: TomatoServer) -> str:
    return await signed_in(live_server.address)


@pytest.fixture
async def rest(live_server: TomatoServer, sid: str) -> AsyncIterator[httpx.AsyncClient]:
    """The same person over REST."""
    headers = {"Authorization": f"Bearer {sid}"}
    async with httpx.AsyncClient(
        base_url=live_server.address, headers=headers, timeout=PATIENCE_SECONDS
    ) as client:
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


async def test_a_key_runs_once_without_a_room(client: httpx.AsyncClient) -> None:
    async def ask(words: str, key: str = "k1", **more: object) -> httpx.Response:
        said = {"role": "user", "content": words}
        body = {"model": "tomato", "messages": [said], **more}
        headers = {"Idempotency-Key": key}
        return await client.post("/v1/chat/completions", json=body, headers=headers)

    first, second = await asyncio.gather(ask(SAVE), ask(SAVE))
    assert first.status_code == second.status_code == 200
    other = await ask("안녕?")
    assert (other.status_code, other.json()["error"]["code"]) == (409, "idempotency_mismatch")
    third, stream = await ask(SAVE), await ask(SAVE, stream=True)
    assert first.json()["choices"] == second.json()["choices"] == third.json()["choices"]
    for again in (second, third, stream):
        assert again.headers["x-room-id"] == first.headers["x-room-id"]
    assert first.json()["id"] == second.json()["id"] == third.json()["id"]
    assert first.json()["id"] in stream.text
    apart = await ask(SAVE, key="k2")
    assert apart.headers["x-room-id"] != first.headers["x-room-id"]
    items = (await client.get(f"/api/rooms/{first.headers['x-room-id']}/messages")).json()["items"]
    assert [one["content"] for one in items if one["role"] == "user"] == [SAVE]


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (5, "messages.0.content"),
        ([{"type": "text"}], "messages.0.content.0.text"),
        ("\0", "messages.0.content"),
    ],
)
async def test_a_bad_content_is_named(
    client: httpx.AsyncClient, content: object, field: str
) -> None:
    body = {"model": "tomato", "messages": [{"role": "user", "content": content}]}
    answer = await client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 422
    assert field in {one["field"] for one in answer.json()["error"]["details"]["errors"]}
    assert "[" not in answer.json()["error"]["details"]["field"]


async def streamed(
    client: AsyncOpenAI, room: dict[str, str]
) -> openai.AsyncStream[ChatCompletionChunk]:
    """The stream of a question in a room."""
    return await client.chat.completions.create(
        model="tomato", messages=QUESTION, stream=True, extra_headers=room
    )


async def test_what_goes_wrong_on_the_way_reaches_the_client(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    """A busy room, too many runs, and a model that breaks off; the room goes on after each."""
    openai_server.script = lambda _: Reply(text="토마토는 붉다. " * 4, hold_at=4)
    settings = {
        "TOMATO_MODEL": "openai:test",
        "TOMATO_RUNS_PER_USER": "2",
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": openai_server.base_url,
    }
    server = TomatoServer(tmp_path, settings)
    await server.start()
    try:
        key = await signed_in(server.address)
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            httpx.AsyncClient(
                base_url=server.address, headers=headers, timeout=PATIENCE_SECONDS
            ) as rest,
            AsyncOpenAI(base_url=f"{server.address}/v1", api_key=key, max_retries=0) as client,
        ):
            rooms = [(await rest.post("/api/rooms", json={})).json()["id"] for _ in range(3)]
            busy, other, third = [{"X-Room-ID": room} for room in rooms]
            asked = client.chat.completions
            streams = [await streamed(client, busy)]
            await openai_server.held()
            with pytest.raises(openai.ConflictError) as conflict:
                await asked.create(model="tomato", messages=QUESTION, extra_headers=busy)
            assert conflict.value.code == "room_busy"
            streams.append(await streamed(client, other))
            await openai_server.held(2)
            with pytest.raises(openai.RateLimitError) as many:
                await asked.create(model="tomato", messages=QUESTION, extra_headers=third)
            assert many.value.code == "too_many_runs"
            openai_server.release()
            for stream in streams:
                assert "".join([c.choices[0].delta.content or "" async for c in stream]).strip()

            openai_server.script = lambda _: Reply(text="토마토는 붉다. " * 4, cut_after=4)
            broken = await streamed(client, busy)
            with pytest.raises(openai.APIError) as told:
                [chunk async for chunk in broken]
            assert told.value.code
            with pytest.raises(openai.InternalServerError) as away:
                await asked.create(model="tomato", messages=QUESTION, extra_headers=busy)
            assert (away.value.status_code, away.value.code) == (503, told.value.code)
            openai_server.script = lambda _: Reply(text="그래.")
            answer = await asked.create(model="tomato", messages=QUESTION, extra_headers=busy)
            assert answer.choices[0].message.content == "그래."
    finally:
        await server.kill()


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
        later = now() + server.asking.UNLISTED_FOR + timedelta(minutes=1)
        assert [room.id for room in await resources.rooms.unlisted("나", before=later)] == [old.id]
        assert await resources.rooms.unlisted("남", before=later) == []
        assert await resources.rooms.unlisted("나", before=now() - timedelta(hours=1)) == []
        assert (await resources.rooms.get("나", listed.id)).id == listed.id
