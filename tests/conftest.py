"""What all tests share: an application on a fresh folder, a client, a real server, no network."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import hypothesis
import pytest
from pytest_socket import disable_socket, socket_allow_hosts

from server.settings import Settings
from tests.services.tomato_server import TomatoServer

if TYPE_CHECKING:
    from fastapi import FastAPI

UNIT = Path(__file__).parent / "unit"

# A busy machine is no fault of what is tested.
hypothesis.settings.register_profile(
    "patient",
    parent=hypothesis.settings.default,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("patient")

pytest_plugins = [
    f"tests.services.{name}"
    for name in ("openai_server", "mongo", "redis", "s3", "savers", "chromium")
]


@pytest.fixture(autouse=True)
def _network(request: pytest.FixtureRequest) -> None:
    """Unit tests open no socket, all others only those of this machine."""
    if UNIT in request.path.parents:
        disable_socket(allow_unix_socket=True)  # the event loop's own pair
    else:
        socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a first run: nothing configured, a fresh folder, the offline model."""
    return Settings(data=tmp_path / "data", port=0)


@pytest.fixture
async def app(settings: Settings) -> "AsyncIterator[FastAPI]":
    """A living application over real embedded storage."""
    from server.app import create_app  # most tests need no application

    app = create_app(settings)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def client(app: "FastAPI") -> AsyncIterator[httpx.AsyncClient]:
    """A client of ``app``, with no socket between."""
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


@pytest.fixture
async def live_server(tmp_path: Path) -> AsyncIterator[TomatoServer]:
    """A real server process on a free port; ``stop``, ``kill`` and ``start`` it as you like."""
    server = TomatoServer(tmp_path)
    await server.start()
    yield server
    await server.kill()
