"""`?events=log`: a turn's log as it is, for programs; and what else a program at a distance asks for."""

import asyncio
import json

import pytest

from hector_nb.errors import ModelTimeout
from hector_nb.models.base import ThinkingDelta
from tests.transports.conftest import Site

pytestmark = pytest.mark.anyio


async def test_every_event_comes_by_the_name_of_its_type_with_its_number(site: Site) -> None:
    site.world.will_say(ThinkingDelta(text="Hm"), "one", " two")
    session = await site.new_session("slow")
    stream = await site.stream("POST", f"/agents/slow/sessions/{session}/messages/stream?events=log", {"message": "go"})
    names = [each.get("event", each["data"]) for each in stream.events]
    assert names == ["session", "thinking", "text", "text", "usage", "done", "[DONE]"]
    numbers = [each["id"].partition(":")[2] for each in stream.events]
    assert numbers == ["1", "2", "3", "4", "5", "5+1", "6"]
    for name, data in stream.named:
        assert data["type"] == name
    resumed = await site.stream(
        "GET",
        f"/agents/slow/sessions/{session}/messages/stream?events=log&turn_id={stream.turn_id}",
        headers={"Last-Event-ID": f"{stream.turn_id}:3"},
    )
    assert resumed.events == stream.events[3:]
    assert resumed.headers["Hector-Last-Event-Id"] == f"{stream.turn_id}:6"


async def test_the_headers_of_a_log_do_not_wait_for_the_model(site: Site) -> None:
    never = asyncio.Event()
    site.world.will_say(never)
    path = f"{site.base}/agents/assistant/messages/stream?events=log"
    async with site.http.post(path, json={"message": "go"}) as response:
        assert response.headers["Hector-Turn-Id"].startswith("turn_")
        assert response.headers["Hector-Heartbeat"] == "5"
    await site.is_quiet()
    site.world.forget_replies()


async def test_a_failed_turn_is_told_by_its_last_frame_alone(site: Site) -> None:
    site.world.will_say("so", ModelTimeout("Too slow."))
    stream = await site.stream("POST", "/agents/assistant/messages/stream?events=log", {"message": "go"})
    assert [name for name, _ in stream.named].count("error") == 1
    assert stream.last["event"] == "error"
    assert json.loads(stream.last["data"])["error"]["code"] == "model_timeout"


async def test_the_log_stands_alone(site: Site) -> None:
    status, answer = await site.call("GET", "/agents/assistant/messages/stream?message=hi&events=log,tools")
    assert status == 422
    assert "stands alone" in answer["error"]["message"]


async def test_sessions_are_found_and_listed_whatever_their_agent(site: Site) -> None:
    made = {await site.new_session("assistant"), await site.new_session("patient")}
    status, page = await site.call("GET", "/hector/sessions?limit=2")
    assert status == 200
    assert {each["session_id"] for each in page["sessions"]} == made
    for each in page["sessions"]:
        assert await site.call("GET", f"/hector/sessions/{each['session_id']}") == (200, each)
    assert (await site.call("GET", "/hector/sessions/sess_unknown"))[0] == 404
    assert (await site.call("GET", "/hector/sessions?limit=0"))[0] == 422
    bob = {"Authorization": "Bearer token-of-bob"}
    assert (await site.call("GET", f"/hector/sessions/{made.pop()}", headers=bob))[0] == 404


async def test_an_agents_tools_and_a_one_off_turns_context_can_be_seen(site: Site) -> None:
    assert await site.call("GET", "/agents/assistant/tools") == (200, {"tools": []})
    assert (await site.call("GET", "/agents/nobody/tools"))[0] == 404
    site.world.will_say("Hi.")
    status, reply = await site.call("POST", "/agents/assistant/messages", {"message": "Hello"})
    assert status == 200
    status, ledger = await site.call("GET", f"/agents/assistant/turns/{reply['turn_id']}/context")
    assert (status, ledger["session_id"]) == (200, reply["session_id"])
    assert (await site.call("GET", "/agents/assistant/turns/turn_unknown/context"))[0] == 404


async def test_a_message_may_say_what_becomes_of_its_turn_when_it_is_left(site: Site) -> None:
    gate = asyncio.Event()
    site.world.will_say("so far", gate, ".")
    session = await site.new_session()
    path = f"/agents/assistant/sessions/{session}/messages/stream"
    body = {"message": "go", "on_disconnect": "continue"}
    async with site.http.post(f"{site.base}{path}?events=log", json=body) as response:
        turn_id = response.headers["Hector-Turn-Id"]
    gate.set()
    assert (await site.stream("GET", f"{path}?turn_id={turn_id}")).text == "so far."
    assert (await site.call("POST", path, {"message": "go", "on_disconnect": "stay"}))[0] == 422
