"""A real Chromium for tests, and pages that fail if they break or call anybody but our server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

CHROMIUM = Path("/usr/bin/chromium")
PICTURES = Path(__file__).parents[1] / "output"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        await browser.close()


# A page's first request waits for the agent to be loaded.
expect.set_options(timeout=30_000)


@asynccontextmanager
async def watched(
    browser: Browser, address: str, *, hostile: bool = False, **options: Any
) -> AsyncIterator[Page]:
    """A page in a profile of its own; at its end nothing must have broken or called elsewhere.

    Only ``hostile`` text may have made the page's own policy refuse anything.
    """
    context = await browser.new_context(**options)
    page = await context.new_page()
    strangers: list[str] = []
    broken: list[str] = []
    page.on(
        "request",
        lambda asked: None if asked.url.startswith(address) else strangers.append(asked.url),
    )
    page.on("pageerror", lambda error: broken.append(str(error)))
    if not hostile:
        page.on(
            "console",
            lambda told: (
                broken.append(told.text) if "Content Security Policy" in told.text else None
            ),
        )
    yield page
    await context.close()
    assert strangers == []
    assert broken == []
