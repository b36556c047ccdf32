"""The page's support agent, which searches and calls another agent, as web applications see it."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from hector_nb.bootstrap.engine import open_runtime
from hector_nb.config.loader import load_config
from hector_nb.transports.listen import Listen
from hector_nb.transports.standalone import HectorServer
from tests.transports.conftest import TOKEN, USERS, Site, World
from tests.transports.lines import EventLine

pytestmark = pytest.mark.anyio

CONFIG = """
llms:
  support: {provider: scripted, model: support.yaml}
  billing: {provider: scripted, model: billing.yaml}
agents:
  support:
    llm: support
    reasoning:
      enable_streaming: true
      show_tool_execution: true
    tools: ["search", "agent_call"]
    memory:
      longterm:
        storage_scope: "conversational" # Remember across sessions
  billing:
    llm: billing
    description: Knows invoices.
    tools: ["write_file"]
"""
SUPPORT = """
- - Let me look that up.
  - tool_call: {name: search, arguments: {query: how are invoices paid}}
- - expect: "docs/billing.md:3"
  - tool_call: {name: agent_call, arguments: {agent: billing, message: Cancel invoice 7.}}
- - expect: Invoice 7 is cancelled.
  - All done.
"""
PLAIN = """
- - "I cancel it: "
  - Invoice 7 is cancelled.
"""
CAREFUL = """
- - tool_call: {name: write_file, arguments: {path: invoice7.txt, content: cancelled}}
- - expect: Wrote
  - Invoice 7 is cancelled.
"""


@pytest.fixture
async def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> AsyncIterator[Site]:
    """A server whose `billing` plays the given script."""
    monkeypatch.setenv("HECTOR_HOME", str(tmp_path / "home"))
    folder = tmp_path / "shop"
    (folder / "docs").mkdir(parents=True)
    (folder / "docs" / "billing.md").write_text("# Billing\n\nInvoices are paid within a month.\n")
    for name, text in {"hector": CONFIG, "support": SUPPORT, "billing": request.param}.items():
        (folder / f"{name}.yaml").write_text(text)
    world = World({}, [])
    world.runtime = await open_runtime(load_config(folder / "hector.yaml"))
    listen = Listen(host="127.0.0.1", port=0, users=USERS)
    server = HectorServer.start_listening(listen, world)
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=timeout) as http:
        yield Site(world, server, f"http://127.0.0.1:{server.port}", http)
    await server.stop_listening()


@pytest.mark.parametrize("shop", [PLAIN], indirect=True, ids=["plain"])
async def test_the_page_s_support_agent_searches_and_asks_another_agent(shop: Site) -> None:
    session = await shop.new_session("support")
    path = f"/agents/support/sessions/{session}/messages/stream"
    stream = await shop.stream("POST", path, {"message": "Please cancel my invoice."})
    assert stream.text == (
        'Let me look that up.\n[Tool: search("how are invoices paid")]\n'
        '[Tool: agent_call("billing", "Cancel invoice 7.")]\nAll done.'
    )
    assert stream.last["data"] == "[DONE]"


@pytest.mark.parametrize("shop", [PLAIN], indirect=True, ids=["plain"])
async def test_the_other_agent_s_answer_comes_as_nested_events_and_its_session_can_be_opened(shop: Site) -> None:
    session = await shop.new_session("support")
    path = f"/agents/support/sessions/{session}/messages/stream?events=tools"
    stream = await shop.stream("POST", path, {"message": "Please cancel my invoice."})
    assert stream.text == "Let me look that up.\n\nAll done."
    names = [name for name, _ in stream.named]
    assert names[:4] == ["session", "tool_call", "tool_result", "tool_call"]
    assert names[-2:] == ["tool_result", "done"]
    assert set(names[4:-2]) == {"nested"}
    nested = [data for name, data in stream.named if name == "nested"]
    assert "".join(each["text"] for each in nested) == "I cancel it: Invoice 7 is cancelled."
    assert {each["agent"] for each in nested} == {"billing"}
    status, opened = await shop.call("GET", f"/agents/billing/sessions/{nested[0]['session_id']}")
    assert status == 200
    assert opened["metadata"]["called_by"]["session_id"] == session
    status, page = await shop.call("GET", f"/agents/billing/sessions/{nested[0]['session_id']}/messages")
    assert [each["content"] for each in page["messages"]] == [
        "Cancel invoice 7.", "I cancel it: Invoice 7 is cancelled.",
    ]  # fmt: skip


@pytest.mark.parametrize("shop", [CAREFUL], indirect=True, ids=["careful"])
async def test_what_the_other_agent_asks_is_answered_in_the_session_of_the_caller(shop: Site, tmp_path: Path) -> None:
    session = await shop.new_session("support")
    path = f"/agents/support/sessions/{session}"
    body = {"message": "Please cancel my invoice."}
    async with shop.http.post(f"{shop.base}{path}/messages/stream?events=tools", json=body) as response:
        line = EventLine(response)
        while (await line.hear())[0] != "approval":
            pass
        status, waiting = await shop.call("GET", f"{path}/approvals")
        (asked,) = waiting["approvals"]
        assert (status, asked["name"]) == (200, "write_file")
        status, _ = await shop.call("POST", f"{path}/approvals/{asked['call_id']}", {"decision": "approve"})
        assert status == 200
        heard = []
        while (frame := await line.hear())[0] != "done":
            heard.append(frame[0])
    assert heard == ["approval", "nested", "tool_result", "chunk"]
    assert (tmp_path / "shop" / "invoice7.txt").read_text() == "cancelled"
