"""A talk with the agent in the terminal, over HTTP like any other client."""

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import click
import httpx
import uvloop

from memory.errors import StoreError
from server import calls
from server.app import create_app
from server.client import Client, Following, Refused, ServerSent, new_key
from server.schemas.archive import DraftOut
from server.schemas.rooms import RoomOut
from server.serving import ListenError, Server, listen
from server.settings import Settings

LEAVE = frozenset({"/quit", "/exit", "/q"})
SHOWN = 20


class TerminalError(Exception):
    """The talk can't go on; ``str(error)`` is one sentence that says why."""


@dataclass(slots=True)
class Talk:
    """A talk in one room; ``/rooms <number>`` takes another."""

    tomato: Client
    room: RoomOut
    listed: list[RoomOut] = field(default_factory=list)


def sign_in(address: str, username: str, password: str) -> str:
    """The sid of a new session."""
    try:
        with Client(address) as tomato:
            return tomato.login(username, password).sid
    except Refused as refused:
        raise TerminalError(str(refused)) from refused
    except httpx.TransportError as error:
        raise TerminalError(f"The server at {address} can't be reached or broke off.") from error


def talk(address: str, room_id: str | None, sid: str | None = None) -> None:
    """Read messages and commands and show answers until the input ends or /quit."""
    try:
        with Client(address, sid=sid) as tomato:
            room = tomato.room(room_id) if room_id else tomato.create_room()
            click.secho(f"Room {room.id} at {address}. /help lists what else there is.", dim=True)
            current = Talk(tomato, room)
            for line in _lines():
                _obey(current, line)
    except Refused as refused:
        raise TerminalError(str(refused)) from refused
    except httpx.TransportError as error:
        raise TerminalError(f"The server at {address} can't be reached or broke off.") from error
    except httpx.InvalidURL as error:
        raise TerminalError(f"{address} is not an address of a server.") from error


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


def _lines() -> Iterator[str]:
    prompt = "\n> " if sys.stdin.isatty() else ""
    while True:
        try:
            line = input(prompt).strip()
        except (EOFError, KeyboardInterrupt):
            click.echo()
            return
        if line in LEAVE:
            return
        if line:
            yield line


def _obey(talk: Talk, line: str) -> None:
    name, _, rest = line.partition(" ")
    command = COMMANDS.get(name)
    try:
        if command is not None:
            command(talk, rest.strip())
        elif name.startswith("/") and name[1:].isalpha():
            click.secho(f"There is no {name}. /help lists what there is.", fg="yellow")
        else:
            _ask(talk, line)
    except Refused as refused:
        click.secho(str(refused), fg="red", err=True)


def _help(talk: Talk, rest: str) -> None:
    """List these commands."""
    for name, command in COMMANDS.items():
        click.echo(f"{name:10}{command.__doc__}")
    click.echo(f"{'/quit':10}Leave. Ctrl-C stops an answer.")


def _history(talk: Talk, rest: str) -> None:
    """Show the room's last messages."""
    for message in reversed(talk.tomato.messages(talk.room.id, limit=SHOWN).items):
        if message.role != "tool" and message.content:
            click.secho(message.role, bold=True)
            click.echo(message.content)


def _rooms(talk: Talk, rest: str) -> None:
    """List the rooms; with a number, go on in that one."""
    if not rest:
        talk.listed = talk.tomato.rooms(limit=SHOWN).items
        for number, room in enumerate(talk.listed, 1):
            click.echo(f"{number:3} {room.title or room.id}")
    elif rest.isdigit() and 0 < int(rest) <= len(talk.listed):
        talk.room = talk.listed[int(rest) - 1]
        click.secho(f"Room {talk.room.id}: {talk.room.title or 'no title yet'}", dim=True)
    else:
        click.secho("/rooms lists them; /rooms 2 takes the second.", fg="yellow")


def _save(talk: Talk, rest: str) -> None:
    """Save a text: first its label and category are shown, to be changed or kept."""
    draft = talk.tomato.draft(rest)
    label, category = "", ""
    if isinstance(draft, DraftOut):
        label, category = draft.summary, draft.category
        for same in draft.duplicates:
            click.secho(f"  {'the same' if same.exact else 'alike'}: {same.summary}", dim=True)
    else:
        click.secho(draft.reason, fg="yellow")
    label, category = _kept("Label", label), _kept("Category", category)
    if label and category:
        entry = talk.tomato.save(rest, label, category)
        click.secho(f"Saved: {entry.summary} ({entry.category})", fg="green")


def _kept(name: str, made: str) -> str:
    """What the person writes in place of what was made; an empty line keeps it."""
    try:
        return input(f"{name} [{made}]: ").strip() or made
    except (EOFError, KeyboardInterrupt):
        return ""


def _find(talk: Talk, rest: str) -> None:
    """Search the archive."""
    found = talk.tomato.search(rest).items
    for item in found:
        click.echo(f"{item.summary} ({item.category})")
        click.secho(f"  {_short(talk.tomato.entry(item.id).content)}", dim=True)
    if not found:
        click.echo("Nothing found.")


COMMANDS: Mapping[str, Callable[[Talk, str], None]] = {
    "/help": _help,
    "/rooms": _rooms,
    "/history": _history,
    "/save": _save,
    "/find": _find,
}


def _ask(talk: Talk, message: str) -> None:
    following = Following(calls.chat(talk.room.id, message, None, new_key()))
    try:
        _show_all(talk.tomato, following)
    except KeyboardInterrupt:
        if following.run_id is None:
            raise
        talk.tomato.cancel(following.run_id)
        _show_all(talk.tomato, following)
    click.echo()


def _show_all(tomato: Client, following: Following) -> None:
    spoke = False
    for event in tomato.follow(following):
        if event.name == "message" and not spoke:
            click.echo(event.data["content"], nl=False)
        spoke = spoke or event.name == "token"
        _show(event)


def _show(event: ServerSent) -> None:
    data = event.data
    match event.name:
        case "token":
            click.echo(data["text"], nl=False)
        case "tool_start":
            click.secho(f"\n  · {data['name']} {_short(data['args'])}", dim=True)
        case "tool_end":
            mark = "✓" if data["ok"] else "✗"
            click.secho(f"  {mark} {_short(data['preview'])}", dim=True)
        case "notice":
            click.secho(f"\n  ! {data['detail']}", fg="yellow")
        case "error":
            click.secho(f"\n{data['message']}", fg="red", err=True)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 100 else f"{text[:99]}…"
