"""`tomato users`: what an operator does with accounts, on the storage that the settings name."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import click

from memory.accounts import Sessions, User, Users
from memory.errors import NotFound, StoreError
from memory.passwords import Passwords
from memory.records import Page
from server.people import People
from server.resources import open_agent
from server.schemas.accounts import LONGEST, SHORTEST
from server.settings import Settings, SettingsError, read_settings
from server.stores import Stores, open_stores


@dataclass(frozen=True, slots=True)
class Office:
    """What an operator works with."""

    settings: Settings
    stores: Stores
    users: Users
    sessions: Sessions
    people: People


@click.group()
def users() -> None:
    """Accounts: add, list, disable, enable, delete, reset-password."""


@users.command()
@click.argument("username")
@click.option("--password-stdin", is_flag=True, help="Read the password from the input.")
def add(username: str, password_stdin: bool) -> None:
    """Make an account."""
    password = _password(password_stdin)

    async def work(office: Office) -> str:
        user = await office.people.register(username, password)
        return f"{user.username} is {user.uid}."

    _run(work)


@users.command("list")
def list_users() -> None:
    """List the accounts by name."""

    async def work(office: Office) -> str:
        lines: list[str] = []
        cursor: str | None = None
        while True:
            page: Page[User] = await office.users.page(limit=100, cursor=cursor)
            lines += [_line(user) for user in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return "\n".join(lines) or "There are no accounts."

    _run(work)


@users.command()
@click.argument("username")
def disable(username: str) -> None:
    """Sign a user out everywhere and for good, until they are enabled."""

    async def work(office: Office) -> str:
        user = await _named(office, username)
        await office.users.set_disabled(user.uid, True)
        ended = await office.sessions.close_all(user.uid)
        return f"{user.username} is disabled; {ended} sessions ended."

    _run(work)


@users.command()
@click.argument("username")
def enable(username: str) -> None:
    """Let a disabled user sign in again."""

    async def work(office: Office) -> str:
        user = await _named(office, username)
        await office.users.set_disabled(user.uid, False)
        return f"{user.username} may sign in."

    _run(work)


@users.command()
@click.argument("username")
@click.option("--yes", is_flag=True, help="Don't ask.")
def delete(username: str, yes: bool) -> None:
    """Delete an account with all that is theirs."""
    if not yes:
        click.confirm(f"Delete {username} with all rooms, entries and files?", abort=True)

    async def work(office: Office) -> str:
        user = await _named(office, username)
        async with open_agent(office.settings, office.stores) as resources:
            await resources.account_deletion.delete(user.uid)
        return f"{user.username} is deleted."

    _run(work)


@users.command("reset-password")
@click.argument("username")
@click.option("--password-stdin", is_flag=True, help="Read the password from the input.")
def reset_password(username: str, password_stdin: bool) -> None:
    """Give a user another password and sign them out everywhere."""
    password = _password(password_stdin)

    async def work(office: Office) -> str:
        user = await _named(office, username)
        await office.people.set_password(user.uid, password)
        ended = await office.sessions.close_all(user.uid)
        return f"{user.username} has a new password; {ended} sessions ended."

    _run(work)


async def _named(office: Office, username: str) -> User:
    found = await office.users.by_name(username)
    if found is None:
        raise NotFound.of("user")
    return found[0]


def _password(from_stdin: bool) -> str:
    """Never an argument: those are seen by everybody on the machine."""
    if from_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if not SHORTEST <= len(password) <= LONGEST:
        raise click.ClickException(f"A password has {SHORTEST} to {LONGEST} characters.")
    return password


def _line(user: User) -> str:
    state = "  disabled" if user.disabled else ""
    return f"{user.uid}  {user.created_at:%Y-%m-%d}  {user.username}{state}"


def _run(work: Callable[[Office], Awaitable[str]]) -> None:
    async def within(settings: Settings) -> str:
        async with open_stores(settings) as stores:
            passwords = await Passwords.open(
                time_cost=settings.password_time_cost,
                memory_kib=settings.password_memory_kib,
                parallelism=settings.password_parallelism,
            )
            people = People(stores.users, passwords)
            return await work(Office(settings, stores, stores.users, stores.sessions, people))

    try:
        click.echo(asyncio.run(within(read_settings())))
    except (SettingsError, StoreError) as error:
        raise click.ClickException(str(error)) from error
