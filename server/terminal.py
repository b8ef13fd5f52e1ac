"""A talk with the agent in the terminal, over HTTP like any other client."""

import asyncio
import json
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
import httpx
import uvloop

from memory.errors import StoreError
from server.app import create_app
from server.serving import ListenError, Server, listen
from server.settings import Settings

LEAVE = frozenset({"/quit", "/exit", "/q"})
NO_READ_LIMIT = httpx.Timeout(10, read=None)  # the server's keep-alive comments bound it


class TerminalError(Exception):
    """The talk can't go on; ``str(error)`` is one sentence that says why."""


@dataclass(frozen=True, slots=True)
class ServerSent:
    """One event of a stream."""

    id: int
    name: str
    data: dict[str, Any]


@dataclass(slots=True)
class Shown:
    """How much of a run has been shown."""

    run_id: str = ""
    last_id: int = 0
    spoke: bool = False


def talk(address: str, room_id: str | None) -> None:
    """Read messages and show answers until the input ends or /quit."""
    try:
        with httpx.Client(base_url=address, timeout=NO_READ_LIMIT, trust_env=False) as client:
            room = room_id or str(_json(client.post("/api/rooms", json={}))["id"])
            _json(client.get(f"/api/rooms/{room}"))
            click.secho(
                f"Room {room} at {address}. /quit leaves, Ctrl-C stops an answer.", dim=True
            )
            for message in _messages():
                _ask(client, room, message)
    except httpx.HTTPError as error:
        raise TerminalError(f"The server at {address} can't be reached or broke off.") from error
    except httpx.InvalidURL as error:
        raise TerminalError(f"{address} is not an address of a server.") from error


def read_events(lines: Iterable[str]) -> Iterator[ServerSent]:
    """The events of a stream's lines; comments are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name:
            fields[name] = value.strip()
        elif not line and "event" in fields:
            data = json.loads(fields.get("data", "{}"))
            yield ServerSent(int(fields.get("id", "0")), fields["event"], data)
            fields = {}


@contextmanager
def embedded(settings: Settings) -> Iterator[str]:
    """The address of a server of our own, on a free port of this machine, in another thread."""
    try:
        listener = listen("127.0.0.1", 0)
    except ListenError as error:
        raise TerminalError(str(error)) from error
    listening = threading.Event()
    server = Server(create_app(settings), listening.set)
    failures: list[StoreError] = []

    def live() -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(server.live(listener))
        except StoreError as error:
            failures.append(error)
        finally:
            listening.set()

    thread = threading.Thread(target=live, name="embedded-server")
    thread.start()
    try:
        listening.wait()
        if failures:
            raise TerminalError(str(failures[0]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.stop()
        thread.join()


def _messages() -> Iterator[str]:
    prompt = "\n> " if sys.stdin.isatty() else ""
    while True:
        try:
            message = input(prompt)
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return
        if message.strip() in LEAVE:
            return
        if message.strip():
            yield message


def _ask(client: httpx.Client, room: str, message: str) -> None:
    shown = Shown()
    try:
        with client.stream("POST", f"/api/rooms/{room}/chat", json={"message": message}) as answer:
            _show_all(answer, shown)
    except KeyboardInterrupt:
        if not shown.run_id:
            raise
        client.post(f"/api/runs/{shown.run_id}/cancel")
        rest = {"after": shown.last_id}
        with client.stream("GET", f"/api/runs/{shown.run_id}/events", params=rest) as answer:
            _show_all(answer, shown)
    click.echo()


def _show_all(answer: httpx.Response, shown: Shown) -> None:
    if answer.status_code != 200:
        answer.read()
        click.secho(_reason(answer), fg="red", err=True)
        return
    for event in read_events(answer.iter_lines()):
        shown.run_id = event.data.get("run_id", shown.run_id)
        shown.last_id = event.id
        _show(event, shown)


def _show(event: ServerSent, shown: Shown) -> None:
    data = event.data
    match event.name:
        case "token":
            click.echo(data["text"], nl=False)
            shown.spoke = True
        case "tool_start":
            click.secho(f"\n  · {data['name']} {_short(data['args'])}", dim=True)
        case "tool_end":
            mark = "✓" if data["ok"] else "✗"
            click.secho(f"  {mark} {_short(data['preview'])}", dim=True)
        case "notice":
            click.secho(f"\n  ! {data['detail']}", fg="yellow")
        case "message" if not shown.spoke:
            click.echo(data["content"], nl=False)
        case "error":
            click.secho(f"\n{data['message']}", fg="red", err=True)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:99]}…"


def _json(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json()
    raise TerminalError(_reason(response))


def _reason(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"The server answered {response.status_code}."
