"""Two server processes over one MongoDB and one Redis: a run of one is the other's too."""

import asyncio
import json
import random
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.openai_server import Call, OpenAIServer, Reply
from tests.services.tomato_server import TomatoServer

PATIENCE_SECONDS = 30
FREE_SECONDS = 15
ANSWER = "토마토는 붉고 둥글다. Tomatoes are red and round. " * 4

pytestmark = pytest.mark.timeout(150)


@dataclass
class Pair:
    """Two processes, a client of each, and the model that both ask."""

    servers: tuple[TomatoServer, TomatoServer]
    model: OpenAIServer
    clients: list[httpx.AsyncClient] = field(default_factory=list)

    async def room(self) -> str:
        answer = await self.clients[1].post("/api/rooms", json={"title": "둘"})
        return str(answer.json()["id"])

    async def begin(self, at: int, room: str, message: str = "안녕?") -> str:
        """Ask, and go away at the first event; the run's id."""
        body = {"message": message}
        async with self.clients[at].stream("POST", f"/api/rooms/{room}/chat", json=body) as answer:
            assert answer.status_code == 200, await answer.aread()
            async for line in answer.aiter_lines():
                if line.startswith("data: "):
                    return line.split('"run_id":"')[1].split('"')[0]
        raise AssertionError("no event came")

    async def whole(self, at: int, run: str) -> str:
        answer = await self.clients[at].get(f"/api/runs/{run}/events")
        assert answer.status_code == 200, answer.text
        return answer.text

    async def restart(self, at: int) -> None:
        await self.servers[at].start()
        await self.clients[at].aclose()
        self.clients[at] = _client(self.servers[at])


def _client(server: TomatoServer) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=None)
    return httpx.AsyncClient(base_url=server.address, timeout=PATIENCE_SECONDS, limits=limits)


@pytest.fixture(params=["redis", "mongo"])
def shared(request: pytest.FixtureRequest, mongo_url: str) -> dict[str, str]:
    """Where the two meet: MongoDB, with Redis or alone."""
    if request.param == "mongo":
        return {"MONGODB_URL": mongo_url}
    return {"MONGODB_URL": mongo_url, "REDIS_URL": request.getfixturevalue("redis_url")}


@pytest.fixture
async def pair(
    shared: dict[str, str], openai_server: OpenAIServer, tmp_path: Path
) -> AsyncIterator[Pair]:
    homes = [tmp_path / name for name in ("a", "b")]
    for home in homes:
        home.mkdir()
    settings = {
        **shared,
        "TOMATO_MODEL": "openai:test",
        "TOMATO_RATE_LIMITS": "off",
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": openai_server.base_url,
    }
    one, other = (TomatoServer(home, settings) for home in homes)
    openai_server.script = lambda _: Reply(text=ANSWER)
    pair = Pair((one, other), openai_server)
    async with AsyncExitStack() as stack:
        for server in pair.servers:
            await server.start()
            stack.push_async_callback(server.kill)
            pair.clients.append(_client(server))
        yield pair
        for client in pair.clients:
            await client.aclose()


only_redis = pytest.mark.parametrize("shared", ["redis"], indirect=True)


async def cut_at_random(pair: Pair, at: int, run: str, chance: random.Random) -> tuple[str, int]:
    """A run's stream, read at both processes by turns over connections that are cut at random
    bytes; and how often they were.
    """
    joined, last, cuts = b"", 0, 0
    while b"event: done" not in joined:
        client = pair.clients[at]
        headers = {"Last-Event-ID": str(last)}
        # Now and then enough for the largest event, the whole answer.
        budget, piece = 4000 if chance.random() < 0.1 else chance.randrange(1, 250), b""
        async with client.stream("GET", f"/api/runs/{run}/events", headers=headers) as answer:
            async for data in answer.aiter_bytes():
                piece += data[: budget - len(piece)]
                if len(piece) >= budget:
                    cuts += 1
                    break
        kept = piece[: piece.rfind(b"\n\n") + 2] if b"\n\n" in piece else b""
        joined += kept
        ids = [line for line in kept.split(b"\n") if line.startswith(b"id: ")]
        last = int(ids[-1][4:]) if ids else last
        at = 1 - at
    return joined.decode(), cuts


@only_redis
async def test_a_stream_that_is_cut_at_200_points_is_the_uncut_one(pair: Pair) -> None:
    """By many readers while it is live, and again once it has ended."""
    pair.model.script = lambda _: Reply(text=ANSWER * 3, pause=0.02, hold_at=60)
    room = await pair.room()
    run = await pair.begin(0, room)
    uncut = [asyncio.create_task(pair.whole(at, run)) for at in (0, 1)]
    live = [
        asyncio.create_task(cut_at_random(pair, number % 2, run, random.Random(number)))
        for number in range(40)
    ]
    await pair.model.held()
    pair.model.release()
    whole, same = await asyncio.gather(*uncut)
    read = await asyncio.gather(*live)
    assert whole == same == await pair.whole(0, run)
    assert whole.count("event: token") > 10
    assert whole.count("event: done") == 1
    assert sum(cuts for _, cuts in read) >= 200
    late = [
        await cut_at_random(pair, number % 2, run, random.Random(number)) for number in range(60)
    ]
    assert sum(cuts for _, cuts in late) >= 200
    assert {joined for joined, _ in (*read, *late)} == {whole}


async def test_who_does_not_read_slows_nobody(pair: Pair) -> None:
    """A client takes nothing of a long answer while others have read it to its end."""
    long = "토마토는 붉고 둥글다. " * 8_000
    pair.model.script = lambda _: Reply(
        text=long, chunks=[long[at : at + 200] for at in range(0, len(long), 200)]
    )
    room = await pair.room()
    run = await pair.begin(0, room)
    stalled = [await _stalled(server, run) for server in pair.servers]
    for at in (0, 1):
        events = await pair.whole(at, run)
        assert events.endswith('"status":"complete"}\n\n'), events[-500:]
    pair.model.script = lambda _: Reply(text=ANSWER)
    assert (await _ask(pair.clients[1], room)).status_code == 200
    for reader, writer in stalled:
        read = b""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not read.endswith(b"0\r\n\r\n"):
                read += await reader.read(2**16)
        assert read.count(b"event: done") == 1
        writer.close()


async def _stalled(
    server: TomatoServer, run: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection that has asked for a run's events and reads no more than its first bytes."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.connect(("127.0.0.1", httpx.URL(server.address).port or 0))
    reader, writer = await asyncio.open_connection(sock=connection, limit=4096)
    writer.write(f"GET /api/runs/{run}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def test_a_run_is_followed_and_cancelled_from_the_other_process(pair: Pair) -> None:
    # Each is heard of within the second that is promised, unless the machine stands still.
    assert min([await cancelled_after(pair, times) for times in (1, 2, 3)]) < 1


async def cancelled_after(pair: Pair, times: int) -> float:
    """Seconds until the model sees its connection closed, for the so many-th time."""
    pair.model.script = lambda _: Reply(text=ANSWER, hold_at=8)
    room = await pair.room()
    run = await pair.begin(0, room)
    following = asyncio.create_task(pair.whole(1, run))
    await pair.model.held(times)
    began = time.monotonic()
    assert (await pair.clients[1].post(f"/api/runs/{run}/cancel")).status_code == 202
    await pair.model.disconnected(times)
    seconds = time.monotonic() - began
    events = await following
    assert events.count('"status":"stopped"') == 2
    assert events.count("event: done") == 1
    said = (await pair.clients[1].get(f"/api/rooms/{room}/messages")).json()["items"]
    assert [one["status"] for one in said] == ["stopped", "complete"]
    pair.model.script = lambda _: Reply(text=ANSWER)
    assert (await _ask(pair.clients[1], room)).status_code == 200
    return seconds


async def test_a_run_cancelled_in_its_tool_keeps_the_call_with_a_result(pair: Pair) -> None:
    """The tool waits for a label from the model; the other process cancels the run meanwhile."""
    kept = {"content": "토마토는 칠월에 심는다"}

    def script(request: dict[str, Any]) -> Reply:
        drafting = "LabelDraft" in json.dumps(request)
        return (
            Reply(hang=True)
            if drafting
            else Reply(tool_calls=[Call(name="archive_save", arguments=kept)])
        )

    pair.model.script = script
    room = await pair.room()
    run = await pair.begin(0, room, "기억해: 토마토는 칠월에 심는다")
    following = asyncio.create_task(pair.whole(1, run))
    await pair.model.received(2)
    assert (await pair.clients[1].post(f"/api/runs/{run}/cancel")).status_code == 202
    await pair.model.disconnected()
    events = await following
    assert events.endswith('"status":"stopped"}\n\n'), events
    said = (await pair.clients[1].get(f"/api/rooms/{room}/messages")).json()["items"][::-1]
    assert [one["role"] for one in said] == ["user", "assistant", "tool"]
    assert said[2]["tool_call_id"] == said[1]["tool_calls"][0]["id"]
    assert (await pair.clients[0].get("/api/archive")).json()["items"] == []
    pair.model.script = lambda _: Reply(text=ANSWER)
    assert (await _ask(pair.clients[1], room)).status_code == 200
    asked = pair.model.requests[-1]["messages"]
    calls = [call["id"] for one in asked for call in one.get("tool_calls") or ()]
    assert calls == [one["tool_call_id"] for one in asked if one["role"] == "tool"]


async def _ask(
    client: httpx.AsyncClient, room: str, key: str | None = None, message: str = "안녕?"
) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    body = {"message": message, "stream": False}
    return await client.post(f"/api/rooms/{room}/chat", json=body, headers=headers)


async def test_a_hundred_posts_to_one_room_make_one_run(pair: Pair) -> None:
    room = await pair.room()
    pair.model.script = lambda _: Reply(text=ANSWER, hold_at=3)
    posts = [asyncio.create_task(_ask(pair.clients[n % 2], room)) for n in range(100)]
    await pair.model.held()
    while sum(post.done() for post in posts) < 99:
        await asyncio.wait(
            [post for post in posts if not post.done()], return_when="FIRST_COMPLETED"
        )
    pair.model.release()
    answers = [await post for post in posts]
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 99}
    run = next(answer.json()["run_id"] for answer in answers if answer.status_code == 200)
    errors = [answer.json()["error"] for answer in answers if answer.status_code == 409]
    assert {error["code"] for error in errors} == {"room_busy"}
    assert {error["details"]["run_id"] for error in errors} == {run}
    assert len(pair.model.requests) == 1


async def test_a_hundred_posts_with_one_key_have_one_answer(pair: Pair) -> None:
    room = await pair.room()
    answers = await asyncio.gather(
        *(_ask(pair.clients[number % 2], room, key="한번".encode().hex()) for number in range(100))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({(a.json()["run_id"], a.json()["message"]["content"]) for a in answers}) == 1
    assert len(pair.model.requests) == 1


async def test_a_room_is_titled_once_whatever_arrives_together(pair: Pair) -> None:
    """Twenty first questions to a room, at both processes; one room has a name of its person's."""
    asked: Counter[str] = Counter()
    thought = "<think>" + "이름을 붙여 보자. " * 30 + "</think>토마토 이야기"

    def script(request: dict[str, Any]) -> Reply:
        body = json.dumps(request, ensure_ascii=False)
        if "RoomTitle" not in body:
            return Reply(text=ANSWER)
        asked[body.split("방 번호 ")[1][0]] += 1
        return Reply(data={"title": thought}, pause=0.01)

    pair.model.script = script
    answers = [await pair.clients[0].post("/api/rooms", json={}) for _ in range(4)]
    rooms = [answer.json()["id"] for answer in answers]
    named = await pair.room()
    posts = [
        _ask(pair.clients[number % 2], room, message=f"방 번호 {at}: 토마토는 왜 붉어?")
        for number in range(20)
        for at, room in enumerate([*rooms, named])
    ]
    assert {answer.status_code for answer in await asyncio.gather(*posts)} == {200, 409}

    async def title(room: str) -> str | None:
        found: str | None = (await pair.clients[1].get(f"/api/rooms/{room}")).json()["title"]
        return found

    titles: list[str | None] = [None]
    async with asyncio.timeout(PATIENCE_SECONDS):
        while None in titles:
            await asyncio.sleep(0.05)
            titles = [await title(room) for room in rooms]
    # A second turn in each, at the other process, asks for none.
    for at, room in enumerate(rooms):
        await _ask(pair.clients[at % 2], room, message=f"방 번호 {at}: 그럼 언제 따?")
    assert asked == {str(at): 1 for at in range(len(rooms))}
    assert set(titles) == {"토마토 이야기"}
    assert await title(named) == "둘"


async def test_a_killed_worker_frees_its_rooms_and_ends_their_streams(pair: Pair) -> None:
    """Twenty-five runs of one worker are cut by one kill."""
    pair.model.script = lambda request: (
        Reply(text="그래.")
        if request["messages"][-1]["content"] == "이어서?"
        else Reply(text=ANSWER, hold_at=6)
    )
    rooms = [await pair.room() for _ in range(25)]
    runs = await asyncio.gather(*(pair.begin(0, room) for room in rooms))
    await pair.model.held(len(rooms))
    following = [asyncio.create_task(pair.whole(1, run)) for run in runs]
    await pair.servers[0].kill()
    killed = time.monotonic()
    streams = await asyncio.gather(*following)
    assert time.monotonic() - killed < FREE_SECONDS
    for run, events in zip(runs, streams, strict=True):
        assert events.endswith('"status":"failed"}\n\n'), events
        assert events.count("event: done") == 1
        assert f'"run_id":"{run}"' in events
    for room in rooms:
        assert (await _ask(pair.clients[1], room, message="이어서?")).status_code == 200
        said = (await pair.clients[1].get(f"/api/rooms/{room}/messages")).json()["items"]
        assert [one["status"] for one in said] == ["complete", "complete", "failed"]
    assert time.monotonic() - killed < 2 * FREE_SECONDS


async def test_a_worker_that_was_only_slow_writes_nothing_into_the_next_turn(pair: Pair) -> None:
    """It stands still past its lease, and goes on while the next turn of its room is answered."""
    pair.model.script = lambda request: Reply(
        text=("늦은 말. " if request["messages"][-1]["content"] == "느린?" else "다음 말. ") * 8,
        hold_at=6,
    )
    room = await pair.room()
    slow = await pair.begin(0, room, "느린?")
    await pair.model.held()
    worker = pair.servers[0].process
    assert worker is not None
    worker.send_signal(signal.SIGSTOP)
    try:
        pair.model.release()
        events = await pair.whole(1, slow)
        assert events.endswith('"status":"failed"}\n\n'), events
        following = await pair.begin(1, room, "다음?")
        await pair.model.held(2)
    finally:
        worker.send_signal(signal.SIGCONT)
    late = await pair.whole(0, slow)
    assert late.endswith('"status":"failed"}\n\n'), late
    assert (await pair.whole(1, slow)) == events
    pair.model.release()
    whole = await pair.whole(1, following)
    assert whole.endswith('"status":"complete"}\n\n'), whole
    assert "늦은" not in whole
    said = (await pair.clients[0].get(f"/api/rooms/{room}/messages")).json()["items"][::-1]
    assert [(one["content"].strip(), one["status"]) for one in said] == [
        ("느린?", "failed"),
        ("다음?", "complete"),
        (("다음 말. " * 8).strip(), "complete"),
    ]
    pair.model.script = lambda _: Reply(text=ANSWER)
    assert (await _ask(pair.clients[0], room)).status_code == 200


async def test_a_server_that_stops_ends_its_runs_and_streams(pair: Pair) -> None:
    pair.model.script = lambda _: Reply(text=ANSWER, hold_at=4)
    room = await pair.room()
    run = await pair.begin(0, room)
    here, there = (asyncio.create_task(pair.whole(at, run)) for at in (0, 1))
    await pair.model.held()
    stopping = asyncio.create_task(pair.servers[0].stop())
    pair.model.release()
    assert await stopping == 0
    assert (await here).count("event: done") == 1
    assert (await there).count("event: done") == 1


@only_redis
async def test_a_tool_call_that_can_not_be_kept_silences_nobody(pair: Pair) -> None:
    call = Call(name="archive_search", arguments={"query": "토마토", "limit": 10**30})
    pair.model.reply(Reply(tool_calls=[call]))
    run = await pair.begin(0, await pair.room())
    assert (await pair.whole(1, run)).endswith('"status":"complete"}\n\n')
    pair.model.script = lambda _: Reply(text=ANSWER, pause=0.02)
    following = await pair.begin(0, await pair.room())
    events = await pair.whole(1, following)
    assert events.count("event: token") > 3
    assert events.endswith('"status":"complete"}\n\n')
