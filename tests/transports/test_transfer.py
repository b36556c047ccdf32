"""Conversations that leave as files and come back."""

import asyncio
import json
from io import BytesIO
from typing import Any

import nbformat
import pytest

from hector_nb.events import ThinkingDelta
from hector_nb.transports import transfer
from tests.transports.conftest import Site

pytestmark = pytest.mark.anyio
IMPORT = "/agents/assistant/sessions/import"
CALL = {"call_id": "call_1", "name": "write_file", "arguments": {"path": "a.py"}}
TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "Make a file"},
    {"role": "assistant", "content": "Let me", "tool_calls": [CALL], "thinking": "Hm.", "tokens": 17, "estimated": False},
    {"role": "tool", "content": "no room", "call_id": "call_1", "is_error": True},
    {"role": "assistant", "content": "It did", "status": "cancelled", "created_at": "2026-11-22T19:15:22.250123+01:00"},
]  # fmt: skip


async def import_large(site: Site, messages: list[dict[str, Any]]) -> tuple[int, Any]:
    body = BytesIO(json.dumps({"messages": messages}).encode())
    return await site.call("POST", IMPORT, data=body, headers={"Content-Type": "application/json"})


async def imported(site: Site, messages: list[dict[str, Any]], **session: Any) -> str:
    """The path of a session that was imported."""
    status, made = await site.call("POST", IMPORT, {"messages": messages, "session": session})
    assert status == 201, made
    return f"/agents/assistant/sessions/{made['session_id']}"


async def exported(site: Site, path: str, query: str = "") -> Any:
    status, found = await site.call("GET", f"{path}/export{query}")
    assert status == 200
    return found


async def test_what_was_exported_comes_back_without_loss(site: Site) -> None:
    path = await imported(site, TALK, title="A talk", metadata={"a": [1, None]})
    first = await exported(site, path)
    assert [each["content"] for each in first["messages"]] == [each["content"] for each in TALK]
    assert all(each["tokens"] > 0 for each in first["messages"])
    assert first["messages"][1]["tool_calls"] == [CALL]
    assert first["messages"][3]["created_at"] == "2026-11-22T18:15:22.250123Z"
    status, again = await site.call("POST", IMPORT, first)
    assert (status, again["title"], again["metadata"]) == (201, "A talk", {"a": [1, None]})
    assert again["session_id"] != first["session"]["session_id"]
    second = await exported(site, f"/agents/assistant/sessions/{again['session_id']}")
    assert second["messages"] == first["messages"]


async def test_an_imported_conversation_goes_on(site: Site) -> None:
    path = await imported(site, [{"role": "user", "content": "I am Ada"}, {"role": "assistant", "content": "Hello"}])
    site.world.will_say("Ada")
    assert (await site.call("POST", f"{path}/messages", {"message": "Who am I?"}))[1]["response"] == "Ada"
    seen = site.world.model.requests[-1].messages
    assert [each.content for each in seen] == ["I am Ada", "Hello", "Who am I?"]


async def test_a_conversation_opens_as_a_notebook_and_as_markdown(site: Site) -> None:
    path = f"/agents/chatty/sessions/{await site.new_session('chatty', title='Why?')}"
    site.world.will_say(ThinkingDelta(text="Hm."), "Because **so**.")
    await site.call("POST", f"{path}/messages", {"message": "Why?"})
    async with site.http.get(f"{site.base}{path}/export?format=ipynb") as response:
        assert response.headers["Content-Type"] == "application/x-ipynb+json"
        assert response.headers["Content-Disposition"] == 'attachment; filename="Why.ipynb"'
        notebook = nbformat.reads(await response.text(), as_version=4)
    nbformat.validate(notebook)
    assert [cell.source for cell in notebook.cells[1:]] == [
        "**User**\n\nWhy?",
        "**Assistant**\n\n*Thinking*\n\n```text\nHm.\n```\n\nBecause **so**.",
    ]
    async with site.http.get(f"{site.base}{path}/export?format=markdown") as response:
        assert response.headers["Content-Type"] == "text/markdown; charset=utf-8"
        assert (await response.text()).endswith("Because **so**.\n")


async def test_a_long_conversation_is_written_page_by_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "_PAGE", 7)
    path = await imported(site, [{"role": "user", "content": f"number {number}"} for number in range(23)])
    found = await exported(site, path)
    assert [each["content"] for each in found["messages"]] == [f"number {number}" for number in range(23)]
    async with site.http.get(f"{site.base}{path}/export?format=ipynb") as response:
        assert len(json.loads(await response.text())["cells"]) == 24


async def test_an_export_in_another_form_is_refused(site: Site) -> None:
    path = await imported(site, [])
    status, body = await site.call("GET", f"{path}/export?format=markdwn")
    assert (status, body["error"]["hint"]) == (422, "Did you mean `markdown`?")


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({}, 422, "`messages` is missing."),
        ({"messages": {}}, 422, "`messages` should be a valid list."),
        ({"messages": [5]}, 422, "`messages.0` should be"),
        ({"messages": [{"role": "user"}]}, 422, "`messages.0.content` is missing."),
        ({"messages": [{"role": "system", "content": ""}]}, 422, "`messages.0.role` should be 'user', 'assistant'"),
        ({"messages": [{**TALK[0], "tokens": -1}]}, 422, "`messages.0.tokens` should be greater than or equal to 0"),
        ({"messages": [{**TALK[0], "tokens": "1"}]}, 422, "`messages.0.tokens` should be a valid integer"),
        ({"messages": [{**TALK[0], "message_id": "a b"}]}, 422, "`messages.0.message_id` must be 1 to 64 letters"),
        ({"messages": [{**TALK[0], "message_id": "m"}] * 2}, 422, "`messages.1.message_id` is there twice."),
        ({"messages": [{**TALK[0], "created_at": "soon"}]}, 422, "`messages.0.created_at` must be a time such as"),
        ({"messages": [{**TALK[0], "created_at": 5}]}, 422, "`messages.0.created_at` must be a time such as"),
        ({"messages": [{**TALK[0], "status": "running"}]}, 422, "`messages.0.status` should be 'complete'"),
        ({"messages": [{**TALK[0], "thinking": "x"}]}, 422, "`messages.0` is no message of the assistant"),
        ({"messages": [{**TALK[0], "call_id": "x"}]}, 422, "`messages.0` is no message of a tool"),
        ({"messages": [{**TALK[0], "nonsense": 1}]}, 422, "`messages.0.nonsense` is not a key here."),
        ({"messages": [TALK[2]]}, 422, "`messages.0.call_id` must be that of a call"),
        ({"messages": [{**TALK[1], "tool_calls": [{}]}]}, 422, "`messages.0.tool_calls.0.call_id` is missing."),
        ({"messages": [], "format": "other"}, 422, "`format` should be 'hector_nb.session'."),
        ({"messages": [], "version": 2}, 422, "`version` should be 1."),
        ({"messages": [], "session": {"title": 5}}, 422, "`session.title` should be a valid string."),
        ({"messages": [], "session": {"metadata": {"a": "x" * 70_000}}}, 413, "`metadata` is larger than 64 KiB."),
        ([], 400, "The body must be a JSON object."),
    ],
)
async def test_what_is_wrong_with_an_import_is_said(site: Site, body: Any, status: int, told: str) -> None:
    answered, found = await site.call("POST", IMPORT, body)
    assert (answered, found["error"]["message"][: len(told)]) == (status, told)


async def test_a_long_list_of_wrong_messages_is_answered_briefly(site: Site) -> None:
    _, found = await site.call("POST", IMPORT, {"messages": [{}] * 50_000})
    assert len(json.dumps(found)) < 1000


async def test_an_import_may_have_64_mib_and_no_more(site: Site) -> None:
    for size, status in ((20, 201), (65, 413)):
        messages = [{"role": "user", "content": "x" * 2**20, "tokens": 5} for _ in range(size)]
        answered, body = await import_large(site, messages)
        assert answered == status, body
    assert body["error"]["message"] == "The body is larger than 64 MiB."


async def test_a_session_may_be_called_import(site: Site) -> None:
    await site.new_session("assistant", session_id="import")
    assert (await site.call("GET", IMPORT))[1]["session_id"] == "import"
    assert (await site.call("PATCH", IMPORT, {"title": "x"}))[1]["title"] == "x"
    assert (await site.call("GET", f"{IMPORT}/export"))[0] == 200
    assert (await site.call("DELETE", IMPORT))[0] == 204


async def test_a_client_that_leaves_in_the_middle_of_an_export_does_no_harm(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "_PAGE", 1)
    status, made = await import_large(site, [{"role": "user", "content": "x" * 2**20, "tokens": 5} for _ in range(8)])
    assert status == 201
    path = f"/agents/assistant/sessions/{made['session_id']}"
    async with site.http.get(f"{site.base}{path}/export") as response:
        await response.content.read(10)
    await asyncio.sleep(0)
    assert (await site.call("GET", path))[0] == 200
