"""A session's life over REST: changed, ended, forked, rewound, and each request carried out once."""

import asyncio
from typing import Any

import pytest

from tests.transports.conftest import Site

pytestmark = pytest.mark.anyio


async def talked(site: Site, *words: str, agent: str = "assistant") -> tuple[str, list[dict[str, Any]]]:
    """A session's path and its replies."""
    path = f"/agents/{agent}/sessions/{await site.new_session(agent, title='A talk', metadata={'a': 1})}"
    replies = []
    for word in words:
        site.world.will_say(word)
        replies.append((await site.call("POST", f"{path}/messages", {"message": f"Say {word}"}))[1])
    return path, replies


async def contents(site: Site, path: str) -> list[str]:
    _, page = await site.call("GET", f"{path}/messages")
    return [each["content"] for each in page["messages"]]


async def test_title_and_metadata_are_changed_each_for_itself(site: Site) -> None:
    path, _ = await talked(site)
    for change in ({"title": "Neu 日本"}, {"metadata": {"b": [2]}}, {"title": ""}, {}):
        _, before = await site.call("GET", path)
        status, after = await site.call("PATCH", path, change)
        assert (status, after) == (200, {**before, **change})
        assert await site.call("GET", path) == (200, after)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"title": 5}, 422),
        ({"title": "x" * 501}, 422),
        ({"metadata": []}, 422),
        ({"metadata": {"a": "x" * 70_000}}, 413),
        ({"status": "ended"}, 422),
        ({"session_id": "other"}, 422),
        ([], 400),
    ],
)
async def test_nothing_else_can_be_changed(site: Site, change: Any, status: int) -> None:
    path, _ = await talked(site)
    before = await site.call("GET", path)
    assert (await site.call("PATCH", path, change))[0] == status
    assert await site.call("GET", path) == before


async def test_an_ended_session_is_readable_and_takes_no_more_messages(site: Site) -> None:
    path, _ = await talked(site, "one")
    status, session = await site.call("POST", f"{path}/end")
    assert (status, session["status"]) == (200, "ended")
    assert await site.call("POST", f"{path}/end", {}) == (200, session)
    assert await contents(site, path) == ["Say one", "one"]
    for verb, way in (("POST", "messages"), ("POST", "messages/stream")):
        status, body = await site.call(verb, f"{path}/{way}", {"message": "More"})
        assert (status, body["error"]["code"]) == (409, "session_ended")
        assert body["error"]["details"] == {"status": "ended"}
    status, body = await site.call("GET", f"{path}/messages/stream?message=More")
    assert (status, body["error"]["code"]) == (409, "session_ended")
    _, found = await site.call("GET", "/agents/assistant/sessions?status=ended")
    assert session["session_id"] in [each["session_id"] for each in found["sessions"]]
    assert (await site.call("POST", f"{path}/end", {"why": "x"}))[0] == 422


async def test_ending_stops_what_runs_and_keeps_what_was_said(site: Site) -> None:
    path, _ = await talked(site)
    site.world.will_say("So far", asyncio.Event())
    async with site.http.post(f"{site.base}{path}/messages/stream", json={"message": "Hi"}) as response:
        while b"So far" not in await response.content.readline():
            pass
        assert (await site.call("POST", f"{path}/end"))[1]["running_turn"] is None
        assert (await response.read()).endswith(b"data: [DONE]\n\n")
    assert await contents(site, path) == ["Hi", "So far"]


async def test_a_fork_shares_the_history_and_goes_its_own_way(site: Site) -> None:
    path, replies = await talked(site, "one", "two")
    for after, shared in ((None, 4), (replies[0]["message_id"], 2)):
        status, fork = await site.call("POST", f"{path}/fork", {"after": after} if after else None)
        assert (status, fork["title"], fork["message_count"]) == (201, "A talk", shared)
        forked = f"/agents/assistant/sessions/{fork['session_id']}"
        assert await contents(site, forked) == (await contents(site, path))[:shared]
        site.world.will_say("other")
        assert (await site.call("POST", f"{forked}/messages", {"message": "Hm"}))[0] == 200
    assert len(await contents(site, path)) == 4


async def test_where_a_fork_is_is_said(site: Site) -> None:
    path, _ = await talked(site)
    async with site.http.post(f"{site.base}{path}/fork") as response:
        fork = await response.json()
        assert response.headers["Location"] == f"/hub/user/agents/assistant/sessions/{fork['session_id']}"


async def test_rewinding_forgets_what_followed(site: Site) -> None:
    path, replies = await talked(site, "one", "two")
    status, session = await site.call("POST", f"{path}/rewind", {"after": replies[0]["message_id"]})
    assert (status, session["message_count"]) == (200, 2)
    assert await contents(site, path) == ["Say one", "one"]
    site.world.will_say("three")
    await site.call("POST", f"{path}/messages", {"message": "Say three"})
    assert await contents(site, path) == ["Say one", "one", "Say three", "three"]
    assert (await site.call("POST", f"{path}/rewind"))[1]["message_count"] == 0


async def test_a_busy_session_is_not_rewound(site: Site) -> None:
    path, _ = await talked(site)
    site.world.will_say("So far", asyncio.Event())
    async with site.http.post(f"{site.base}{path}/messages/stream", json={"message": "Hi"}) as response:
        status, body = await site.call("POST", f"{path}/rewind")
        assert (status, body["error"]["code"]) == (409, "session_busy")
        assert body["error"]["details"]["running_turn"] == response.headers.get("Hector-Turn-Id")
        await site.call("POST", f"{path}/cancel")


@pytest.mark.parametrize("way", ["fork", "rewind"])
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"after": "msg_unknown"}, 404, "message_not_found"),
        ({"after": 5}, 422, "invalid_request"),
        ({"before": "x"}, 422, "invalid_request"),
        ([], 400, "malformed_request"),
    ],
)
async def test_a_point_in_history_must_be_a_message_of_the_session(
    site: Site, way: str, body: Any, status: int, code: str
) -> None:
    path, _ = await talked(site, "one")
    answered, told = await site.call("POST", f"{path}/{way}", body)
    assert (answered, told["error"]["code"]) == (status, code)
    assert len(await contents(site, path)) == 2


@pytest.mark.parametrize("way", ["PATCH ", "POST /end", "POST /fork", "POST /rewind", "GET /export", "DELETE "])
async def test_somebody_elses_session_is_not_there(site: Site, way: str) -> None:
    path, _ = await talked(site)
    verb, _, rest = way.partition(" ")
    bob = {"Authorization": "Bearer token-of-bob"}
    status, body = await site.call(verb, path + rest, {} if verb in {"PATCH", "POST"} else None, headers=bob)
    assert (status, body["error"]["code"]) == (404, "session_not_found")
    status, body = await site.call(verb, path.replace("assistant", "patient") + rest, headers=bob)
    assert (status, body["error"]["code"]) == (404, "session_not_found")


async def test_an_empty_query_finds_everything(site: Site) -> None:
    await talked(site)
    _, all_of_them = await site.call("GET", "/agents/assistant/sessions")
    assert await site.call("GET", "/agents/assistant/sessions?q=&cursor=") == (200, all_of_them)


async def test_interrupting_stops_the_running_turn_and_goes_on_at_once(site: Site) -> None:
    path, _ = await talked(site)
    site.world.will_say("So far", asyncio.Event())
    site.world.will_say("Better")
    async with site.http.post(f"{site.base}{path}/messages/stream", json={"message": "1"}) as response:
        while b"So far" not in await response.content.readline():
            pass
        body = {"message": "2", "if_busy": "interrupt"}
        assert (await site.call("POST", f"{path}/messages", body))[1]["response"] == "Better"
        assert (await response.read()).endswith(b"data: [DONE]\n\n")
    assert await contents(site, path) == ["1", "So far", "2", "Better"]


# --- Idempotency-Key


def key(name: str) -> dict[str, str]:
    return {"Idempotency-Key": name}


async def test_a_session_is_created_once_for_a_key(site: Site) -> None:
    status, first = await site.call("POST", "/agents/assistant/sessions", {"title": "a"}, headers=key("make-1"))
    assert status == 201
    assert await site.call("POST", "/agents/assistant/sessions", {"title": "a"}, headers=key("make-1")) == (200, first)
    status, body = await site.call("POST", "/agents/assistant/sessions", {"title": "b"}, headers=key("make-1"))
    assert (status, body["error"]["code"]) == (422, "invalid_request")


async def test_a_message_is_sent_once_for_a_key_however_it_is_sent(site: Site) -> None:
    path, _ = await talked(site)
    site.world.will_say("Once")
    send = {"message": "Hi"}
    _, first = await site.call("POST", f"{path}/messages", send, headers=key("send-1"))
    assert (await site.call("POST", f"{path}/messages", send, headers=key("send-1"))) == (200, first)
    stream = await site.stream("POST", f"{path}/messages/stream", send, headers=key("send-1"))
    assert (stream.turn_id, stream.text) == (first["turn_id"], "Once")
    stream = await site.stream("GET", f"{path}/messages/stream?message=Hi", headers=key("send-1"))
    assert (stream.turn_id, stream.text) == (first["turn_id"], "Once")
    assert await contents(site, path) == ["Hi", "Once"]
    status, body = await site.call("POST", f"{path}/messages", {"message": "Ho"}, headers=key("send-1"))
    assert (status, body["error"]["code"]) == (422, "invalid_request")


async def test_a_repeated_request_attaches_to_the_turn_while_it_runs(here: Site, there: Site) -> None:
    path, _ = await talked(here, agent="patient")
    gate = asyncio.Event()
    here.world.will_say("On", gate, "ce")
    first = asyncio.create_task(here.stream("POST", f"{path}/messages/stream", {"message": "Hi"}, headers=key("k")))
    async with asyncio.timeout(30):
        while not (await here.call("GET", path))[1]["running_turn"]:
            await asyncio.sleep(0)
    others = [
        asyncio.create_task(site.stream("POST", f"{path}/messages/stream", {"message": "Hi"}, headers=key("k")))
        for site in (here, there)
    ]
    asyncio.get_running_loop().call_later(0.1, gate.set)
    streams = [await first, *[await each for each in others]]
    assert {(each.turn_id, each.text) for each in streams} == {(streams[0].turn_id, "Once")}
    assert await contents(there, path) == ["Hi", "Once"]


async def test_two_users_may_use_the_same_key(site: Site) -> None:
    for token in ("token-of-ada", "token-of-bob"):
        headers = {**key("shared"), "Authorization": f"Bearer {token}"}
        assert (await site.call("POST", "/agents/assistant/sessions", {"title": token}, headers=headers))[0] == 201


@pytest.mark.parametrize("name", ["x" * 256, "a b", "\u00e4"])
async def test_a_key_must_be_printable(site: Site, name: str) -> None:
    status, body = await site.call("POST", "/agents/assistant/sessions", headers=key(name))
    assert (status, body["error"]["code"]) == (422, "invalid_request")


async def test_one_off_messages_have_keys_too(site: Site) -> None:
    site.world.will_say("Once")
    answers = [
        await site.call("POST", "/agents/assistant/messages", {"message": "Hi"}, headers=key("one-off"))
        for _ in range(2)
    ]
    assert answers[0] == answers[1]
    assert answers[0][1]["response"] == "Once"
