"""The web page in a real browser, over a real server and a scripted model, as a person uses it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Download, Locator, Page, Route, expect

from tests.services.chromium import PICTURES, watched
from tests.services.cutting_proxy import CuttingProxy
from tests.services.openai_server import Call, OpenAIServer, Reply
from tests.services.tomato_server import TomatoServer

PASSWORD = "a long enough password"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}


@dataclass(frozen=True)
class Words:
    """What a person of one language says, sees and presses."""

    locale: str
    viewport: dict[str, int]
    scheme: str
    name: str
    need_account: str
    sign_up: str
    send: str
    stop: str
    question: str
    answer: str
    title: str
    keep: str
    label: str
    category: str
    save: str
    own_label: str
    other_words: str
    archive: str
    choose: str
    delete: str
    account: str
    sign_out: str
    ended: str


ENGLISH = Words(
    locale="en-US",
    viewport=DESK,
    scheme="light",
    name="tomato.lover",
    need_account="I need an account",
    sign_up="Sign up",
    send="Send",
    stop="Stop",
    question="How do keys expire in Redis?",
    answer="Redis removes **expired keys** lazily, when they are read, and by a sweep.",
    title="Expiry of Redis keys",
    keep="Keep in the archive",
    label="Label",
    category="Category",
    save="Save",
    own_label="Expiry in Redis",
    other_words="expired keys sweep",
    archive="Archive",
    choose="Choose messages",
    delete="Delete",
    account="Account",
    sign_out="Sign out",
    ended="Your session has ended",
)
KOREAN = Words(
    locale="ko-KR",
    viewport=PHONE,
    scheme="dark",
    name="토마토.러버",
    need_account="계정이 없어요",
    sign_up="가입하기",
    send="보내기",
    stop="멈추기",
    question="레디스에서 키는 어떻게 만료돼?",
    answer="레디스는 **만료된 키**를 읽을 때 지우고, 주기적으로도 훑어서 지워요.",
    title="레디스 키 만료",
    keep="보관함에 넣기",
    label="라벨",
    category="분류",
    save="저장",
    own_label="레디스의 만료",
    other_words="주기적 만료",
    archive="보관함",
    choose="메시지 고르기",
    delete="삭제",
    account="계정",
    sign_out="로그아웃",
    ended="세션이 끝났어요",
)


def model_of(words: Words) -> Any:
    """A model that answers, titles, labels and categorizes."""

    def answer(request: dict[str, Any]) -> Reply:
        asked = json.dumps(request)
        if "RoomTitle" in asked:
            return Reply(data={"title": words.title})
        if "LabelDraft" in asked:
            return Reply(data={"summarizable": True, "label": words.title, "reason": ""})
        if "CategoryDraft" in asked:
            return Reply(data={"category": "Databases"})
        if request["messages"][-1]["role"] == "tool" or "tools" not in request:
            return Reply(text=words.answer)
        return Reply(tool_calls=[Call(name="archive_search", arguments={"query": "redis"})])

    return answer


@pytest.fixture
async def server(tmp_path: Path, openai_server: OpenAIServer) -> AsyncIterator[TomatoServer]:
    server = TomatoServer(
        tmp_path,
        {
            "TOMATO_LOCAL_USER": "off",
            "TOMATO_MODEL": "openai:test",
            "OPENAI_API_KEY": "key",
            "OPENAI_BASE_URL": openai_server.base_url,
        },
    )
    await server.start()
    yield server
    await server.kill()


def options(words: Words) -> dict[str, Any]:
    return {
        "locale": words.locale,
        "viewport": words.viewport,
        "color_scheme": words.scheme,
        "accept_downloads": True,
    }


async def enter(page: Page, server_address: str, words: Words) -> None:
    """Sign up, and so in."""
    await page.goto(server_address)
    await page.get_by_role("button", name=words.need_account).click()
    await page.locator("input[name=username]").fill(words.name)
    await page.locator("input[name=password]").fill(PASSWORD)
    await page.get_by_role("button", name=words.sign_up).click()
    await expect(page.locator("#message")).to_be_visible()


async def say(page: Page, text: str) -> None:
    await page.locator("#message").fill(text)
    await page.locator("#message").press("Enter")


async def pane(page: Page, words: Words) -> Locator:
    """The archive, opened first where the window is narrow."""
    archive = page.get_by_role("complementary", name=words.archive)
    if not await archive.is_visible():
        await page.get_by_role("button", name=words.archive, exact=True).click()
    await expect(archive).to_be_visible()
    return archive


async def no_serious_faults(page: Page) -> None:
    """What axe finds that keeps people out."""
    found = await Axe().run(page)
    serious = [
        one for one in found.response["violations"] if one["impact"] in ("serious", "critical")
    ]
    assert not serious, json.dumps(serious, indent=1)[:3000]


async def content(download: Download) -> bytes:
    return await asyncio.to_thread((await download.path()).read_bytes)


@pytest.mark.parametrize("words", [ENGLISH, KOREAN], ids=["english", "korean"])
async def test_a_whole_visit(
    browser: Browser, server: TomatoServer, openai_server: OpenAIServer, words: Words
) -> None:
    openai_server.script = model_of(words)
    PICTURES.mkdir(exist_ok=True)
    async with watched(browser, server.address, **options(words)) as page:
        page.on("dialog", lambda dialog: dialog.accept())
        await page.goto(server.address)
        await expect(page.locator("input[name=username]")).to_be_visible()
        await no_serious_faults(page)
        await enter(page, server.address, words)

        await say(page, words.question)
        answer = page.locator(".message.assistant")
        await expect(answer.locator("strong")).to_be_visible()
        await expect(answer.locator(".step")).to_contain_text("archive_search")
        await expect(page.get_by_role("heading", name=words.title)).to_be_visible()
        await no_serious_faults(page)

        await answer.hover()
        await answer.get_by_role("button", name=words.keep).click()
        form = page.locator("dialog form")
        await expect(form.get_by_label(words.label)).to_have_value(words.title)
        await no_serious_faults(page)
        await form.get_by_label(words.label).fill("x" * 31)
        await form.get_by_role("button", name=words.save).click()
        await expect(form).to_be_visible()  # 31 characters are one too many
        await form.get_by_label(words.label).fill(words.own_label)
        await form.get_by_label(words.category).fill("Redis")
        await form.get_by_role("button", name=words.save).click()
        await expect(form).to_be_hidden()

        archive = await pane(page, words)
        await archive.get_by_role("searchbox").fill(words.other_words)
        tag = archive.locator(".tag", has_text=words.own_label)
        await expect(tag.locator("mark").first).to_be_visible()
        await page.screenshot(path=PICTURES / f"page-{words.locale}.png")
        await tag.click()
        await expect(page.locator("dialog .body strong")).to_be_visible()
        await page.locator("dialog input[type=file]").set_input_files(
            {"name": "메모.txt", "mimeType": "text/plain", "buffer": "토마토".encode()}
        )
        await expect(page.locator("dialog .files a")).to_contain_text("메모.txt")
        async with page.expect_download() as saved:
            await page.locator("dialog .files a").click()
        assert await content(await saved.value) == "토마토".encode()
        await page.locator("dialog").get_by_role("button", name=words.delete).last.click()
        await expect(archive.locator(".tag")).to_have_count(0)
        if words.viewport == PHONE:
            await page.get_by_role("button", name=words.archive, exact=True).click()

        await page.get_by_role("button", name=words.choose).click()
        await page.locator(".message.user input").check()
        await page.locator(".choosing").get_by_role("button", name=words.delete).click()
        await expect(page.locator(".message.user")).to_have_count(0)
        await expect(answer.locator("strong")).to_be_visible()

        await page.get_by_role("button", name=words.account).click()
        async with page.expect_download() as exported:
            await page.locator("dialog a[download]").click()
        assert (await content(await exported.value)).startswith(b"PK")
        await page.locator("dialog").get_by_role("button", name=words.sign_out, exact=True).click()
        await expect(page.locator("input[name=username]")).to_be_visible()


async def test_a_reload_takes_up_the_running_answer(
    browser: Browser, server: TomatoServer, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(text=ENGLISH.answer, hold_at=5))
    openai_server.script = model_of(ENGLISH)
    async with watched(browser, server.address, **options(ENGLISH)) as page:
        await enter(page, server.address, ENGLISH)
        await say(page, ENGLISH.question)
        await openai_server.held()
        await page.reload()
        await expect(page.locator("main[aria-busy=true]")).to_be_visible()
        openai_server.release()
        await expect(page.locator(".message.assistant strong")).to_be_visible()
        await expect(page.locator(".message")).to_have_count(2)


async def test_a_lost_connection_is_taken_up(
    browser: Browser, server: TomatoServer, openai_server: OpenAIServer
) -> None:
    openai_server.script = model_of(ENGLISH)
    async with (
        CuttingProxy(server.address).listening() as proxy,
        watched(browser, proxy.address, **options(ENGLISH)) as page,
    ):
        await enter(page, proxy.address, ENGLISH)
        openai_server.reply(Reply(text=ENGLISH.answer, hold_at=5))
        await say(page, ENGLISH.question)
        await openai_server.held()
        proxy.cut_all()
        openai_server.release()
        await expect(page.locator(".message.assistant strong")).to_be_visible()
        await expect(page.locator(".message")).to_have_count(2)
        await page.reload()
        await expect(page.locator(".message")).to_have_count(2)


async def test_an_answer_can_be_stopped(
    browser: Browser, server: TomatoServer, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(text=ENGLISH.answer, hold_at=5))
    openai_server.script = model_of(ENGLISH)
    async with watched(browser, server.address, **options(ENGLISH)) as page:
        await enter(page, server.address, ENGLISH)
        await say(page, ENGLISH.question)
        await openai_server.held()
        await page.get_by_role("button", name=ENGLISH.stop).click()
        await expect(page.locator(".note").first).to_contain_text("Stopped, as you asked.")
        await expect(page.get_by_role("button", name=ENGLISH.send)).to_be_visible()
        openai_server.release()
        await say(page, "and now?")
        await expect(page.locator(".message.assistant strong")).to_be_visible()


async def test_a_question_is_answered_before_the_rooms_are_listed(
    browser: Browser, server: TomatoServer, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(text=ENGLISH.answer, hold_at=5))
    openai_server.script = model_of(ENGLISH)
    asking, listed, answering = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def rooms(route: Route) -> None:
        """The list as it was before the question, told after it."""
        await asking.wait()
        answer = await route.fetch()
        listed.set()
        await answering.wait()
        await route.fulfill(response=answer)

    async def chat(route: Route) -> None:
        asking.set()
        await listed.wait()
        await route.continue_()

    async with watched(browser, server.address, **options(ENGLISH)) as page:
        await page.route("**/api/rooms?*", rooms)
        await page.route("**/chat", chat)
        await enter(page, server.address, ENGLISH)
        await say(page, ENGLISH.question)
        await openai_server.held()
        async with page.expect_response("**/api/rooms?*"):
            answering.set()
        await page.unroute_all(behavior="wait")  # later lists are the server's, the page may close
        await expect(page.locator(".rooms .current")).to_be_visible()
        await page.get_by_role("button", name=ENGLISH.stop).click(timeout=5000)
        await expect(page.locator(".note").first).to_contain_text("Stopped, as you asked.")


async def test_two_tabs_see_one_answer(
    browser: Browser, server: TomatoServer, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(text=ENGLISH.answer, hold_at=5))
    openai_server.script = model_of(ENGLISH)
    async with watched(browser, server.address, **options(ENGLISH)) as first:
        await enter(first, server.address, ENGLISH)
        await say(first, "hello")
        await openai_server.held()
        second = await first.context.new_page()
        await second.goto(first.url)
        await expect(second.locator("main[aria-busy=true]")).to_be_visible()
        openai_server.release()
        for page in (first, second):
            await expect(page.locator(".message.assistant strong")).to_be_visible()
            await expect(page.locator(".message")).to_have_count(2)


async def test_an_ended_session_signs_out_and_keeps_what_was_being_written(
    browser: Browser, server: TomatoServer, openai_server: OpenAIServer
) -> None:
    openai_server.reply(Reply(text=ENGLISH.answer, hold_at=5))
    openai_server.script = model_of(ENGLISH)
    async with watched(browser, server.address, **options(ENGLISH)) as page:
        await enter(page, server.address, ENGLISH)
        await say(page, ENGLISH.question)
        await openai_server.held()
        await page.locator("#message").fill("half a thought")
        person = {"username": ENGLISH.name, "password": PASSWORD}
        async with httpx.AsyncClient(base_url=server.address) as elsewhere:
            sid = (await elsewhere.post("/api/auth/login", json=person)).json()["sid"]
            bearer = {"Authorization": f"Bearer {sid}"}
            await elsewhere.post("/api/auth/logout-all", headers=bearer)
        await expect(page.get_by_role("alert")).to_contain_text(ENGLISH.ended)
        openai_server.release()
        await page.locator("input[name=username]").fill(ENGLISH.name)
        await page.locator("input[name=password]").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        await expect(page.locator("#message")).to_have_value("half a thought")
        await expect(page.locator(".message.assistant strong")).to_be_visible()


HOSTILE = """
<script>document.title = "owned"</script>
<img src="http://192.0.2.1/beacon.png" onerror="document.title = 'owned'">
![beacon](http://192.0.2.1/beacon2.png)
[click](javascript:document.title='owned')
<a href="javascript:document.title='owned'">raw</a>
<style>body { display: none }</style>
<iframe src="http://192.0.2.1/"></iframe>
<svg onload="document.title = 'owned'"></svg>
<form action="http://192.0.2.1/"><input></form>
[good](https://example.com/)
"""


async def test_hostile_text_does_nothing(
    browser: Browser, server: TomatoServer, openai_server: OpenAIServer
) -> None:
    def hostile(request: dict[str, Any]) -> Reply:
        if "RoomTitle" in json.dumps(request):
            return Reply(data={"title": "<b>title</b>"})
        return Reply(text=HOSTILE)

    openai_server.script = hostile
    async with watched(browser, server.address, hostile=True, **options(ENGLISH)) as page:
        await enter(page, server.address, ENGLISH)
        await say(page, "<script>document.title = 'owned'</script>")
        body = page.locator(".message.assistant .body")
        await expect(body.get_by_text("good")).to_be_visible()
        await expect(page.get_by_role("heading", name="<b>title</b>")).to_be_visible()
        await expect(page).to_have_title("Tomato")
        assert await body.locator("script, img, style, iframe, svg, form, input").count() == 0
        links = await body.locator("a").evaluate_all("all => all.map(one => [one.href, one.rel])")
        assert all(re.match("https?://", href) and "noopener" in rel for href, rel in links if href)
        await expect(page.locator(".message.user .body")).to_have_text(
            "<script>document.title = 'owned'</script>"
        )


async def test_enter_ends_a_syllable_before_it_sends(
    browser: Browser, server: TomatoServer
) -> None:
    async with watched(browser, server.address, **options(KOREAN)) as page:
        await enter(page, server.address, KOREAN)
        await page.locator("#message").fill("안녕")
        await page.locator("#message").dispatch_event(
            "keydown", {"key": "Enter", "isComposing": True, "bubbles": True}
        )
        await expect(page.locator("#message")).to_have_value("안녕")
        await expect(page.locator(".message")).to_have_count(0)


async def test_it_is_small(browser: Browser, server: TomatoServer) -> None:
    sizes: list[int] = []
    async with watched(browser, server.address, **options(ENGLISH)) as page:

        async def measure(response: Any) -> None:
            sizes.append(len(await response.body()))

        pending = []
        page.on("response", lambda response: pending.append(measure(response)))
        await page.goto(server.address)
        await expect(page.locator("input[name=username]")).to_be_visible()
        for one in pending:
            await one
    assert len(sizes) > 10
    assert sum(sizes) < 300_000


async def test_the_tools_of_a_message_are_chosen(
    browser: Browser, server: TomatoServer, openai_server: OpenAIServer
) -> None:
    openai_server.script = model_of(ENGLISH)
    async with watched(browser, server.address, **options(ENGLISH)) as page:
        await enter(page, server.address, ENGLISH)
        await page.locator(".tools summary").click()
        await page.locator(".tools .menu").get_by_role("button", name="None").click()
        await page.get_by_label("archive_list").check()
        await say(page, ENGLISH.question)
        await openai_server.received()
        offered = openai_server.requests[0]["tools"]
        assert [tool["function"]["name"] for tool in offered] == ["archive_list"]


async def test_a_refusal_is_told_in_the_reader_s_language(
    browser: Browser, server: TomatoServer
) -> None:
    async with watched(browser, server.address, **options(KOREAN)) as page:
        await page.goto(server.address)
        await page.locator("input[name=username]").fill("아무개")
        await page.locator("input[name=password]").fill(PASSWORD)
        await page.get_by_role("button", name="로그인", exact=True).click()
        await expect(page.get_by_role("alert")).to_have_text("이름이나 비밀번호가 맞지 않아요.")


async def test_an_account_ends_with_its_password(browser: Browser, server: TomatoServer) -> None:
    async with watched(browser, server.address, **options(ENGLISH)) as page:
        await enter(page, server.address, ENGLISH)
        await page.get_by_role("button", name=ENGLISH.account).click()
        await page.locator("dialog summary").click()
        await page.locator("dialog input[type=password]").fill("not the password")
        await page.locator("dialog .danger-zone button").click()
        await expect(page.locator("dialog .wrong")).not_to_be_empty()
        await page.locator("dialog input[type=password]").fill(PASSWORD)
        await page.locator("dialog .danger-zone button").click()
        await expect(page.locator("input[name=username]")).to_be_visible()
        async with httpx.AsyncClient(base_url=server.address) as elsewhere:
            person = {"username": ENGLISH.name, "password": PASSWORD}
            assert (await elsewhere.post("/api/auth/login", json=person)).status_code == 401
