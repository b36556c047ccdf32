"""WebSocket: the frames of the product contract, section 6."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import pytest

from hector_nb.errors import ModelError, Unavailable
from hector_nb.events import ThinkingDelta
from hector_nb.service import SessionService
from hector_nb.transports.websocket import _SOCKETS, AgentSocket, close_sockets
from tests.transports.conftest import ALLOWED_ORIGIN, TOKEN, Site

pytestmark = pytest.mark.anyio
LONGEST = 30.0
"""Seconds that a test waits for what comes at once, unless the machine is busy."""


class Talk:
    """One connection, after its first frame."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self.session_id = ""

    async def hear(self) -> dict[str, Any]:
        found: dict[str, Any] = await self.socket.receive_json(timeout=LONGEST)
        return found

    async def say(self, **message: Any) -> None:
        await self.socket.send_json(message)

    async def turn(self) -> list[dict[str, Any]]:
        """All frames up to the turn's last."""
        frames = [await self.hear()]
        while not ("done" in frames[-1] or "error" in frames[-1]):
            frames.append(await self.hear())
        return frames


def text_of(frames: list[dict[str, Any]]) -> str:
    return "".join(frame.get("chunk", "") for frame in frames)


@asynccontextmanager
async def connected(site: Site, query: str = "", agent: str = "assistant", **more: Any) -> AsyncIterator[Talk]:
    async with site.http.ws_connect(f"{site.base}/agents/{agent}/stream{query}", **more) as socket:
        talk = Talk(socket)
        first = await talk.hear()
        assert first.keys() == {"event", "session_id"}
        assert first["event"] == "session"
        talk.session_id = first["session_id"]
        yield talk


async def test_a_message_is_answered_in_chunks(site: Site) -> None:
    async with connected(site) as talk:
        site.world.will_say("Quantum", " naïve")
        await talk.say(message="Explain")
        first, second, last = await talk.turn()
        turn = last["turn_id"]
        assert first == {"chunk": "Quantum", "id": f"{turn}:2"}
        assert second == {"chunk": " naïve", "id": f"{turn}:3"}
        assert last["done"] is True
        assert last["id"] == f"{turn}:5"
        assert last["finish_reason"] == "stop"
        assert last["usage"]["total_tokens"] > 0


async def test_many_turns_share_the_connection_and_its_session(site: Site) -> None:
    async with connected(site) as talk:
        assert (await site.call("GET", f"/agents/assistant/sessions/{talk.session_id}"))[0] == 404
        for word in ("One", "Two"):
            site.world.will_say(word)
            await talk.say(message="Hi")
            assert text_of(await talk.turn()) == word
        _, page = await site.call("GET", f"/agents/assistant/sessions/{talk.session_id}/messages")
        assert [each["content"] for each in page["messages"]] == ["Hi", "One", "Hi", "Two"]


async def test_messages_sent_at_once_are_answered_in_their_order(site: Site) -> None:
    async with connected(site) as talk:
        site.world.will_say("One")
        site.world.will_say("Two")
        await talk.say(message="1")
        await talk.say(message="2")
        assert [text_of(await talk.turn()), text_of(await talk.turn())] == ["One", "Two"]
        _, page = await site.call("GET", f"/agents/assistant/sessions/{talk.session_id}/messages")
        assert [each["content"] for each in page["messages"]] == ["1", "One", "2", "Two"]


async def test_a_session_can_be_chosen_for_the_connection_or_for_a_message(site: Site) -> None:
    one, two = await site.new_session(), await site.new_session()
    async with connected(site, f"?session_id={one}") as talk:
        assert talk.session_id == one
        for extra, session_id in (({}, one), ({"session_id": two}, two)):
            site.world.will_say("Hello")
            await talk.say(message="Hi", **extra)
            await talk.turn()
            _, session = await site.call("GET", f"/agents/assistant/sessions/{session_id}")
            assert session["message_count"] == 2


async def test_cancel_stops_the_turn_and_keeps_what_was_said(site: Site) -> None:
    async with connected(site) as talk:
        await talk.say(cancel=True)
        site.world.will_say("So far", asyncio.Event())
        await talk.say(message="Hi")
        assert (await talk.hear())["chunk"] == "So far"
        await talk.say(cancel=True)
        last = await talk.hear()
        assert (last["done"], last["finish_reason"]) == (True, "cancelled")
        site.world.will_say("Again")
        await talk.say(message="Hi")
        assert text_of(await talk.turn()) == "Again"


async def test_a_turn_is_resumed_where_it_was_left(site: Site) -> None:
    session_id = await site.new_session("patient")
    release = asyncio.Event()
    site.world.will_say("One", release, " two")
    async with connected(site, f"?session_id={session_id}", "patient") as talk:
        await talk.say(message="Hi")
        last = (await talk.hear())["id"]
    async with connected(site, f"?session_id={session_id}", "patient") as talk:
        await talk.say(resume=last)
        release.set()
        frames = await talk.turn()
        assert text_of(frames) == " two"
        await talk.say(resume=frames[-1]["id"])
        assert (await talk.hear())["error"]["code"] == "invalid_request"
        await talk.say(resume=frames[-1]["turn_id"] + ":99")
        assert await talk.hear() == {
            "event": "reset", "id": f"{frames[-1]['turn_id']}:4", "turn_id": frames[-1]["turn_id"], "text": "One two",
        }  # fmt: skip
        assert await talk.hear() == frames[-1]


async def test_a_failed_turn_ends_with_its_error_and_the_socket_stays_open(site: Site) -> None:
    async with connected(site) as talk:
        site.world.will_say("Well", ModelError("It broke."))
        await talk.say(message="Hi")
        last = (await talk.turn())[-1]
        assert last["error"] == {"code": "model_error", "message": "It broke.", "retryable": True}
        assert last["id"].endswith(":3")
        site.world.will_say("Better")
        await talk.say(message="Hi")
        assert text_of(await talk.turn()) == "Better"


async def test_events_come_by_name_and_debug_as_text_where_asked_for(site: Site) -> None:
    async with connected(site, "?events=all") as talk:
        site.world.will_say(ThinkingDelta(text="Hm."), "Hello")
        await talk.say(message="Hi")
        names = [frame.get("event", "chunk") for frame in (await talk.turn())[:-1]]
        assert names == ["session", "context", "debug", "thinking", "chunk", "usage", "debug"]
    async with connected(site, "?debug=true") as talk:
        site.world.will_say("Hello")
        await talk.say(message="Hi")
        assert text_of(await talk.turn()).startswith(f"[Session: {talk.session_id}]\n[Message: 1]\n")


async def test_chunks_are_shaped_and_silence_lets_the_rest_go(site: Site) -> None:
    async with connected(site, agent="tiny") as talk:
        release = asyncio.Event()
        site.world.will_say("Hello!", release)
        await talk.say(message="Hi")
        assert [(await talk.hear())["chunk"], (await talk.hear())["chunk"]] == ["Hell", "o!"]
        release.set()
        await talk.turn()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("{", "malformed_request"),
        ("[]", "malformed_request"),
        ("Hi", "malformed_request"),
        ("{}", "invalid_request"),
        ('{"message": ""}', "invalid_request"),
        ('{"message": 5}', "invalid_request"),
        ('{"mesage": "Hi"}', "invalid_request"),
        ('{"message": "Hi", "cancel": true}', "invalid_request"),
        ('{"cancel": false}', "invalid_request"),
        ('{"resume": "nonsense"}', "invalid_request"),
        ('{"resume": "turn_unknown:1"}', "turn_not_found"),
        ('{"message": "Hi", "session_id": "sess_unknown"}', "session_not_found"),
        ('{"message": "Hi", "session_id": "a b"}', "invalid_request"),
        ('{"cancel": true, "session_id": "sess_unknown"}', "session_not_found"),
        ('{"message": "' + "x" * (1024 * 1024 + 1) + '"}', "too_large"),
    ],
)
async def test_what_is_wrong_gets_an_error_frame_and_the_socket_stays_open(site: Site, said: str, code: str) -> None:
    async with connected(site) as talk:
        await talk.socket.send_str(said)
        frame = await talk.hear()
        assert frame.keys() == {"error"}
        assert frame["error"]["code"] == code
        site.world.will_say("Fine")
        await talk.say(message="Hi")
        assert text_of(await talk.turn()) == "Fine"


async def test_binary_is_refused(site: Site) -> None:
    async with connected(site) as talk:
        await talk.socket.send_bytes(b'{"message": "Hi"}')
        assert (await talk.hear())["error"]["code"] == "malformed_request"


async def test_a_frame_beyond_the_limit_closes_the_connection(site: Site) -> None:
    async with connected(site) as talk:
        await talk.socket.send_str("x" * (9 * 1024 * 1024))
        await talk.socket.receive(timeout=LONGEST)
        assert talk.socket.close_code == 1009
    async with connected(site) as talk:
        with suppress(ConnectionError):
            await talk.socket.send_str("x" * (17 * 1024 * 1024))
        await talk.socket.receive(timeout=LONGEST)
        assert talk.socket.closed


async def test_a_message_with_a_key_is_sent_once(site: Site) -> None:
    async with connected(site) as talk:
        site.world.will_say("Once")
        for _ in range(2):
            await talk.say(message="Hi", idempotency_key="k1")
            frames = await talk.turn()
            assert text_of(frames) == "Once"
        await talk.say(message="Ho", idempotency_key="k1")
        assert (await talk.hear())["error"]["code"] == "invalid_request"
        _, page = await site.call("GET", f"/agents/assistant/sessions/{talk.session_id}/messages")
        assert [each["content"] for each in page["messages"]] == ["Hi", "Once"]


async def test_who_follows_gets_its_own_turns_once_and_those_of_others(site: Site) -> None:
    async with connected(site) as talk:
        await talk.say(follow=True)
        for word in ("One", "Two"):
            site.world.will_say(word)
            await talk.say(message="Hi")
            assert [frame.get("chunk") for frame in await talk.turn()] == [word, None]
            site.world.will_say(word.upper())
            await site.call("POST", f"/agents/assistant/sessions/{talk.session_id}/messages", {"message": "Hi"})
            assert [frame.get("chunk") for frame in await talk.turn()] == [word.upper(), None]


@pytest.mark.parametrize("last", ["nonsense", "turn_x", 5, False])
async def test_what_cannot_be_followed_is_an_error_frame(site: Site, last: object) -> None:
    async with connected(site) as talk:
        await talk.say(follow=last)
        assert (await talk.hear())["error"]["code"] == "invalid_request"


async def test_a_session_is_followed_once_on_a_connection(site: Site) -> None:
    async with connected(site) as talk:
        other = await site.new_session()
        await talk.say(follow=True)
        await talk.say(follow=True, session_id=other)
        await talk.say(follow=True)
        assert (await talk.hear())["error"]["message"] == "This connection follows the session already."


async def test_a_session_that_was_deleted_is_followed_no_more(site: Site) -> None:
    async with connected(site) as talk:
        await talk.say(follow=True)
        await talk.say(cancel=True)
        await talk.say(resume="nonsense")
        assert (await talk.hear())["error"]["code"] == "invalid_request"
        await site.call("DELETE", f"/agents/assistant/sessions/{talk.session_id}")
        await talk.say(message="Hi")
        assert (await talk.hear())["error"]["code"] == "session_not_found"


async def test_a_server_that_stops_says_goodbye(site: Site) -> None:
    async with connected(site) as talk:
        close_sockets(site.settings)
        await talk.socket.receive(timeout=LONGEST)
        assert talk.socket.close_code == 1001


async def test_a_ping_that_is_due_when_the_line_breaks_is_not_sent(site: Site) -> None:
    async with connected(site) as talk:
        [socket] = [each for each in site.settings[_SOCKETS] if each._session_id == talk.session_id]
        socket.ws_connection.stream.close()  # the handler hears of it in a later round of the loop
        socket._ping()
        assert (await talk.socket.receive(timeout=LONGEST)).type is aiohttp.WSMsgType.CLOSED


async def test_a_client_that_leaves_before_the_upgrade_leaves_no_traceback(
    site: Site, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked, left, closed, service = asyncio.Event(), asyncio.Event(), asyncio.Event(), site.world.service
    hear_of_it, open_it = AgentSocket.on_connection_close, AgentSocket.open

    async def answer_late(user: str) -> SessionService:
        asked.set()
        await left.wait()
        return await service(user)

    def hear(socket: AgentSocket) -> None:
        if not left.is_set():
            asyncio.get_running_loop().call_soon(left.set)
        hear_of_it(socket)

    async def open_closed(socket: AgentSocket, *path: str) -> None:
        await open_it(socket, *path)
        socket._ping()
        asyncio.get_running_loop().call_soon(closed.set)

    monkeypatch.setattr(site.world, "service", answer_late)
    monkeypatch.setattr(AgentSocket, "on_connection_close", hear)
    monkeypatch.setattr(AgentSocket, "open", open_closed)
    async with asyncio.timeout(LONGEST):
        path = f"{site.base.partition(str(site.port))[2]}/agents/assistant/stream?token={TOKEN}"
        upgrade = (
            "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: a2V5\r\n"
        )
        _, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\n{upgrade}\r\n".encode())
        await asked.wait()
        writer.close()
        await closed.wait()
    assert [each.message for each in caplog.records if each.levelno > logging.INFO] == []


async def test_a_stopping_server_says_so_and_closes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async with connected(site) as talk:
        monkeypatch.setattr(site.world.runtime, "closing", True)
        await talk.say(message="Hi")
        assert (await talk.hear())["error"]["code"] == Unavailable.code
        await talk.socket.receive(timeout=LONGEST)
        assert talk.socket.close_code == 1013


async def test_closing_is_leaving(site: Site) -> None:
    closed = site.world.model.closed
    async with connected(site) as talk:
        site.world.will_say("So far", asyncio.Event())
        await talk.say(message="Hi")
        await talk.hear()
    async with asyncio.timeout(LONGEST):
        while site.world.turns:
            await asyncio.sleep(0)
    assert site.world.model.closed == closed + 1


async def test_the_server_pings(site: Site) -> None:
    async with connected(site, agent="patient", autoping=False) as talk:
        message = await talk.socket.receive(timeout=LONGEST)
        assert message.type is aiohttp.WSMsgType.PING


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/agents/assistant/stream", {"Authorization": ""}, 403),
        ("/agents/assistant/stream", {"Authorization": "Bearer wrong"}, 403),
        ("/agents/nobody/stream", {}, 404),
        ("/agents/assistant/stream?session_id=sess_unknown", {}, 404),
        ("/agents/assistant/stream?session_id=a%20b", {}, 404),
        ("/agents/assistant/stream?events=nonsense", {}, 422),
        ("/agents/assistant/stream?debug=perhaps", {}, 422),
    ],
)
async def test_what_is_wrong_before_the_upgrade_is_a_status(
    site: Site, path: str, headers: dict[str, str], status: int
) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await site.http.ws_connect(site.base + path, headers=headers)
    assert caught.value.status == status


async def test_a_token_in_the_query_is_enough(site: Site) -> None:
    url = f"{site.base}/agents/assistant/stream?token=the-token"
    async with aiohttp.ClientSession() as http, http.ws_connect(url) as socket:
        assert (await socket.receive_json(timeout=LONGEST))["event"] == "session"


@pytest.mark.parametrize(
    ("headers", "let_in"),
    [
        ({}, True),
        ({"Origin": "http://evil.example"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Origin": ALLOWED_ORIGIN, "Sec-Fetch-Site": "cross-site"}, True),
    ],
)
async def test_foreign_pages_are_refused_before_the_upgrade(
    open_door: Site, headers: dict[str, str], let_in: bool
) -> None:
    url = f"{open_door.base}/agents/assistant/stream"
    if let_in:
        async with open_door.http.ws_connect(url, headers=headers) as socket:
            assert (await socket.receive_json(timeout=LONGEST))["event"] == "session"
    else:
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await open_door.http.ws_connect(url, headers=headers)
        assert caught.value.status == 403


async def test_a_plain_get_is_told_that_this_path_is_for_sockets(site: Site) -> None:
    status, body = await site.call("GET", "/agents/assistant/stream")
    assert (status, body["error"]["code"]) == (426, "invalid_request")
