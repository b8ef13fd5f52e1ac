"""The command line; each command imports what it needs, so that help comes at once."""

import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from server.settings import Settings

ROOMS = ("graphs", "tools", "memory", "prompts", "server")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tomato", prog_name="tomato")
def main() -> None:
    """Tomato: a self-hosted assistant with a memory that its user controls."""
    # requests hides this itself, but on another thread: there a filter can be lost again.
    warnings.filterwarnings("ignore", message="SOCKS support in urllib3")


@main.command()
@click.option("--host", help="Address to listen on (TOMATO_HOST, 127.0.0.1).")
@click.option("--port", type=int, help="Port; 0 takes a free one (TOMATO_PORT, 8000).")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder (TOMATO_DATA, ./data).")
@click.option("--reload", is_flag=True, help="Start again when the code changes.")
def serve(host: str | None, port: int | None, data: Path | None, reload: bool) -> None:
    """Serve the HTTP API."""
    settings = _settings(host=host, port=port, data=data)
    if reload:
        if data is not None:
            raise click.UsageError("With --reload, give the data folder as TOMATO_DATA.")
        _serve_reloading(settings)
    else:
        _serve(settings)


@main.command()
@click.option("--server", help="A running server's address; without it one is started here.")
@click.option("--room", help="A room to go on with; without it a new one is opened.")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder, without --server.")
@click.option("--user", help="Sign in at --server as this user; the password is asked for.")
def chat(server: str | None, room: str | None, data: Path | None, user: str | None) -> None:
    """Talk to the agent in the terminal."""
    from server.terminal import TerminalError, embedded, sign_in, talk

    try:
        if server is not None:
            password = click.prompt("Password", hide_input=True) if user else ""
            talk(server, room, sign_in(server, user, password) if user else None)
        else:
            with embedded(_settings(data=data)) as address:
                talk(address, room)
    except TerminalError as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.option("--repair", is_flag=True, help="Mend what can be mended.")
@click.option("--data", type=click.Path(path_type=Path), help="Data folder (TOMATO_DATA, ./data).")
def doctor(repair: bool, data: Path | None) -> None:
    """Look at settings, servers, indexes, clocks, and at files against their records."""
    import asyncio

    from server.doctor import report

    if not asyncio.run(report(_settings(data=data), repair=repair)):
        raise SystemExit(1)


@main.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def users(arguments: tuple[str, ...]) -> None:
    """Accounts: add, list, disable, enable, delete, reset-password."""
    from server.users_cli import users as group

    group.main(list(arguments), prog_name="tomato users")


@main.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def backup(arguments: tuple[str, ...]) -> None:
    """Backups: run, list, verify, restore, drill, extract, schedule."""
    from server.backups_cli import backup as group

    group.main(list(arguments), prog_name="tomato backup")


@main.command(
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def archive(arguments: tuple[str, ...]) -> None:
    """An archive as JSON Lines: export, import."""
    from server.archive_cli import archive as group

    group.main(list(arguments), prog_name="tomato archive")


def _settings(**given: Any) -> "Settings":
    from server.settings import SettingsError, read_settings

    try:
        return read_settings(**{name: value for name, value in given.items() if value is not None})
    except SettingsError as error:
        raise click.ClickException(str(error)) from error


def _serve(settings: "Settings") -> None:
    import asyncio

    import uvloop

    from memory.errors import StoreError
    from server.serving import ListenError, listen, serve

    try:
        listener = listen(settings.host, settings.port)
        port = listener.getsockname()[1]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings, listener, lambda: click.echo(banner(settings, port))))
    except (ListenError, StoreError) as error:
        raise click.ClickException(str(error)) from error


def _serve_reloading(settings: "Settings") -> None:
    import uvicorn

    root = Path(__file__).parents[1]
    click.echo(banner(settings, settings.port))
    uvicorn.run(
        "server.serving:app_from_environment",
        factory=True,
        reload=True,
        reload_dirs=[str(root / room) for room in ROOMS],
        host=settings.host,
        port=settings.port,
        log_level="info",
    )


def banner(settings: "Settings", port: int) -> str:
    """What is being served, where, and with what."""
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    model = settings.model_name
    lines = [
        f"Tomato {version('tomato')} · http://{host}:{port}"
        f" · model: {model}{' (no network)' if model == 'offline' else ''}"
        f" · storage: {settings.storage}"
    ]
    if settings.local_user_on:
        lines.append(
            "Local user: on. Whoever reaches this address needs no sign-in;"
            " TOMATO_LOCAL_USER=off ends that."
        )
    return "\n".join(lines)
