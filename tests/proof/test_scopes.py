"""The scopes of memory from terminals and a server, each a process of its own on one store: what counts is what the provider was sent."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.proof.serving import Site, opened

pytestmark = pytest.mark.anyio
SCOPES = ("session", "conversational", "all", "summaries_only")
CONFIG = """
llms:
  default: {{provider: openai-compatible, model: fake, base_url: "{url}", max_retries: 0, timeout: 30s}}
agents:
""" + "".join(f"  {scope}: {{{{memory: {{{{longterm: {{{{storage_scope: {scope}}}}}}}}}}}}}\n" for scope in SCOPES)
FACT = "My locker opens with code4711x."
QUESTION = "What does my locker open with?"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with opened(tmp_path, config=CONFIG) as site:
        yield site


async def hector(site: Site, *arguments: str, user: str = "local") -> None:
    process = await site.terminal(*arguments, environ={"HECTOR_USER": user})
    async with asyncio.timeout(60):
        said, errors = await process.communicate()
    assert process.returncode == 0, said + errors


async def ask_all(site: Site, session: str, *, user: str = "local") -> dict[str, bool]:
    """Ask each agent in a terminal; whether its model was shown the fact."""
    calls = (hector(site, "call", scope, QUESTION, "--session", f"{session}-{scope}", user=user) for scope in SCOPES)
    before = len(site.upstream.requests)
    shown = {}
    for scope, call in zip(SCOPES, calls, strict=True):
        await call
        (request,) = site.upstream.requests[before:]
        before += 1
        shown[scope] = "code4711x" in str(request.body["messages"])
    return shown


async def test_terminals_and_servers_recall_what_the_scope_allows(site: Site) -> None:
    for scope in SCOPES:
        await hector(site, "call", scope, FACT, "--session", f"first-{scope}")
    assert await ask_all(site, "second") == {
        "session": False,
        "conversational": True,
        "all": True,
        "summaries_only": False,
    }
    assert await ask_all(site, "of-bob", user="bob") == {
        "session": False,
        "conversational": False,
        "all": True,
        "summaries_only": False,
    }
    server = await site.server()
    for scope, shown in (("session", False), ("conversational", True), ("all", True), ("summaries_only", False)):
        path = await site.session(server, scope)
        assert (await site.call(server, "POST", f"{path}/messages", {"message": QUESTION}))[0] == 200
        assert ("code4711x" in str(site.upstream.requests[-1].body["messages"])) is shown


async def test_a_terminal_recalls_the_summary_of_a_session_that_is_over(site: Site) -> None:
    await hector(site, "call", "summaries_only", FACT, "--session", "first")
    server = await site.server()
    assert (await site.call(server, "POST", "/agents/summaries_only/sessions/first/end"))[0] == 200
    assert "code4711x" in str(site.upstream.requests[-1].body["messages"]), "the summarizer reads what was said"
    await hector(site, "call", "summaries_only", "What did we say? Hello?", "--session", "second")
    told = str(site.upstream.requests[-1].body["messages"])
    assert "summary] Hello world" in told
    assert "code4711x" not in told
    await hector(site, "call", "summaries_only", "What did we say? Hello?", "--session", "of-bob", user="bob")
    assert "Hello world" not in str(site.upstream.requests[-1].body["messages"])
