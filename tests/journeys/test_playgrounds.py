"""LangServe's playgrounds in a real browser: filled in as a person would, answered there."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.services.chromium import PICTURES, watched
from tests.services.tomato_server import TomatoServer


@pytest.fixture
async def page(browser: Browser, live_server: TomatoServer) -> AsyncIterator[Page]:
    viewport = {"width": 1000, "height": 1100}
    async with watched(browser, live_server.address, viewport=viewport) as page:
        yield page


async def opened(page: Page, server: TomatoServer, name: str) -> None:
    await page.goto(f"{server.address}/{name}/playground/")
    await expect(page.get_by_text("Try it")).to_be_visible()


def field(page: Page, label: str) -> Locator:
    """The text area under this label."""
    return page.locator("div.control", has_text=label).locator("textarea").first


async def started(page: Page, name: str, answer: str) -> None:
    """Press Start, see the answer, keep a picture."""
    await page.get_by_role("button", name="Start").click()
    await expect(page.get_by_text(answer).last).to_be_visible(timeout=20_000)
    PICTURES.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURES / f"playground-{name}.png")


async def a_message(page: Page, role: str, content: str) -> None:
    """Add a row to the conversation's table."""
    await page.locator("button:has(svg)").first.click()
    cells = page.locator("tbody input, tbody textarea")
    await cells.nth(0).fill(role)
    await cells.nth(1).fill(content)


async def test_the_agent_answers_in_its_playground(page: Page, live_server: TomatoServer) -> None:
    await opened(page, live_server, "agent")
    await page.locator("textarea").first.fill("기억해: 와이파이 비밀번호는 tomato2026")
    await started(page, "agent", "저장했습니다")


async def test_a_draft_is_made_in_its_playground(page: Page, live_server: TomatoServer) -> None:
    await opened(page, live_server, "draft")
    await page.locator("textarea").first.fill("레디스 세션은 30분 후 만료된다")
    await started(page, "draft", "summarizable")


@pytest.mark.parametrize("name", ["title", "summary"])
async def test_a_conversation_is_told_in_its_playground(
    page: Page, live_server: TomatoServer, name: str
) -> None:
    await opened(page, live_server, name)
    await a_message(page, "user", "We deploy every Thursday, remember?")
    await started(page, name, "Thursday")
