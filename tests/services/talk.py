"""A room as its person sees it over HTTP: what was acknowledged, what is kept, whether it fits."""

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, Self

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
    _grown: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def events(self) -> list[tuple[str, JSON]]:
        lines = self.lines
        whole = lines[: len(lines) - lines[::-1].index("")] if "" in lines else []
        return [(event.name, dict(event.data)) for event in read_events(whole)]

    def all(self, name: str) -> list[JSON]:
        """The data of the events of this name."""
        return [data for one, data in self.events if one == name]

    async def until(self, name: str) -> None:
        """Wait for an event of this name."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._grown:
            await self._grown.wait_for(lambda: self.all(name))

    async def listen(self, client: httpx.AsyncClient, room: str) -> Self:
        """Ask, and hear all that comes before the stream ends or the connection breaks."""
        with suppress(httpx.HTTPError):
            async with client.stream(
                "POST", f"/api/rooms/{room}/chat", json={"message": self.question}
            ) as answer:
                async for line in answer.aiter_lines():
                    async with self._grown:
                        self.lines.append(line)
                        self._grown.notify_all()
        return self


async def ask(client: httpx.AsyncClient, room: str, question: str) -> httpx.Response:
    """Ask, and have the answer when it is whole."""
    return await client.post(f"/api/rooms/{room}/chat", json={"message": question, "stream": False})


async def ask_when_free(client: httpx.AsyncClient, room: str, question: str) -> httpx.Response:
    """Ask until the room is free: a turn whose server was killed keeps it for a bounded time."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            answer = await ask(client, room, question)
            if answer.status_code != 409:
                return answer
            await asyncio.sleep(PAUSE_SECONDS)


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


async def assert_kept(client: httpx.AsyncClient, heard: Heard, talk: Sequence[JSON]) -> None:
    """All that the client was told is stored, as it was told; what a tool saved is saved."""
    kept = {message["key"]: message for message in talk}
    for run in heard.all("run"):
        assert kept[run["user_key"]]["content"] == heard.question
    for message in heard.all("message"):
        assert kept[message["key"]]["content"] == message["content"]
        assert kept[message["key"]]["status"] == message["status"]
    for end in heard.all("tool_end"):
        for entry in re.findall(r"entry_\w+", end["preview"]):
            assert (await client.get(f"/api/archive/{entry}")).status_code == 200


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
