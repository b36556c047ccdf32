"""REST, SSE and WebSocket: calls of tools in the stream, and a person's word on them."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from hector_nb.events import ThinkingDelta
from hector_nb.tools.toolbox import Toolbox
from hector_nb.transports.listen import Listen
from tests.runtime.fake_tools import FakeSource, FakeTool, call
from tests.transports.conftest import TOKEN, USERS, Site, open_site
from tests.transports.test_websocket import connected, text_of

pytestmark = pytest.mark.anyio
AGENTS: dict[str, dict[str, Any]] = {
    "coder": {"streaming": {"resume_grace": 0, "heartbeat": 0.05}},
    "silent": {"reasoning": {"show_tool_execution": False}},
    "open": {"reasoning": {"show_thinking": True}},
    "whole": {"reasoning": {"enable_streaming": False}},
}
LONG = "x" * 5000
UNKNOWN = "call_06c3hr3x6gv3bd0f7f9wedtesj"
BOB = {"headers": {"Authorization": "Bearer token-of-bob"}}


async def talk_long(arguments: Any, context: Any) -> str:
    return LONG


@pytest.fixture(scope="module")
async def site() -> AsyncIterator[Site]:
    """Agents with a tool that asks first (`act`), one that does not (`look`), and one that says much (`long`)."""
    async for each in open_site(AGENTS, Listen(host="127.0.0.1", port=0, users=USERS), TOKEN):
        runtime = each.world.runtime
        tools = [FakeTool("act", require_approval="always"), FakeTool("look"), FakeTool("long", talk_long)]
        for name, agent in runtime.agents.items():
            toolbox = Toolbox([FakeSource(tools)], max_output=1000, outputs=runtime.store.get_output)
            runtime.agents[name] = replace(agent, toolbox=toolbox)
        yield each


@pytest.fixture
def acts(site: Site) -> list[Any]:
    """What `act` was called with in this test."""
    source: Any = site.world.runtime.agents["coder"].toolbox._sources[0]
    calls: list[Any] = source._tools[0].calls
    calls.clear()
    return calls


async def asked(site: Site, agent: str = "coder", *calls: Any) -> tuple[str, "asyncio.Task[Any]", list[str]]:
    """A session whose turn waits: its path, who reads its answer, and what waits."""
    path = f"/agents/{agent}/sessions/{await site.new_session(agent)}"
    will_act(site, *calls)
    reading = asyncio.create_task(site.stream("POST", f"{path}/messages/stream", {"message": "Go"}))
    return path, reading, await waiting(site, path)


def will_act(site: Site, *calls: Any) -> None:
    site.world.forget_replies()
    site.world.will_say("Let me.", *(calls or (call("it"),)))
    site.world.will_say("That was it.")


async def waiting(site: Site, path: str) -> list[str]:
    """The calls that wait, once some do."""
    async with asyncio.timeout(30):
        while not (found := (await site.call("GET", f"{path}/approvals"))[1]["approvals"]):
            await asyncio.sleep(0.01)  # that a turn waits is announced to its readers only
    return [each["call_id"] for each in found]


async def test_a_call_waits_until_it_is_approved(site: Site, acts: list[Any]) -> None:
    path, reading, (call_id,) = await asked(site)
    _, found = await site.call("GET", f"{path}/approvals")
    (approval,) = found["approvals"]
    assert (approval["name"], approval["arguments"], approval["decision"]) == ("act", {"what": "it"}, None)
    _, session = await site.call("GET", path)
    assert session["running_turn"] == approval["turn_id"]
    assert acts == []
    status, decided = await site.call("POST", f"{path}/approvals/{call_id}", {"decision": "approve"})
    assert (status, decided["decision"]) == (200, "approve")
    stream = await reading
    assert stream.text == (f'Let me.\n[Approval needed: act("it") {call_id}]\n[Tool: act("it")]\nThat was it.')
    assert stream.last["data"] == "[DONE]"
    assert acts == [{"what": "it"}]
    assert (await site.call("GET", f"{path}/approvals"))[1] == {"approvals": []}


async def test_a_call_that_is_denied_is_not_made_and_the_model_is_told(site: Site, acts: list[Any]) -> None:
    path, reading, (call_id,) = await asked(site)
    assert (await site.call("POST", f"{path}/approvals/{call_id}", {"decision": "deny"}))[0] == 200
    assert "[Tool:" not in (await reading).text
    assert acts == []
    assert site.world.model.requests[-1].messages[-1].content == "The user did not allow this call."
    _, page = await site.call("GET", f"{path}/messages")
    assert [each["role"] for each in page["messages"]] == ["user", "assistant", "tool", "assistant"]


async def test_several_calls_wait_for_all_their_words(site: Site, acts: list[Any]) -> None:
    path, reading, ids = await asked(site, "coder", call("one"), call("two"))
    assert len(ids) == 2
    assert (await site.call("POST", f"{path}/approvals/{ids[0]}", {"decision": "approve"}))[0] == 200
    assert await waiting(site, path) == ids[1:]
    assert acts == []
    assert (await site.call("POST", f"{path}/approvals/{ids[1]}", {"decision": "deny"}))[0] == 200
    await reading
    assert acts == [{"what": "one"}]


async def test_a_call_may_be_made_with_other_arguments(site: Site, acts: list[Any]) -> None:
    path, reading, (call_id,) = await asked(site)
    body = {"decision": "approve", "arguments": {"what": "better"}}
    status, decided = await site.call("POST", f"{path}/approvals/{call_id}", body)
    assert (status, decided["edited"]) == (200, {"what": "better"})
    assert '[Tool: act("better")]' in (await reading).text
    assert acts == [{"what": "better"}]
    assert "changed the arguments" in site.world.model.requests[-1].messages[-1].content


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"decision": "maybe"}, 422),
        ({"decision": None}, 422),
        ({"decision": True}, 422),
        ({"decision": "approve", "argument": {}}, 422),
        ({"decision": "approve", "arguments": ["better"]}, 422),
        ({"decision": "approve", "arguments": {}}, 422),
        ({"decision": "approve", "arguments": {"what": 7}}, 422),
        ({"decision": "approve", "arguments": {"what": "it", "where": "here"}}, 422),
        ({"decision": "deny", "arguments": {"what": "it"}}, 422),
        (["approve"], 400),
    ],
)
async def test_a_wrong_word_decides_nothing(site: Site, acts: list[Any], body: Any, status: int) -> None:
    path, reading, (call_id,) = await asked(site)
    refused, found = await site.call("POST", f"{path}/approvals/{call_id}", body)
    assert (refused, "error" in found) == (status, True)
    assert await waiting(site, path) == [call_id]
    assert (await site.call("POST", f"{path}/approvals/{call_id}", {"decision": "approve"}))[0] == 200
    await reading
    assert acts == [{"what": "it"}]


async def test_the_first_word_counts(site: Site) -> None:
    path, reading, ids = await asked(site, "coder", call("one"), call("two"))
    place = f"{path}/approvals/{ids[0]}"
    assert (await site.call("POST", place, {"decision": "approve"}))[0] == 200
    assert (await site.call("POST", place, {"decision": "approve"}))[0] == 200
    for other in ({"decision": "deny"}, {"decision": "approve", "arguments": {"what": "other"}}):
        status, found = await site.call("POST", place, other)
        assert (status, found["error"]["code"]) == (409, "conflict")
    await site.call("POST", f"{path}/approvals/{ids[1]}", {"decision": "deny"})
    await reading


async def test_a_call_that_does_not_wait_is_not_found(site: Site) -> None:
    path, reading, (call_id,) = await asked(site)
    other = f"/agents/coder/sessions/{await site.new_session('coder')}"
    yes = {"decision": "approve"}
    for place, more in (
        (f"{path}/approvals/{UNKNOWN}", {}),
        (f"{path}/approvals/x%20y", {}),
        (f"{other}/approvals/{call_id}", {}),
        (f"{path}/approvals/{call_id}", BOB),
        (f"{path.replace('coder', 'silent')}/approvals/{call_id}", {}),
    ):
        status, found = await site.call("POST", place, yes, **more)
        assert (status, found["error"]["code"] in {"approval_not_found", "session_not_found"}) == (404, True)
    assert (await site.call("GET", f"{path}/approvals", **BOB))[0] == 404
    assert await waiting(site, path) == [call_id]
    await site.call("POST", f"{path}/approvals/{call_id}", yes)
    await reading
    assert (await site.call("POST", f"{path}/approvals/{call_id}", yes))[0] == 404


async def test_leaving_while_it_waits_does_not_cut_the_turn(site: Site, acts: list[Any]) -> None:
    path = f"/agents/coder/sessions/{await site.new_session('coder')}"
    will_act(site)
    async with site.http.post(f"{site.base}{path}/messages/stream", json={"message": "Go"}) as stream:
        turn = stream.headers["Hector-Turn-Id"]
        while b"Approval needed" not in await stream.content.readline():
            pass
    (call_id,) = await waiting(site, path)
    await asyncio.sleep(0.1)  # the grace of this agent is over at once
    assert await waiting(site, path) == [call_id]
    await site.call("POST", f"{path}/approvals/{call_id}", {"decision": "approve"})
    joined = await site.stream("GET", f"{path}/messages/stream?turn_id={turn}")
    assert joined.text.endswith("That was it.")
    assert acts == [{"what": "it"}]


async def test_a_plain_message_waits_for_the_word_too(site: Site) -> None:
    path = f"/agents/coder/sessions/{await site.new_session('coder')}"
    will_act(site)
    sending = asyncio.create_task(site.call("POST", f"{path}/messages", {"message": "Go"}))
    (call_id,) = await waiting(site, path)
    await site.call("POST", f"{path}/approvals/{call_id}", {"decision": "approve"})
    status, reply = await sending
    assert status == 200
    assert reply["response"] == "Let me.\n\nThat was it."
    assert [each["name"] for each in reply["tool_calls"]] == ["act"]


async def test_a_waiting_turn_can_be_cancelled(site: Site, acts: list[Any]) -> None:
    path, reading, (call_id,) = await asked(site)
    status, _ = await site.call("POST", f"{path}/cancel")
    assert status == 200
    await reading
    assert (await site.call("POST", f"{path}/approvals/{call_id}", {"decision": "approve"}))[0] == 404
    assert acts == []
    site.world.forget_replies()
    site.world.will_say("Fine.")
    assert (await site.call("POST", f"{path}/messages", {"message": "And now?"}))[1]["response"] == "Fine."


async def test_events_come_by_name_where_they_are_asked_for(site: Site) -> None:
    path = f"/agents/coder/sessions/{await site.new_session('coder')}"
    will_act(site)
    where = f"{path}/messages/stream?events=tools"
    reading = asyncio.create_task(site.stream("POST", where, {"message": "Go"}))
    (call_id,) = await waiting(site, path)
    await site.call("POST", f"{path}/approvals/{call_id}", {"decision": "approve"})
    stream = await reading
    assert stream.text == "Let me.\n\nThat was it."
    named = dict(stream.named[:2] + stream.named[3:])
    assert [name for name, _ in stream.named] == [
        "session",
        "approval",
        "approval",
        "tool_call",
        "tool_result",
        "done",
    ]
    assert {key: named["approval"][key] for key in ("call_id", "name", "arguments")} == {
        "call_id": call_id,
        "name": "act",
        "arguments": {"what": "it"},
    }
    assert named["approval"]["deadline"].endswith("Z")
    assert stream.named[2][1] == {"call_id": call_id, "decision": "approve"}
    assert named["tool_call"] == {"call_id": call_id, "name": "act", "arguments": {"what": "it"}}
    assert named["tool_result"] == {"call_id": call_id, "name": "act", "output": "did it", "is_error": False}


async def test_each_request_of_a_turn_tells_its_context(site: Site) -> None:
    path = f"/agents/coder/sessions/{await site.new_session('coder')}"
    will_act(site, call("round", "look"))
    stream = await site.stream("POST", f"{path}/messages/stream?events=context", {"message": "Go"})
    contexts = [data for name, data in stream.named if name == "context"]
    assert [each["request"] for each in contexts] == [1, 2]
    assert contexts[1]["tokens"] > contexts[0]["tokens"] > 0
    assert contexts[0]["tools_tokens"] > 0
    assert [each["messages"] for each in contexts] == [1, 3]


async def test_tool_lines_are_shown_where_the_agent_says_so(site: Site) -> None:
    for agent, shown in (
        ("coder", 'Let me.\n[Tool: look("round")]\nThat was it.'),
        ("silent", "Let me.\n\nThat was it."),
    ):
        path = f"/agents/{agent}/sessions/{await site.new_session(agent)}"
        will_act(site, call("round", "look"))
        assert (await site.stream("POST", f"{path}/messages/stream", {"message": "Go"})).text == shown


async def test_that_a_word_is_needed_is_said_also_where_tools_are_not_shown(site: Site) -> None:
    path, reading, (call_id,) = await asked(site, "silent")
    await site.call("POST", f"{path}/approvals/{call_id}", {"decision": "approve"})
    text = (await reading).text
    assert f'[Approval needed: act("it") {call_id}]' in text
    assert "[Tool:" not in text


async def test_thinking_is_shown_where_the_agent_says_so(site: Site) -> None:
    for agent, shown in (("open", "Hm.\nYes."), ("coder", "Yes.")):
        path = f"/agents/{agent}/sessions/{await site.new_session(agent)}"
        site.world.forget_replies()
        site.world.will_say(ThinkingDelta(text="Hm."), "Yes.")
        assert (await site.stream("POST", f"{path}/messages/stream", {"message": "Go"})).text == shown


async def test_that_a_word_is_needed_is_said_at_once_where_the_answer_comes_whole(site: Site) -> None:
    path = f"/agents/whole/sessions/{await site.new_session('whole')}"
    will_act(site)
    async with site.http.post(f"{site.base}{path}/messages/stream", json={"message": "Go"}) as stream:
        async with asyncio.timeout(30):
            while b"Approval needed" not in await stream.content.readline():
                pass
        (call_id,) = await waiting(site, path)
        await site.call("POST", f"{path}/approvals/{call_id}", {"decision": "approve"})
        assert b"That was it." in await stream.read()


async def test_an_answer_with_calls_is_one_chunk_without_streaming(site: Site) -> None:
    path = f"/agents/whole/sessions/{await site.new_session('whole')}"
    site.world.forget_replies()
    site.world.will_say("I ", "look.", call("it", "look"))
    site.world.will_say("That ", "was it.")
    stream = await site.stream("POST", f"{path}/messages/stream", {"message": "Go"})
    (chunk, last) = stream.events
    assert json.loads(chunk["data"]) == {"chunk": 'I look.\n[Tool: look("it")]\nThat was it.'}
    assert last["data"] == "[DONE]"
    again = f"{path}/messages/stream?turn_id={stream.headers['Hector-Turn-Id']}&last_event_id={chunk['id']}"
    assert [each["data"] for each in (await site.stream("GET", again)).events if "data" in each] == ["[DONE]"]


async def test_an_output_that_was_too_long_for_the_model_is_kept_whole(site: Site) -> None:
    path = f"/agents/coder/sessions/{await site.new_session('coder')}"
    will_act(site, call("much", "long"), call("little", "look"))
    await site.call("POST", f"{path}/messages", {"message": "Go"})
    _, page = await site.call("GET", f"{path}/messages")
    long, short = (each for each in page["messages"] if each["role"] == "tool")
    assert len(long["content"]) < 2000
    status, found = await site.call("GET", f"{path}/outputs/{long['call_id']}")
    assert (status, found) == (200, {"call_id": long["call_id"], "output": LONG})
    assert (await site.call("GET", f"{path}/outputs/{short['call_id']}"))[1]["output"] == "did little"
    for place, more in ((f"{path}/outputs/{UNKNOWN}", {}), (f"{path}/outputs/{long['call_id']}", BOB)):
        assert (await site.call("GET", place, **more))[0] == 404


@pytest.mark.parametrize(("word", "made"), [("approve", [{"what": "it"}]), ("deny", [])])
async def test_a_socket_may_give_the_word(site: Site, acts: list[Any], word: str, made: list[Any]) -> None:
    async with connected(site, "?events=tools", agent="coder") as talk:
        will_act(site)
        await talk.say(message="Go")
        frame = await talk.hear()
        while frame.get("event") != "approval":
            frame = await talk.hear()
        await talk.say(**{word: frame["call_id"]})
        frames = await talk.turn()
        assert text_of(frames).endswith("That was it.")
        assert frames[-1]["done"] is True
        assert acts == made


async def test_a_word_on_nothing_is_an_error_frame(site: Site, acts: list[Any]) -> None:
    async with connected(site, agent="coder") as talk:
        for early in ({"approve": UNKNOWN}, {"deny": UNKNOWN}):
            await talk.say(**early)
            assert (await talk.hear())["error"]["code"] in {"approval_not_found", "session_not_found"}
        will_act(site)
        await talk.say(message="Go")
        (call_id,) = await shown(talk)
        for wrong, code in (
            ({"approve": UNKNOWN}, "approval_not_found"),
            ({"approve": ""}, "approval_not_found"),
            ({"approve": 7}, "invalid_request"),
            ({"approve": call_id, "deny": call_id}, "invalid_request"),
        ):
            await talk.say(**wrong)
            assert (await talk.hear())["error"]["code"] == code
        await talk.say(approve=call_id)
        assert text_of(await talk.turn()).endswith("That was it.")
        assert acts == [{"what": "it"}]


async def shown(talk: Any) -> list[str]:
    """The ids of the calls whose line has come."""
    text = ""
    while "Approval needed" not in text:
        text += (await talk.hear()).get("chunk", "")
    return [text.rsplit(" ", 1)[1].rstrip("]\n")]
