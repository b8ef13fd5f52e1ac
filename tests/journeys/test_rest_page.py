"""The page of examples, run block by block against a server, as a reader would."""

import asyncio
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.services.chromium import watched
from tests.services.tomato_server import TomatoServer

PAGE = (Path(__file__).parents[2] / "server/REST.md").read_text()


def blocks(language: str) -> str:
    """All blocks of a language, in their order, as one program."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return "\n".join(found)


@pytest.fixture
async def server(live_server: TomatoServer) -> AsyncIterator[TomatoServer]:
    await live_server.stop()
    live_server.settings = {"TOMATO_LOCAL_USER": "off"}
    await live_server.start()
    yield live_server
    assert "Traceback" not in live_server.log()


async def run(server: TomatoServer, *command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": "/usr/bin:/bin", "TOMATO": server.address, "LANG": "C.UTF-8"},
        cwd=server.home,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def test_curl(server: TomatoServer) -> None:
    out = await run(server, "bash", "-euo", "pipefail", "-c", blocks("bash"))
    assert "event: done" in out
    assert '"summarizable":true' in out
    assert '"matched":["fork"' in out


async def test_python(server: TomatoServer) -> None:
    out = await run(server, sys.executable, "-W", "ignore", "-c", blocks("python"))
    assert "레디스" in out
    assert out.count("EXPIRE") >= 2


async def test_javascript(server: TomatoServer, browser: Browser) -> None:
    async with watched(browser, server.address) as page:
        await page.goto(f"{server.address}/web/tomato.svg")
        told: list[str] = []
        page.on("console", lambda one: told.append(one.text))
        await page.evaluate(f"async () => {{ {blocks('js')} }}")
        assert any("event: done" in one for one in told)
