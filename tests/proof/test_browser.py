"""The page's own lines in a real browser, with a network that goes away in the middle.

They run as they are printed: Chromium is told to find `localhost:8080` at the server of the test. Supplied is only what they leave
open (`sessionId`, `url`, `appendToChat`, `process.stdout.write`), and `ws.send` runs in `onopen`.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, async_playwright

from tests.fakes.upstream import answer
from tests.proof.cutting_proxy import CuttingProxy
from tests.proof.serving import Dictation, Server, Site

pytestmark = [pytest.mark.anyio, pytest.mark.browser]

CHAT_APPLICATIONS = """
const eventSource = new EventSource(
  `http://localhost:8080/agents/chatbot/sessions/${sessionId}/messages/stream`
);

eventSource.onmessage = (event) => {
  const data = JSON.parse(event.data);
  appendToChat(data.chunk);
};
"""
HANDLED = """
const eventSource = new EventSource(url);
eventSource.onerror = (error) => {
  console.error('Stream error:', error);
  eventSource.close();
};
"""
UNHANDLED = """
const eventSource = new EventSource(url);
eventSource.onmessage = (event) => { /* ... */ };
"""
WEBSOCKET = """
const ws = new WebSocket('ws://localhost:8080/agents/assistant/stream');
ws.onopen = () => {
ws.send(JSON.stringify({
  message: "Explain quantum computing"
}));
};

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);
  if (data.chunk) {
    process.stdout.write(data.chunk);
  }
};
"""
SUPPLIED = """
let shown = '';
const appendToChat = text => { shown += text };
const process = {stdout: {write: text => { shown += text }}};
"""
LOOK_ON = """
const received = [], states = [];
if (typeof eventSource !== 'undefined') {
  eventSource.addEventListener('message', event => received.push([event.lastEventId, event.data]));
  eventSource.addEventListener('error', () => states.push(eventSource.readyState));
}
"""
"""What the test wants to know, and the page need not."""
DONE_IS_NO_JSON = "Unexpected token 'D', \"[DONE]\" is not valid JSON"
WORDS = ["Quantum ", "computing ", "uses ", "mechanics."]


@dataclass
class Opened:
    """A page, what its scripts threw, and what it wrote to its console as an error."""

    page: Page
    thrown: list[str]
    console: list[str]

    async def run(self, snippet: str, **names: str) -> None:
        """The snippet as the page's script; nothing can happen before it is looked on."""
        known = "".join(f"const {name} = '{value}';\n" for name, value in names.items())
        await self.page.add_script_tag(content=known + SUPPLIED)
        await self.page.add_script_tag(content=snippet + LOOK_ON)

    async def told(self, messages: list[str], most: int) -> list[str]:
        """Of `thrown` or `console`, once there are so many: they come from another process."""
        async with asyncio.timeout(30):
            while len(messages) < most:
                await asyncio.sleep(0.01)
        return messages

    async def until(self, condition: str) -> None:
        await self.page.wait_for_function(f"() => {condition}")

    async def get(self, expression: str) -> Any:
        return await self.page.evaluate(expression)


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[tuple[CuttingProxy, Browser]]:
    """Debian's Chromium, which takes the proxy's port for 8080."""
    flags = ["--no-sandbox", "--disable-features=LocalNetworkAccessChecks"]  # the test makes the page, nobody's network
    async with CuttingProxy() as proxy, async_playwright() as playwright:
        flags.append(f"--host-resolver-rules=MAP localhost:8080 127.0.0.1:{proxy.port}")
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        yield proxy, browser
        await browser.close()


async def open_page(browser: Browser, html: str = "", origin: str = "http://localhost:8080") -> Opened:
    """A page of this origin."""
    page = await browser.new_page()
    page.set_default_timeout(30_000)
    opened = Opened(page, [], [])
    page.on("pageerror", lambda error: opened.thrown.append(error.message))
    page.on("console", lambda said: opened.console.append(said.text) if said.type == "error" else None)

    async def show(route: Route) -> None:
        await route.fulfill(body=f"<!doctype html><title>A page</title>{html}", content_type="text/html")

    await page.route(f"{origin}/page.html", show)
    await page.goto(f"{origin}/page.html")
    return opened


@pytest.fixture
async def served(
    site: Site, browser: tuple[CuttingProxy, Browser]
) -> AsyncIterator[tuple[Site, Server, CuttingProxy, Browser]]:
    """A server behind the proxy, and a browser before it."""
    proxy, chromium = browser
    server = await site.server()
    proxy.target = server.port
    yield site, server, proxy, chromium
    for page in [page for context in chromium.contexts for page in context.pages]:
        await page.close()
    await proxy.cut()


async def test_the_chat_frontend_follows_the_session_through_a_cut(
    served: tuple[Site, Server, CuttingProxy, Browser],
) -> None:
    site, server, proxy, browser = served
    path = await site.session(server, "chatbot")
    opened = await open_page(browser)
    await opened.run(CHAT_APPLICATIONS, sessionId=path.rpartition("/")[2])
    await opened.until("eventSource.readyState === 1")
    told = Dictation(*WORDS[:2])
    site.upstream.then(told, answer("And ", "more."))
    asking = asyncio.create_task(site.call(server, "POST", f"{path}/messages", {"message": "Explain"}))
    await opened.until("shown === 'Quantum computing '")
    await proxy.cut()
    told.say(*WORDS[2:])
    told.end()
    assert (await asking)[1]["response"] == "".join(WORDS)
    await site.call(server, "POST", f"{path}/messages", {"message": "More"})
    await opened.until("received.length === 8")
    assert await opened.get("shown") == "Quantum computing uses mechanics.And more."
    assert await opened.told(opened.thrown, 2) == [DONE_IS_NO_JSON] * 2
    ids = [id_ for id_, _ in await opened.get("received")]
    assert len(set(ids)) == 8
    await site.call(server, "POST", f"{path}/end")
    await opened.until("eventSource.readyState === 2")  # 204 ends the browser's retries
    assert len(await opened.get("received")) == 8


async def test_the_handler_that_closes_at_an_error_ends_with_the_answer(
    served: tuple[Site, Server, CuttingProxy, Browser],
) -> None:
    site, server, _, browser = served
    path = await site.session(server)
    site.upstream.then(answer(*WORDS))
    opened = await open_page(browser)
    await opened.run(HANDLED, url=f"http://localhost:8080{path}/messages/stream?message=Explain")
    await opened.until("eventSource.readyState === 2")
    assert [data for _, data in await opened.get("received")] == [
        *(f'{{"chunk": "{word}"}}' for word in WORDS),
        "[DONE]",
    ]
    (said,) = await opened.told(opened.console, 1)
    assert said.startswith("Stream error:")
    assert opened.thrown == []
    assert [text for _, text, _ in await site.transcript(server, path)] == ["Explain", "".join(WORDS)]


async def test_the_handler_that_closes_at_an_error_leaves_the_turn_at_a_cut(
    served: tuple[Site, Server, CuttingProxy, Browser],
) -> None:
    site, server, proxy, browser = served
    path = await site.session(server, "hasty")
    told = Dictation("Quantum ")
    site.upstream.then(told)
    opened = await open_page(browser)
    await opened.run(HANDLED, url=f"http://localhost:8080{path}/messages/stream?message=Explain")
    await opened.until("received.length === 1")
    await proxy.cut()
    await opened.until("eventSource.readyState === 2")
    async with asyncio.timeout(30):
        await told.left.wait()
    kept = [("user", "Explain", "complete"), ("assistant", "Quantum ", "cancelled")]
    assert await site.settled(server, path) == kept
    assert opened.thrown == []
    assert any(said.startswith("Stream error:") for said in await opened.told(opened.console, 1))


async def test_without_a_handler_the_browser_resumes_the_turn_and_never_starts_it_again(
    served: tuple[Site, Server, CuttingProxy, Browser],
) -> None:
    site, server, proxy, browser = served
    path = await site.session(server)
    told = Dictation(*WORDS[:2])
    site.upstream.then(told)
    opened = await open_page(browser)
    await opened.run(UNHANDLED, url=f"http://localhost:8080{path}/messages/stream?message=Explain")
    await opened.until("received.length === 2")
    await proxy.cut()
    told.say(*WORDS[2:])
    told.end()
    await opened.until("eventSource.readyState === 2")
    received = await opened.get("received")
    assert [data for _, data in received] == [*(f'{{"chunk": "{word}"}}' for word in WORDS), "[DONE]"]
    assert len({id_ for id_, _ in received}) == len(received)
    assert await opened.get("states") == [0, 0, 2]  # the cut, the end of the answer, the 204
    assert len(site.upstream.requests) == 1
    assert opened.thrown == []


async def test_the_websocket_lines_write_the_answer_and_a_cut_closes_the_socket(
    served: tuple[Site, Server, CuttingProxy, Browser],
) -> None:
    site, _, proxy, browser = served
    told = Dictation(*WORDS)
    site.upstream.then(told)
    opened = await open_page(browser)
    await opened.run(WEBSOCKET)
    await opened.until(f"shown === '{''.join(WORDS)}'")
    assert opened.thrown == []
    await proxy.cut()
    await opened.until("ws.readyState === 3")


async def test_an_image_and_a_link_of_a_foreign_page_start_nothing(
    served: tuple[Site, Server, CuttingProxy, Browser],
) -> None:
    site, server, proxy, browser = served
    path = await site.session(server)
    for stream in (f"{path}/messages/stream", "/agents/assistant/messages/stream"):
        url = f"http://localhost:8080{stream}?message=Hi"
        for origin in ("http://localhost:9999", "http://elsewhere.example"):
            come = proxy.accepted
            opened = await open_page(browser, f'<img src="{url}"><a href="{url}">Look</a>', origin)
            await opened.until("document.images[0].complete")
            assert proxy.accepted > come  # the image was asked for
            async with opened.page.expect_response(url) as link:
                await opened.page.click("a")
            assert (await link.value).status == 403
            await opened.page.close()
    assert site.upstream.requests == []
    assert await site.transcript(server, path) == []
    _, page = await site.call(server, "GET", "/agents/assistant/sessions")
    assert len(page["sessions"]) == 1
    # Of the server's own page it would; a heartbeat would tell the browser that this is no image, and it would leave.
    await open_page(browser, '<img src="/agents/silent/messages/stream?message=Hi">')
    await site.upstream.received(1)
