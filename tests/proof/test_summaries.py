"""A server killed while it folds old turns into a summary: nothing of the conversation is lost, and another server goes on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.upstream import Behaviour, Exchange, answer, silence
from tests.proof.serving import WITHIN, Server, Site, opened

pytestmark = pytest.mark.anyio
CONFIG = """
llms:
  default: {{provider: openai-compatible, model: fake, base_url: "{url}", max_retries: 0, timeout: 30s}}
  writer: {{provider: openai-compatible, model: writer, base_url: "{url}", max_retries: 0, timeout: 30s}}
agents:
  assistant:
    llm: default
    memory: {{working: {{strategy: summary_buffer, budget: 400, summarizer: writer}}}}
"""
SAID = "That is what I have to tell you today about it, and it goes on for a good while, as you see, and longer."


class Provider:
    """Answers conversations at once, and writes summaries as `write` says; `written` are the requests for summaries."""

    def __init__(self) -> None:
        self.write: Behaviour = silence("Ada to")
        self.written: list[Any] = []
        self.asked = asyncio.Event()

    async def __call__(self, exchange: Exchange) -> None:
        if exchange.request.body["model"] != "writer":
            await answer(f"I hear. {SAID}")(exchange)
            return
        self.written.append(exchange.request.body)
        self.asked.set()
        await self.write(exchange)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(tmp_path, config=CONFIG) as site:
        yield site


async def tell(site: Site, server: Server, path: str, number: int) -> None:
    status, reply = await site.call(server, "POST", f"{path}/messages", {"message": f"Q{number}. {SAID}"})
    assert status == 200, reply


async def test_killed_while_folding(site: Site) -> None:
    provider = Provider()
    site.upstream.default = provider
    first, second = await site.two()
    path = await site.session(first)
    number = 0
    while not provider.asked.is_set():
        await tell(site, first, path, number)
        number += 1
        assert number < 20
    first.kill()
    assert len(await site.transcript(second, path)) == 2 * number
    provider.write = answer("Ada told a lot.")
    await tell(site, second, path, number)
    summary: list[Any] = []
    async with asyncio.timeout(WITHIN):
        while not summary:
            _, memory = await site.call(second, "GET", f"{path}/memory")
            summary = [part for part in memory["working"]["parts"] if part["kind"] == "summary"]
            await asyncio.sleep(0.02)  # what goes on beside the turns is not announced
    assert summary[0]["text"] == "Ada told a lot."
    assert [text for _, text, _ in await site.transcript(second, path)] == [
        text for each in range(number + 1) for text in (f"Q{each}. {SAID}", f"I hear. {SAID}")
    ]
    assert "Q0." in str(provider.written[-1]["messages"])
    await tell(site, second, path, number + 1)
    told = [each.body for each in site.upstream.requests if each.body["model"] == "fake"]
    assert "Ada told a lot." in str(told[-1]["messages"])


async def test_a_server_that_is_asked_to_stop_does_not_wait_for_a_summary(site: Site) -> None:
    provider = Provider()
    site.upstream.default = provider
    server = await site.server()
    path = await site.session(server)
    number = 0
    while not provider.asked.is_set():
        await tell(site, server, path, number)
        number += 1
        assert number < 20
    code, seconds = await asyncio.to_thread(server.stop)
    assert (code, seconds < 15) == (0, True)
