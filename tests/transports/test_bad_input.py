"""Everything that a client can get wrong over HTTP has a clear error, a status, and leaves the session working."""

import json
from io import BytesIO
from typing import Any

import pytest

from tests.transports.conftest import Site

pytestmark = pytest.mark.anyio
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_request"),
        (b"Hello", 400, "malformed_request"),
        (b"[]", 400, "malformed_request"),
        (b"null", 400, "malformed_request"),
        (b"\xff", 400, "malformed_request"),
        (b"", 422, "invalid_request"),
        (b"{}", 422, "invalid_request"),
        (b'{"message": 5}', 422, "invalid_request"),
        (b'{"message": null}', 422, "invalid_request"),
        (b'{"message": ""}', 422, "invalid_request"),
        (b'{"message": " \\n"}', 422, "invalid_request"),
        (b'{"mesage": "Hi"}', 422, "invalid_request"),
        (b'{"message": "Hi", "session_id": "x"}', 422, "invalid_request"),
        (json.dumps({"message": "x" * (MIB + 1)}).encode(), 413, "too_large"),
        (json.dumps({"message": "ä" * (MIB // 2 + 1)}).encode(), 413, "too_large"),
        (b" " * (9 * MIB), 413, "too_large"),
    ],
)
@pytest.mark.parametrize("stream", ["", "/stream"])
async def test_a_wrong_message_is_a_status(site: Site, body: bytes, status: int, code: str, stream: str) -> None:
    path = f"/agents/assistant/sessions/{await site.new_session()}/messages"
    answered, told = await site.call(
        "POST", path + stream, data=BytesIO(body), headers={"Content-Type": "application/json"}
    )
    assert (answered, told["error"]["code"]) == (status, code)
    assert told["error"]["message"]
    site.world.will_say("Fine")
    assert (await site.call("POST", path, {"message": "Hi"}))[1]["response"] == "Fine"


async def test_a_body_of_unknown_length_is_bounded_too(site: Site) -> None:
    async def pieces() -> Any:
        for _ in range(9):
            yield b" " * MIB

    status, told = await site.call(
        "POST", "/agents/assistant/messages", data=pieces(), headers={"Content-Type": "application/json"}
    )
    assert (status, told["error"]["code"]) == (413, "too_large")


async def test_a_message_of_1_mib_is_taken_however_it_is_escaped(site: Site) -> None:
    site.world.will_say("Long")
    body = b'{"message": "' + b"\\u0061" * MIB + b'"}'
    status, reply = await site.call(
        "POST", "/agents/assistant/messages", data=BytesIO(body), headers={"Content-Type": "application/json"}
    )
    assert (status, reply["response"]) == (200, "Long")


async def test_half_characters_become_replacement_characters(site: Site) -> None:
    path = f"/agents/assistant/sessions/{await site.new_session()}/messages"
    site.world.will_say("a \ud800 b")
    headers = {"Content-Type": "application/json"}
    _, reply = await site.call("POST", path, data=rb'{"message": "x \udfff y"}', headers=headers)
    assert reply["response"] == "a \ufffd b"
    _, page = await site.call("GET", path)
    assert page["messages"][0]["content"] == "x \ufffd y"


@pytest.mark.parametrize(
    ("verb", "path", "code"),
    [
        ("GET", "/agents/nobody/sessions", "agent_not_found"),
        ("POST", "/agents/nobody/sessions", "agent_not_found"),
        ("GET", "/agents/nobody/sessions/x", "agent_not_found"),
        ("POST", "/agents/nobody/messages", "agent_not_found"),
        ("POST", "/agents/nobody/messages/stream", "agent_not_found"),
        ("GET", "/agents/nobody/messages/stream?message=Hi", "agent_not_found"),
        ("GET", "/agents/assistant/sessions/unknown", "session_not_found"),
        ("DELETE", "/agents/assistant/sessions/unknown", "session_not_found"),
        ("GET", "/agents/assistant/sessions/unknown/messages", "session_not_found"),
        ("POST", "/agents/assistant/sessions/unknown/messages", "session_not_found"),
        ("POST", "/agents/assistant/sessions/unknown/messages/stream", "session_not_found"),
        ("GET", "/agents/assistant/sessions/unknown/messages/stream?message=Hi", "session_not_found"),
        ("POST", "/agents/assistant/sessions/unknown/cancel", "session_not_found"),
        ("GET", "/agents/assistant/sessions/a%2Fb", "session_not_found"),
        ("GET", "/agents/assistant/sessions/a%00b", "session_not_found"),
        ("GET", "/agents/assistant/sessions/%F0%9F%98%80", "session_not_found"),
        ("GET", f"/agents/assistant/sessions/{'x' * 65}", "session_not_found"),
    ],
)
async def test_what_is_not_there_is_404(site: Site, verb: str, path: str, code: str) -> None:
    body = {"message": "Hi"} if verb == "POST" and "messages" in path else None
    status, told = await site.call(verb, path, body)
    assert (status, told["error"]["code"]) == (404, code)


async def test_an_unknown_agent_is_told_which_there_are(site: Site) -> None:
    _, told = await site.call("GET", "/agents/nobody/sessions")
    assert "assistant" in told["error"]["hint"]


async def test_sessions_of_others_and_of_other_agents_are_not_there(site: Site) -> None:
    session_id = await site.new_session()
    bob = {"Authorization": "Bearer token-of-bob"}
    for agent, headers in (("assistant", bob), ("patient", {})):
        path = f"/agents/{agent}/sessions/{session_id}"
        for verb, where in (("GET", path), ("DELETE", path), ("GET", f"{path}/messages"), ("POST", f"{path}/cancel")):
            assert (await site.call(verb, where, headers=headers))[0] == 404
        for where in (f"{path}/messages", f"{path}/messages/stream"):
            assert (await site.call("POST", where, {"message": "Hi"}, headers=headers))[0] == 404
    assert (await site.call("GET", f"/agents/assistant/sessions/{session_id}"))[0] == 200


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=201", "status=activ", "cursor=nonsense", "cursor=%00", "limit=%31%00"]
)
async def test_a_wrong_query_is_422(site: Site, query: str) -> None:
    status, told = await site.call("GET", f"/agents/assistant/sessions?{query}")
    assert (status, told["error"]["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("query", ["limit=1001", "cursor=nonsense"])
async def test_a_wrong_query_for_messages_is_422(site: Site, query: str) -> None:
    path = f"/agents/assistant/sessions/{await site.new_session()}/messages"
    status, told = await site.call("GET", f"{path}?{query}")
    assert (status, told["error"]["code"]) == (422, "invalid_request")


@pytest.mark.parametrize(
    "body",
    [
        {"session_id": ""},
        {"session_id": "a/b"},
        {"session_id": 5},
        {"title": "x" * 501},
        {"metadata": []},
        {"user": "eve"},
    ],
)
async def test_a_wrong_session_is_422(site: Site, body: dict[str, Any]) -> None:
    status, told = await site.call("POST", "/agents/assistant/sessions", body)
    assert (status, told["error"]["code"]) == (422, "invalid_request")


async def test_metadata_beyond_the_limit_is_413(site: Site) -> None:
    status, _ = await site.call("POST", "/agents/assistant/sessions", {"metadata": {"a": "x" * 70_000}})
    assert status == 413


async def test_text_that_is_not_utf_8_in_a_path_is_400(site: Site) -> None:
    import yarl

    async with site.http.get(yarl.URL(f"{site.base}/agents/%ff/sessions", encoded=True)) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == "malformed_request"
