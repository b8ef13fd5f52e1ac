"""Real input: a manual and notes in two languages go in by chat and come back by other words."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.services.tomato_server import TomatoServer

ROOT = Path(__file__).parents[2]
NOTES: list[dict[str, str]] = json.loads((ROOT / "tests" / "data" / "notes.json").read_text())
SAVE = {"en": "save this: ", "ko": "저장해줘: "}
MANUAL = (ROOT / "tests" / "data" / "manual.md").read_text()  # a README of this project as it was
# What is asked of the manual, and words that its answer must hold.
MANUAL_QUESTIONS = {
    "what did I save about the way of one message through the code?": "server/chat.py",
    "What did I save about running it with Ollama?": "OPENAI_BASE_URL",
    "Hypothesis 메모 찾아줘": "make check",
    "what did I save about settings?": "TOMATO_DATA",
}


def sections(text: str) -> list[str]:
    """A document cut at its second-level headings."""
    return [part.strip() for part in re.split(r"(?m)^(?=## )", text) if part.strip()]


@pytest.fixture
async def person(live_server: TomatoServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=live_server.address, timeout=60) as client:
        yield client


async def say(client: httpx.AsyncClient, message: str) -> str:
    """The answer to a message in a room of its own, so that only the archive can know."""
    room = (await client.post("/api/rooms", json={})).json()["id"]
    body = {"message": message, "stream": False}
    answer = await client.post(f"/api/rooms/{room}/chat", json=body)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["message"]["content"])


async def contents(client: httpx.AsyncClient) -> set[str]:
    """The content of every entry of the archive."""
    listed = (await client.get("/api/archive", params={"limit": 100})).json()["items"]
    entries = [(await client.get(f"/api/archive/{item['id']}")).json() for item in listed]
    return {entry["content"] for entry in entries}


async def test_notes_come_back_by_other_words_in_both_languages(
    person: httpx.AsyncClient,
) -> None:
    for note in NOTES:
        await say(person, SAVE[note["language"]] + note["note"])
    assert await contents(person) == {note["note"] for note in NOTES}

    answers = {note["question"]: await say(person, note["question"]) for note in NOTES}
    lost = [note for note in NOTES if note["fact"] not in answers[note["question"]]]
    assert not lost, {note["question"]: answers[note["question"]] for note in lost}


async def test_a_manual_comes_back_by_other_words(person: httpx.AsyncClient) -> None:
    parts = sections(MANUAL)
    for part in parts:
        await say(person, SAVE["en"] + part)
    assert await contents(person) == set(parts)

    answers = {question: await say(person, question) for question in MANUAL_QUESTIONS}
    lost = [
        question for question, fact in MANUAL_QUESTIONS.items() if fact not in answers[question]
    ]
    assert not lost, {question: answers[question] for question in lost}


async def test_what_was_saved_is_found_after_a_restart(
    person: httpx.AsyncClient, live_server: TomatoServer
) -> None:
    korean = next(note for note in NOTES if note["language"] == "ko")
    await say(person, SAVE["ko"] + korean["note"])
    await live_server.stop()
    await live_server.start()
    async with httpx.AsyncClient(base_url=live_server.address, timeout=60) as client:
        assert korean["fact"] in await say(client, korean["question"])
