"""A room as its person sees it over HTTP: what was acknowledged, what is kept, whether it fits."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import httpx

from server.client import read_events

PATIENCE_SECONDS = 30
PAUSE_SECONDS = 0.1

JSON = dict[str, Any]


@dataclass(slots=True)
class Heard:
    """The events of one turn that reached its client, whole ones only."""

    question: str
    lines: list[str] = field(default_factory=list)

    @property
    def events(self) -> list[tuple[str, JSON]]:
        lines = self.lines
        whole = lines[: len(lines) - lines[::-1].index("")] if "" in lines else []
        return [(event.name, dict(event.data)) for event in read_events(whole)]

    def all(self, name: str) -> list[JSON]:
        """The data of the events of this name."""
        return [data for one, data in self.events if one == name]


async def listen(client: httpx.AsyncClient, room: str, question: str) -> Heard:
    """Ask, and hear all that comes before the stream ends or the connection breaks."""
    heard = Heard(question)
    with suppress(httpx.HTTPError):
        async with client.stream(
            "POST", f"/api/rooms/{room}/chat", json={"message": question}
        ) as answer:
            async for line in answer.aiter_lines():
                heard.lines.append(line)  # noqa: PERF401 - a broken stream must keep what came
    return heard


async def ask(client: httpx.AsyncClient, room: str, question: str) -> httpx.Response:
    """Ask, and have the answer when it is whole."""
    return await client.post(f"/api/rooms/{room}/chat", json={"message": question, "stream": False})


async def ask_when_free(client: httpx.AsyncClient, room: str, question: str) -> httpx.Response:
    """Ask until the room is free: a turn whose server was killed keeps it for a bounded time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (answer := await ask(client, room, question)).status_code == 409:
            await asyncio.sleep(PAUSE_SECONDS)
    return answer


async def messages(client: httpx.AsyncClient, room: str) -> list[JSON]:
    """All of the room, oldest first."""
    found: list[JSON] = []
    cursor: str | None = ""
    while cursor is not None:
        query: dict[str, str | int] = {"limit": 100, **({"cursor": cursor} if cursor else {})}
        answer = await client.get(f"/api/rooms/{room}/messages", params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        cursor = page["next_cursor"]
    return found[::-1]


def assert_whole(talk: Sequence[JSON]) -> None:
    """Each turn begins with its one question; each call is followed by its result, once."""
    keys = [message["key"] for message in talk]
    assert keys == sorted(set(keys))
    for _, group in groupby(talk, key=lambda message: message["turn"]):
        turn = list(group)
        assert [message["role"] for message in turn].index("user") == 0
        assert [message["role"] for message in turn].count("user") == 1
        waiting: list[str] = []
        for message in turn[1:]:
            if message["role"] == "tool":
                waiting.remove(message["tool_call_id"])
                continue
            assert not waiting, f"calls without results: {turn}"
            waiting = [call["id"] for call in message.get("tool_calls") or ()]
        assert not waiting, f"calls without results: {turn}"


def assert_kept(heard: Heard, talk: Sequence[JSON]) -> None:
    """All that the client was told is stored, as it was told."""
    kept = {message["key"]: message for message in talk}
    for run in heard.all("run"):
        assert kept[run["user_key"]]["content"] == heard.question
    for message in heard.all("message"):
        assert kept[message["key"]]["content"] == message["content"]
        assert kept[message["key"]]["status"] == message["status"]


async def assert_agrees(client: httpx.AsyncClient, room: str) -> list[JSON]:
    """The room opens, and history, count and context agree; its messages."""
    talk = await messages(client, room)
    assert_whole(talk)
    assert (await client.get(f"/api/rooms/{room}")).json()["message_count"] == len(talk)
    context = (await client.get(f"/api/rooms/{room}/context")).json()
    window = context["window"]
    assert window
    assert window == [message["key"] for message in talk][-len(window) :]
    first = next(message for message in talk if message["key"] == window[0])
    assert first["role"] == "user", "the window begins inside of a turn"
    return talk
