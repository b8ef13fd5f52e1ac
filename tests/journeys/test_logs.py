"""What a real server logs while everything goes well and while it doesn't: ids, never content."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.services.cutting_proxy import CuttingProxy
from tests.services.mongo import MongoServer
from tests.services.openai_server import Call, OpenAIServer, Reply
from tests.services.tomato_server import TomatoServer

KEY = "sk-operators-own-key-7731"
PASSWORD = "correct-horse-비밀번호-4417"
WORDS = ("와이파이는 금고에 있다 xq81", "my cat is called Xerxes xq82", "xq83 tool words")
LABEL, TITLE, QUERY = "라벨은 xq84", "title 제목 xq85", "찾는 말 xq86"


@dataclass
class House:
    """A server that logs everything it would ever log."""

    server: TomatoServer
    model: OpenAIServer
    proxy: CuttingProxy

    async def lines(self) -> list[dict[str, Any]]:
        await self.server.stop()
        log = await asyncio.to_thread(self.server.log)
        secrets = [KEY, PASSWORD, "xq8", "sk-secret-in-error"]
        assert [one for one in secrets if one in log] == []
        return [json.loads(line) for line in log.splitlines()]


@pytest.fixture
async def house(
    tmp_path: Path, mongo_server: MongoServer, mongo_url: str, openai_server: OpenAIServer
) -> AsyncIterator[House]:
    proxy = CuttingProxy(f"http://127.0.0.1:{mongo_server.port}")
    async with proxy.listening():
        through = mongo_url.replace(f":{mongo_server.port}", f":{proxy.address.split(':')[-1]}")
        server = TomatoServer(
            tmp_path,
            {
                "TOMATO_LOG": "json",
                "TOMATO_LOG_LEVEL": "debug",
                "TOMATO_LOCAL_USER": "off",
                "MONGODB_URL": through,
                "OPENAI_API_KEY": KEY,
                "OPENAI_BASE_URL": openai_server.base_url,
            },
        )
        await server.start()
        yield House(server, openai_server, proxy)
        await server.kill()


async def signed_in(client: httpx.AsyncClient) -> str:
    """Register and sign in, after some mistakes; the sid and the uid."""
    who = {"username": "tomato", "password": PASSWORD}
    await client.post("/api/auth/register", json={**who, "password": "xq8"})
    await client.post("/api/auth/register", content=f'{{"password": "{PASSWORD}"')
    assert (await client.post("/api/auth/register", json=who)).status_code == 201
    await client.post("/api/auth/login", json={**who, "password": "wrong xq8"})
    answer = (await client.post("/api/auth/login", json=who)).json()
    client.headers["Authorization"] = f"Bearer {answer['sid']}"
    return str(answer["user"]["uid"])


async def test_logs_tell_who_and_what_but_never_content(house: House) -> None:
    async with httpx.AsyncClient(base_url=house.server.address, timeout=30) as client:
        uid = await signed_in(client)
        room = (await client.post("/api/rooms", json={"title": TITLE})).json()["id"]
        entry = {"content": WORDS[0], "summary": LABEL, "category": "일"}
        assert (await client.post("/api/archive", json=entry)).status_code == 201
        await client.post("/api/archive", json={**entry, "summary": f"{LABEL} " * 20})
        await client.get("/api/archive", params={"q": QUERY})

        async def ask(words: str, request_id: str, *replies: Reply) -> httpx.Response:
            house.model.reply(*replies)
            body = {"message": words, "stream": False}
            marked = {"X-Request-ID": request_id}
            return await client.post(f"/api/rooms/{room}/chat", json=body, headers=marked)

        searching = Call(name="archive_search", arguments={"query": WORDS[2]})
        made_up = Call(name=WORDS[2], arguments=WORDS[2])
        called = Reply(tool_calls=[searching, made_up])
        good = await ask(WORDS[0], "good", called, Reply(text=WORDS[1]))
        assert good.status_code == 200
        await ask(WORDS[1], "refused", Reply(status=400, error_code=WORDS[1]))
        broken = Reply(raw=[f'data: {{"choices": "{WORDS[1]}"}}\n\n'.encode()])
        await ask(WORDS[1], "broken", broken)
        await ask(WORDS[1], "no-json", Reply(raw=[f"data: {WORDS[1]}\n\n".encode()]))

        house.proxy.target = "http://127.0.0.1:1"  # from now on nobody answers there
        house.proxy.cut_all()
        away = await client.get(f"/api/rooms/{room}", headers={"X-Request-ID": "away"})
        assert away.status_code == 503

    lines = await house.lines()
    about: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        if line["logger"] == "tomato.requests":
            assert {"request_id", "method", "route", "status", "ms"} <= line.keys()
        about.setdefault(line.get("request_id", ""), []).append(line)
    asked, ended = _of(about["good"], "tomato.requests"), _of(about["good"], "tomato.runs")
    assert (asked["route"], asked["status"]) == ("/api/rooms/{room_id}/chat", 200)
    assert asked["uid"] == ended["uid"] == uid
    assert asked["run_id"] == ended["run_id"] == good.json()["run_id"]
    assert (ended["end"], ended["room_id"]) == ("complete", room)
    assert (ended["input_tokens"], ended["output_tokens"]) == (22, 14)
    for name, code in (
        ("refused", "model_refused"),
        ("broken", "model_interrupted"),
        ("no-json", "model_interrupted"),
    ):
        run = _of(about[name], "tomato.runs")
        assert (run["end"], run["code"], run["level"]) == ("failed", code, "warning")
    (tripped,) = [line for line in about["broken"] if "exception" in line]
    assert tripped["run_id"] == _of(about["broken"], "tomato.runs")["run_id"]
    assert ("store_unavailable", 503) in [
        (line.get("code"), line.get("status")) for line in about["away"]
    ]
    assert any("exception" in line for line in about["away"])


def _of(lines: list[dict[str, Any]], logger: str) -> dict[str, Any]:
    (found,) = [line for line in lines if line["logger"] == logger]
    return found
