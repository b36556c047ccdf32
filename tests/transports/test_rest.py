"""REST: agents, sessions, messages."""

import asyncio
import re

import aiohttp
import pytest

from hector_nb.errors import ModelError, ModelRefused, ModelTimeout
from tests.transports.conftest import AGENTS, Site

pytestmark = pytest.mark.anyio
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


async def test_agents_are_listed_with_model_tools_and_memory(site: Site) -> None:
    status, body = await site.call("GET", "/agents")
    assert status == 200
    assert [agent["name"] for agent in body["agents"]] == list(AGENTS)
    assert {"description", "model", "provider", "host", "tools", "memory"} <= set(body["agents"][0])


async def test_a_session_is_created_without_a_body(site: Site) -> None:
    async with site.http.post(f"{site.base}/agents/assistant/sessions") as response:
        session = await response.json()
        assert response.status == 201
        assert response.headers["Location"] == f"/hub/user/agents/assistant/sessions/{session['session_id']}"
    assert re.fullmatch(r"sess_[0-9a-z]{26}", session["session_id"])
    assert session["agent"] == "assistant"
    assert session["user"] == "local"
    assert session["status"] == "active"
    assert re.fullmatch(TIME, session["created_at"])
    assert session["expires_at"] is None
    assert session["message_count"] == 0
    assert session["running_turn"] is None


async def test_a_session_keeps_the_id_title_and_metadata_that_are_chosen(site: Site) -> None:
    chosen = {"session_id": "sess_chosen", "title": "Fragen 日本", "metadata": {"a": [1, None]}}
    status, first = await site.call("POST", "/agents/assistant/sessions", chosen)
    assert status == 201
    assert {key: first[key] for key in chosen} == chosen
    status, again = await site.call("POST", "/agents/assistant/sessions", {"session_id": "sess_chosen"})
    assert (status, again) == (200, first)
    status, other = await site.call("POST", "/agents/patient/sessions", {"session_id": "sess_chosen"})
    assert (status, other["error"]["code"]) == (409, "conflict")


async def test_two_users_may_use_the_same_id_and_see_only_their_own(site: Site) -> None:
    ada = {"Authorization": "token token-of-ada"}
    bob = {"Authorization": "Bearer token-of-bob"}
    await site.call("POST", "/agents/assistant/sessions", {"session_id": "sess_same", "title": "a"}, headers=ada)
    await site.call("POST", "/agents/assistant/sessions", {"session_id": "sess_same", "title": "b"}, headers=bob)
    _, of_ada = await site.call("GET", "/agents/assistant/sessions/sess_same", headers=ada)
    _, of_bob = await site.call("GET", "/agents/assistant/sessions/sess_same", headers=bob)
    assert [(each["user"], each["title"]) for each in (of_ada, of_bob)] == [("ada", "a"), ("bob", "b")]
    status, body = await site.call("GET", "/agents/assistant/sessions/sess_same")
    assert (status, body["error"]["code"]) == (404, "session_not_found")


async def test_sessions_are_listed_page_by_page_newest_first(site: Site) -> None:
    made = [await site.new_session("whole", title=f"number {number}") for number in range(3)]
    _, first = await site.call("GET", "/agents/whole/sessions?limit=2")
    assert [each["session_id"] for each in first["sessions"]] == made[:0:-1]
    _, second = await site.call("GET", f"/agents/whole/sessions?limit=2&cursor={first['next_cursor']}")
    assert [each["session_id"] for each in second["sessions"]] == made[:1]
    assert second["next_cursor"] is None
    _, found = await site.call("GET", "/agents/whole/sessions?q=number%201&status=active")
    assert [each["title"] for each in found["sessions"]] == ["number 1"]


async def test_a_message_gets_the_whole_answer_and_the_transcript_keeps_both(site: Site) -> None:
    session_id = await site.new_session()
    site.world.will_say("Hello", " Ada")
    status, reply = await site.call("POST", f"/agents/assistant/sessions/{session_id}/messages", {"message": "Hi"})
    assert status == 200
    assert reply["session_id"] == session_id
    assert reply["turn_id"].startswith("turn_")
    assert reply["response"] == "Hello Ada"
    assert reply["finish_reason"] == "stop"
    assert reply["usage"]["total_tokens"] > 0
    assert reply["tool_calls"] == []
    _, page = await site.call("GET", f"/agents/assistant/sessions/{session_id}/messages")
    assert [(each["role"], each["content"], each["status"]) for each in page["messages"]] == [
        ("user", "Hi", "complete"),
        ("assistant", "Hello Ada", "complete"),
    ]
    assert page["messages"][1]["message_id"] == reply["message_id"]
    assert {each["turn_id"] for each in page["messages"]} == {reply["turn_id"]}
    assert re.fullmatch(TIME, page["messages"][0]["created_at"])
    _, first = await site.call("GET", f"/agents/assistant/sessions/{session_id}/messages?limit=1")
    _, second = await site.call(
        "GET", f"/agents/assistant/sessions/{session_id}/messages?cursor={first['next_cursor']}"
    )
    assert [each["role"] for each in first["messages"] + second["messages"]] == ["user", "assistant"]


async def test_a_one_off_message_is_answered_and_not_listed(site: Site) -> None:
    site.world.will_say("Once")
    status, reply = await site.call("POST", "/agents/patient/messages", {"message": "Hi"})
    assert (status, reply["response"]) == (200, "Once")
    assert reply["session_id"].startswith("sess_")
    _, page = await site.call("GET", "/agents/patient/sessions")
    assert page == {"sessions": [], "next_cursor": None}


async def test_deleting_erases_the_session(site: Site) -> None:
    session_id = await site.new_session()
    path = f"/agents/assistant/sessions/{session_id}"
    assert await site.call("DELETE", f"{path}?forget=true") == (204, None)
    status, body = await site.call("GET", path)
    assert (status, body["error"]["code"]) == (404, "session_not_found")
    assert (await site.call("DELETE", path))[0] == 404


async def test_cancelling_keeps_what_was_said(site: Site) -> None:
    session_id = await site.new_session()
    path = f"/agents/assistant/sessions/{session_id}"
    assert await site.call("POST", f"{path}/cancel") == (200, {"cancelled": False, "turn": None})
    site.world.will_say("So far", asyncio.Event())
    async with site.http.post(f"{site.base}{path}/messages/stream", json={"message": "Hi"}) as response:
        while b"So far" not in await response.content.readline():
            pass
        _, session = await site.call("GET", path)
        assert session["running_turn"] == response.headers["Hector-Turn-Id"]
        status, body = await site.call("POST", f"{path}/cancel", {"turn_id": session["running_turn"]})
        assert (status, body["cancelled"], body["turn"]["status"]) == (200, True, "cancelled")
        assert (await response.read()).endswith(b"data: [DONE]\n\n")
    _, page = await site.call("GET", f"{path}/messages")
    assert [(each["content"], each["status"]) for each in page["messages"]] == [
        ("Hi", "complete"),
        ("So far", "cancelled"),
    ]
    site.world.will_say("Go on")
    assert (await site.call("POST", f"{path}/messages", {"message": "And?"}))[1]["response"] == "Go on"


async def test_a_second_message_waits_or_is_rejected_as_it_asks(site: Site) -> None:
    path = f"/agents/assistant/sessions/{await site.new_session()}/messages"
    release = asyncio.Event()
    site.world.will_say("One", release)
    site.world.will_say("Two")
    async with site.http.post(f"{site.base}{path}/stream", json={"message": "1"}) as response:
        while b"One" not in await response.content.readline():
            pass
        status, body = await site.call("POST", path, {"message": "x", "if_busy": "reject"})
        assert (status, body["error"]["code"]) == (409, "session_busy")
        assert body["error"]["details"]["running_turn"] == response.headers["Hector-Turn-Id"]
        second = asyncio.create_task(site.call("POST", path, {"message": "2"}))
        release.set()
        assert (await second)[1]["response"] == "Two"


async def test_at_most_16_messages_wait(site: Site) -> None:
    path = f"/agents/assistant/sessions/{await site.new_session()}"
    for _ in range(17):
        site.world.will_say("One", asyncio.Event())
    async with asyncio.TaskGroup() as tasks:
        waiting = [tasks.create_task(site.call("POST", f"{path}/messages", {"message": str(n)})) for n in range(18)]
        while not any(each.done() for each in waiting):
            await asyncio.sleep(0.01)
        while site.world.turns:
            await site.call("POST", f"{path}/cancel")
    site.world.forget_replies()
    answers = [each.result() for each in waiting]
    assert sorted(status for status, _ in answers) == [200] * 17 + [429]
    assert [body["error"]["code"] for status, body in answers if status == 429] == ["too_many_waiting"]


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (ModelError("It broke."), 502, "model_error"),
        (ModelRefused("No."), 502, "model_refused"),
        (ModelTimeout("Too slow."), 504, "model_timeout"),
    ],
)
async def test_a_model_that_fails_is_a_status_and_the_session_still_works(
    site: Site, failure: ModelError, status: int, code: str
) -> None:
    path = f"/agents/assistant/sessions/{await site.new_session()}/messages"
    site.world.will_say("Well", failure)
    answered, body = await site.call("POST", path, {"message": "Hi"})
    assert (answered, body["error"]["code"], body["error"]["message"]) == (status, code, failure.message)
    site.world.will_say("Better")
    assert (await site.call("POST", path, {"message": "Again"}))[1]["response"] == "Better"


async def test_a_client_that_leaves_stops_its_turn(site: Site) -> None:
    path = f"/agents/assistant/sessions/{await site.new_session()}"
    closed = site.world.model.closed
    site.world.will_say("So far", asyncio.Event())
    asked = len(site.world.model.requests)
    asking = asyncio.create_task(site.call("POST", f"{path}/messages", {"message": "Hi"}))
    async with asyncio.timeout(30):
        while len(site.world.model.requests) == asked:
            await asyncio.sleep(0)
        asking.cancel()
        while (await site.call("GET", path))[1]["running_turn"]:
            pass
    assert site.world.model.closed == closed + 1
    _, page = await site.call("GET", f"{path}/messages")
    assert page["messages"][1]["status"] == "cancelled"


async def test_health_is_open_and_tells_nothing(site: Site) -> None:
    async with aiohttp.ClientSession() as anyone, anyone.get(f"{site.base}/hector/health") as response:
        assert response.status == 200
        assert await response.json() == {"status": "ok"}
