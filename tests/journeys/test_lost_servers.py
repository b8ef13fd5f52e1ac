"""MongoDB or Redis dies in the middle of an answer and comes back: the room goes on, whole."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from memory.redis.checkpoints import RedisSaver
from memory.redis.connection import open_redis
from tests.services.mongo import MongoServer
from tests.services.openai_server import Call, OpenAIServer, Reply
from tests.services.process import ServerProcess
from tests.services.redis import RedisServer
from tests.services.talk import Heard, ask_when_free, assert_agrees, assert_kept
from tests.services.tomato_server import TomatoServer

Moment = Literal["before the first token", "among the tokens", "before the result", "at the end"]
MOMENTS: tuple[Moment, ...] = (
    "before the first token",
    "among the tokens",
    "before the result",
    "at the end",
)
# The event that tells that the turn has met the loss; at the other moments it does nothing then.
MET_BY: dict[Moment, dict[str, str]] = {
    "before the result": {"mongo": "tool_end", "redis": "tool_end"},
    "at the end": {"mongo": "error", "redis": "message"},
}
LOST = "저장할 것: 토마토는 열매채소다"
PATIENCE_SECONDS = 30
TRIES = 3

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def own_mongo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """A MongoDB that no other test minds losing."""
    with MongoServer(tmp_path_factory.mktemp("own-mongo")) as server:
        yield server


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis that no other test minds losing."""
    with RedisServer(tmp_path_factory.mktemp("own-redis"), fsync="always") as server:
        yield server


@dataclass(frozen=True)
class House:
    """A running Tomato, what it leans on, and the model that it asks."""

    client: httpx.AsyncClient
    model: OpenAIServer
    mongo: MongoServer
    redis: RedisServer

    def server(self, name: str) -> ServerProcess:
        return self.mongo if name == "mongo" else self.redis

    async def state(self, room: str) -> list[str]:
        """The keys of the messages in the room's checkpoint."""
        async with open_redis(self.redis.url) as client:
            saver = RedisSaver(client, keep="latest")
            found = await saver.aget_tuple({"configurable": {"thread_id": room}})
        assert found is not None
        return [message.id for message in found.checkpoint["channel_values"]["messages"]]


@pytest.fixture
async def house(
    own_mongo: MongoServer,
    own_redis: RedisServer,
    openai_server: OpenAIServer,
    tmp_path: Path,
) -> AsyncIterator[House]:
    database = f"lost_{tmp_path.name[-20:]}"
    server = TomatoServer(
        tmp_path,
        {
            "MONGODB_URL": own_mongo.url(database),
            "REDIS_URL": own_redis.url,
            "TOMATO_MODEL": "openai:test",
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": openai_server.base_url,
        },
    )
    await server.start()
    try:
        async with httpx.AsyncClient(base_url=server.address, timeout=PATIENCE_SECONDS) as client:
            yield House(client, openai_server, own_mongo, own_redis)
    finally:
        await server.kill()


HELD_AT: dict[Moment, int] = {"before the first token": 0, "among the tokens": 5, "at the end": -1}
"""The piece of the answer, after the tool's result, before which the model is silent."""


def script(moment: Moment) -> Callable[[dict[str, Any]], Reply]:
    """Save what the held question says, then answer; everything else at once."""

    def answer(request: dict[str, Any]) -> Reply:
        said, text = request["messages"], "토마토는 붉고 둥글다. " * 4
        if [one["content"] for one in said if one["role"] == "user"][-1] != LOST:
            return Reply(text=text)
        if said[-1]["role"] == "tool":
            return Reply(text=text, hold_at=HELD_AT.get(moment))
        arguments = {"content": f"{LOST} {moment}", "label": "토마토", "category": "채소"}
        call = Call(name="archive_save", arguments=arguments, id="call_lost")
        return Reply(tool_calls=[call], hold_at=None if moment in HELD_AT else -1)

    return answer


async def lose(house: House, name: str, moment: Moment, room: str) -> Heard:
    """Kill a server at this moment of an answer, and start it again."""
    server, heard = house.server(name), Heard(LOST)
    before = house.model.holding
    asking = asyncio.create_task(heard.listen(house.client, room))
    await house.model.held(before + 1)
    server.kill()
    try:
        if moment in MET_BY:
            house.model.release()
            await heard.until(MET_BY[moment][name])
    finally:
        await asyncio.to_thread(server.start)
    house.model.release()
    return await asking


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("name", ["mongo", "redis"])
async def test_lost_in_the_middle_of_an_answer(house: House, name: str, moment: Moment) -> None:
    house.model.script = script(moment)
    ends = [await lose_and_go_on(house, name, moment)]
    if (name, moment) == ("mongo", "at the end"):
        assert ends == ["unanswered"]
        return
    # On a busy machine a server may come back after the turn's patience: that is told each time.
    while ends[-1] != "complete" and len(ends) < TRIES:
        ends.append(await lose_and_go_on(house, name, moment))
    assert ends[-1] == "complete", ends


async def lose_and_go_on(house: House, name: str, moment: Moment) -> str:
    """How the answer ended, which its client was told; the room is whole and takes the next."""
    room = (await house.client.post("/api/rooms", json={"title": "정전"})).json()["id"]
    assert (await ask_when_free(house.client, room, "안녕?")).status_code == 200
    before = await assert_agrees(house.client, room)

    heard = await lose(house, name, moment, room)
    talk = await assert_agrees(house.client, room)
    assert talk[: len(before)] == before
    await assert_kept(house.client, heard, talk)
    end = str(talk[-1]["status"]) if talk[-1]["role"] == "assistant" else "unanswered"
    assert bool(heard.all("error")) == (end == "unanswered")

    answer = await ask_when_free(house.client, room, "이어서 말해 줘")
    assert answer.status_code == 200, answer.text
    talk = await assert_agrees(house.client, room)
    await assert_kept(house.client, heard, talk)
    assert talk[-1]["key"] == answer.json()["message"]["key"]
    window = (await house.client.get(f"/api/rooms/{room}/context")).json()["window"]
    assert await house.state(room) == window
    return end
