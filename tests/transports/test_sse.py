"""Server-sent events, line by line of the product contract, section 5."""

import asyncio
import json
import socket

import aiohttp
import pytest
from yarl import URL

from hector_nb.errors import ModelError, ModelTimeout
from hector_nb.events import ThinkingDelta
from tests.transports.conftest import Site, Stream, block_of

pytestmark = pytest.mark.anyio
ONE_OFF = "/agents/assistant/messages/stream"


async def read_until(response: aiohttp.ClientResponse, part: str) -> str:
    """What the response sends, up to a block that holds `part`."""
    text = ""
    async with asyncio.timeout(30):
        while part not in text or not text.endswith("\n\n"):
            text += (await response.content.readline()).decode()
    return text


async def test_the_body_is_that_of_the_page(site: Site) -> None:
    site.world.will_say("Quantum", " computing", ' "uses" naïve 日本', "\n")
    stream = await site.stream("POST", ONE_OFF, {"message": "Explain quantum computing"})
    assert stream.status == 200
    turn = stream.turn_id
    assert stream.body == (
        "retry: 2000\n"
        f'id: {turn}:2\ndata: {{"chunk": "Quantum"}}\n\n'
        f'id: {turn}:3\ndata: {{"chunk": " computing"}}\n\n'
        f'id: {turn}:4\ndata: {{"chunk": " \\"uses\\" naïve 日本"}}\n\n'
        f'id: {turn}:5\ndata: {{"chunk": "\\n"}}\n\n'
        f"id: {turn}:7\ndata: [DONE]\n\n"
    )


async def test_the_headers_tell_proxies_to_keep_out_and_clients_where_they_are(site: Site) -> None:
    session_id = await site.new_session()
    site.world.will_say("Hi")
    stream = await site.stream("POST", f"/agents/assistant/sessions/{session_id}/messages/stream", {"message": "Hi"})
    assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert stream.headers["Cache-Control"] == "no-cache, no-transform"
    assert stream.headers["X-Accel-Buffering"] == "no"
    assert stream.headers["Hector-Session-Id"] == session_id
    assert stream.turn_id.startswith("turn_")


async def test_every_piece_is_sent_at_once(site: Site) -> None:
    release = asyncio.Event()
    site.world.will_say("First", release, "second")
    async with site.http.post(site.base + ONE_OFF, json={"message": "Hi"}) as response:
        assert '"First"' in await read_until(response, "First")
        release.set()
        assert await read_until(response, "[DONE]")


async def test_silence_is_broken_by_comments_also_before_the_first_word(site: Site) -> None:
    release = asyncio.Event()
    site.world.will_say(release, "Hi")
    async with site.http.post(f"{site.base}/agents/patient/messages/stream", json={"message": "Hi"}) as response:
        begin = await read_until(response, ": ping\n\n: ping\n\n")
        assert begin.startswith("retry: 2000\n: ping\n\n")
        release.set()
        rest = await read_until(response, "[DONE]")
        assert '{"chunk": "Hi"}' in rest


@pytest.mark.parametrize(("failure", "status"), [(ModelError("It broke."), 502), (ModelTimeout("Too slow."), 504)])
async def test_a_failure_before_the_first_frame_is_a_status(site: Site, failure: ModelError, status: int) -> None:
    site.world.will_say(failure)
    answered, body = await site.call("POST", ONE_OFF, {"message": "Hi"})
    assert (answered, body["error"]["message"]) == (status, failure.message)


async def test_a_failure_after_the_first_frame_is_the_last_event(site: Site) -> None:
    site.world.will_say("Well", ModelError("It broke."))
    stream = await site.stream("POST", ONE_OFF, {"message": "Hi"})
    assert stream.status == 200
    assert stream.text == "Well"
    assert stream.named == [("error", {"error": {"code": "model_error", "message": "It broke.", "retryable": True}})]
    assert stream.last["id"] == f"{stream.turn_id}:3"
    assert "[DONE]" not in stream.body


async def test_a_failure_after_a_heartbeat_is_an_event_too(site: Site) -> None:
    release = asyncio.Event()
    site.world.will_say(release, ModelError("It broke."))
    async with site.http.post(f"{site.base}/agents/patient/messages/stream", json={"message": "Hi"}) as response:
        await read_until(response, ": ping")
        release.set()
        assert response.status == 200
        assert "event: error" in await read_until(response, "It broke")


async def test_thinking_and_debug_text_come_as_chunks_where_the_agent_shows_them(site: Site) -> None:
    session_id = await site.new_session("chatty")
    path = f"/agents/chatty/sessions/{session_id}/messages"
    site.world.will_say(ThinkingDelta(text="Hm."), "Hello")
    stream = await site.stream("POST", f"{path}/stream", {"message": "Hi"})
    first, *middle, last = [json.loads(each["data"])["chunk"] for each in stream.events[:-1]]
    assert first.startswith(f"[Session: {session_id}]\n[Message: 1]\n[Memory: ")
    assert first.endswith(" tokens]\n")
    assert middle == ["Hm.", "\nHello"]
    assert last.startswith("\n[Response: ")
    assert last.endswith(" tokens, stop]")
    _, page = await site.call("GET", path)
    assert (page["messages"][1]["content"], page["messages"][1]["thinking"]) == ("Hello", "Hm.")


async def test_debug_can_be_asked_for_and_declined(site: Site) -> None:
    site.world.will_say("Hello")
    stream = await site.stream("POST", f"{ONE_OFF}?debug=true", {"message": "Hi"})
    assert stream.text.startswith("[Session: sess_")
    site.world.will_say("Hello")
    stream = await site.stream("POST", "/agents/chatty/messages/stream?debug=false", {"message": "Hi"})
    assert stream.text == "Hello"


async def test_events_come_by_name_instead_of_text(site: Site) -> None:
    site.world.will_say(ThinkingDelta(text="Hm."), "Hello")
    stream = await site.stream("POST", "/agents/chatty/messages/stream?events=all", {"message": "Hi"})
    assert stream.text == "Hello"
    assert [name for name, _ in stream.named] == ["session", "context", "debug", "thinking", "usage", "debug", "done"]
    named = dict(stream.named)
    assert named["session"]["session_id"] == stream.headers["Hector-Session-Id"]
    assert named["thinking"] == {"text": "Hm."}
    assert named["done"]["finish_reason"] == "stop"
    assert stream.last["data"] == "[DONE]"
    site.world.will_say(ThinkingDelta(text="Hm."), "Hello")
    stream = await site.stream("POST", f"{ONE_OFF}?events=usage", {"message": "Hi"})
    assert [name for name, _ in stream.named] == ["session", "usage", "done"]


async def test_without_streaming_the_answer_is_one_chunk(site: Site) -> None:
    site.world.will_say("Hel", "lo", " you")
    stream = await site.stream("POST", "/agents/whole/messages/stream", {"message": "Hi"})
    assert [each["data"] for each in stream.events] == ['{"chunk": "Hello you"}', "[DONE]"]


async def test_chunk_size_shapes_the_chunks_and_silence_lets_the_rest_go(site: Site) -> None:
    release = asyncio.Event()
    site.world.will_say("Hello, world", "!", release, "?")
    async with site.http.post(f"{site.base}/agents/tiny/messages/stream", json={"message": "Hi"}) as response:
        text = await read_until(response, '"!"')
        release.set()
        text += await read_until(response, "[DONE]")
    blocks = [block_of(each) for each in text.split("\n\n") if "data" in each]
    assert [json.loads(each["data"])["chunk"] for each in blocks[:-1]] == ["Hell", "o, w", "orld", "!", "?"]
    assert [each["id"].split(":")[1] for each in blocks] == ["1+4", "1+8", "2", "3", "4", "6"]


async def test_delay_ms_is_kept_between_chunks(site: Site) -> None:
    site.world.will_say("abcde")
    began = asyncio.get_running_loop().time()
    stream = await site.stream("POST", "/agents/slow/messages/stream", {"message": "Hi"})
    assert stream.text == "abcde"
    assert asyncio.get_running_loop().time() - began >= 0.1


async def test_a_client_that_leaves_a_one_off_stream_stops_it_at_once(site: Site) -> None:
    closed = site.world.model.closed
    site.world.will_say("So far", asyncio.Event())
    async with site.http.post(site.base + ONE_OFF, json={"message": "Hi"}) as response:
        await read_until(response, "So far")
    async with asyncio.timeout(30):
        while site.world.turns:
            await asyncio.sleep(0)
    assert site.world.model.closed == closed + 1


# --- GET


async def test_get_starts_a_turn_and_sends_its_id_before_anything_else(site: Site) -> None:
    session_id = await site.new_session()
    release = asyncio.Event()
    site.world.will_say(release, "Hello")
    url = f"{site.base}/agents/assistant/sessions/{session_id}/messages/stream"
    async with site.http.get(url, params={"message": "What is 1 + 1 & why?"}) as response:
        turn = response.headers["Hector-Turn-Id"]
        assert await read_until(response, "\n\n") == f"retry: 2000\nid: {turn}:0\n\n"
        release.set()
        assert (await read_until(response, "[DONE]")).count("retry:") == 0
    _, page = await site.call("GET", f"/agents/assistant/sessions/{session_id}/messages")
    assert [each["content"] for each in page["messages"]] == ["What is 1 + 1 & why?", "Hello"]


async def test_on_get_a_failure_of_the_model_is_an_event(site: Site) -> None:
    site.world.will_say(ModelError("It broke."))
    stream = await site.stream("GET", f"{ONE_OFF}?message=Hi")
    assert stream.status == 200
    assert [name for name, _ in stream.named] == ["error"]


async def test_an_event_source_that_reconnects_goes_on_in_the_same_turn(site: Site) -> None:
    session_id = await site.new_session("patient")
    path = f"/agents/patient/sessions/{session_id}/messages/stream?message=Hi"
    release = asyncio.Event()
    site.world.will_say("One", " two", release, " three")
    async with site.http.get(site.base + path) as response:
        begin = await read_until(response, "One")
    last = block_of(begin.rstrip("\n").split("\n\n")[-1])["id"]
    release.set()
    again = await site.stream("GET", path, headers={"Last-Event-ID": last})
    assert again.blocks[0] == {"retry": "2000", "id": last}
    assert again.text == " two three"
    assert again.last["data"] == "[DONE]"
    _, page = await site.call("GET", f"/agents/patient/sessions/{session_id}/messages")
    assert len(page["messages"]) == 2


async def finished(site: Site, *words: str, agent: str = "assistant") -> tuple[str, Stream]:
    """The path at which a session's one turn is read again, and its stream."""
    path = f"/agents/{agent}/sessions/{await site.new_session(agent)}/messages/stream"
    site.world.will_say(*words)
    stream = await site.stream("POST", path, {"message": "Hi"})
    return f"{path}?turn_id={stream.turn_id}", stream


async def test_resuming_gives_every_event_once_from_every_place(site: Site) -> None:
    path, stream = await finished(site, "One", " two", " three")
    for number, event in enumerate(stream.events[:-1]):
        rest = await site.stream("GET", f"{path}&last_event_id={event['id']}")
        assert rest.events == stream.events[number + 1 :]
    from_start = await site.stream("GET", path)
    assert from_start.events == stream.events
    from_zero = await site.stream("GET", path, headers={"Last-Event-ID": f"{stream.turn_id}:0"})
    assert from_zero.events == stream.events


async def test_resuming_inside_an_event_goes_on_exactly_there(site: Site) -> None:
    path, stream = await finished(site, "Hello, world", agent="tiny")
    assert [each["id"].split(":")[1] for each in stream.events] == ["1+4", "1+8", "2", "4"]
    for number, event in enumerate(stream.events[:-1]):
        rest = await site.stream("GET", path, headers={"Last-Event-ID": event["id"]})
        assert rest.events == stream.events[number + 1 :]
    for at in range(1, 12):
        rest = await site.stream("GET", path, headers={"Last-Event-ID": f"{stream.turn_id}:1+{at}"})
        assert rest.text == "Hello, world"[at:]


async def test_after_the_last_frame_there_is_nothing_to_go_on_with(site: Site) -> None:
    path, stream = await finished(site, "Hi")
    assert await site.call("GET", path, headers={"Last-Event-ID": stream.last["id"]}) == (204, None)
    assert await site.call("GET", f"{path}&last_event_id={stream.last['id']}") == (204, None)
    by_message = path.replace(f"turn_id={stream.turn_id}", "message=Hi")
    assert await site.call("GET", by_message, headers={"Last-Event-ID": stream.last["id"]}) == (204, None)


async def test_who_lacks_only_the_last_frame_gets_that_frame(site: Site) -> None:
    path, stream = await finished(site, "Hi")
    rest = await site.stream("GET", f"{path}&last_event_id={stream.events[-2]['id']}")
    assert rest.events == [stream.last]
    site.world.will_say("Hi", ModelError("It broke."))
    path, _, _ = path.partition("?")
    failed = await site.stream("POST", path, {"message": "Hi"})
    rest = await site.stream("GET", f"{path}?turn_id={failed.turn_id}&last_event_id={failed.events[-2]['id']}")
    assert rest.events == [failed.last]


async def test_a_cursor_behind_the_end_is_reset(site: Site) -> None:
    path, stream = await finished(site, "Hel", "lo")
    rest = await site.stream("GET", f"{path}&last_event_id={stream.turn_id}:99")
    assert rest.named == [("reset", {"turn_id": stream.turn_id, "text": "Hello"})]
    assert rest.last == stream.last


async def test_a_turn_that_began_by_post_can_be_joined(site: Site) -> None:
    path = f"/agents/assistant/sessions/{await site.new_session()}/messages/stream"
    release = asyncio.Event()
    site.world.will_say("One", release, " two")
    async with site.http.post(site.base + path, json={"message": "Hi"}) as response:
        await read_until(response, "One")
        turn = response.headers["Hector-Turn-Id"]
        joined = asyncio.create_task(site.stream("GET", f"{path}?turn_id={turn}"))
        release.set()
        assert (await joined).text == "One two"
        await response.read()


async def test_one_off_turns_can_be_joined_and_resumed_too(site: Site) -> None:
    site.world.will_say("One", " two")
    stream = await site.stream("POST", ONE_OFF, {"message": "Hi"})
    rest = await site.stream("GET", ONE_OFF, headers={"Last-Event-ID": stream.events[0]["id"]})
    assert rest.text == " two"


async def test_debug_lines_survive_a_resume(site: Site) -> None:
    path, stream = await finished(site, ThinkingDelta(text="Hm."), "Hello", agent="chatty")  # type: ignore[arg-type]
    for number, event in enumerate(stream.events[:-1]):
        rest = await site.stream("GET", f"{path}&last_event_id={event['id']}")
        assert rest.events == stream.events[number + 1 :]


# --- following, as only this wire shows it (`test_following.py` has the rest)


async def opening(site: Site, session_id: str, **headers: str) -> tuple[str, aiohttp.ClientResponse]:
    """What a follower is sent at once."""
    url = f"{site.base}/agents/patient/sessions/{session_id}/messages/stream"
    async with site.http.get(url, headers=headers) as response:
        return await read_until(response, "\n\n"), response


async def test_a_follower_is_told_at_once_where_it_is(site: Site) -> None:
    session_id = await site.new_session("patient")
    begin, response = await opening(site, session_id)
    assert begin == "retry: 2000\nid: start\n\n"
    assert response.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert response.headers["Hector-Session-Id"] == session_id
    assert "Hector-Turn-Id" not in response.headers
    gate = asyncio.Event()
    site.world.will_say("One", gate)
    path = f"/agents/patient/sessions/{session_id}/messages/stream"
    async with site.http.post(site.base + path, json={"message": "Hi"}) as running:
        turn_id = running.headers["Hector-Turn-Id"]
        assert (await opening(site, session_id))[0].startswith(f"retry: 2000\nid: {turn_id}:0\n\n")
        gate.set()
        last = block_of((await running.read()).decode().rstrip("\n").split("\n\n")[-1])["id"]
    for headers in ({}, {"Last-Event-ID": last}):
        assert (await opening(site, session_id, **headers))[0] == f"retry: 2000\nid: {last}\n\n"


async def test_a_quiet_session_is_followed_with_signs_of_life(site: Site) -> None:
    session_id = await site.new_session("patient")
    url = f"{site.base}/agents/patient/sessions/{session_id}/messages/stream"
    async with site.http.get(url) as response:
        assert (await read_until(response, ": ping\n\n: ping")).startswith("retry: 2000\nid: start\n\n: ping\n\n")


async def test_a_follower_of_a_session_that_is_gone_is_told_to_stop(site: Site) -> None:
    session_id = await site.new_session()
    path = f"/agents/assistant/sessions/{session_id}"
    await site.call("DELETE", path)
    last = {"Last-Event-ID": "turn_any:3"}
    assert await site.call("GET", f"{path}/messages/stream", headers=last) == (204, None)
    assert (await site.call("GET", f"{path}/messages/stream"))[0] == 404
    assert (await site.call("GET", f"{path}/messages/stream?turn_id=turn_any", headers=last))[0] == 404


async def test_a_failed_turn_does_not_end_the_following(site: Site) -> None:
    session_id = await site.new_session("patient")
    path = f"/agents/patient/sessions/{session_id}/messages"
    async with site.http.get(f"{site.base}{path}/stream") as response:
        await read_until(response, "id: start")
        site.world.will_say(ModelError("It broke."))
        site.world.will_say("Better")
        assert (await site.call("POST", path, {"message": "1"}))[0] == 502
        assert (await site.call("POST", path, {"message": "2"}))[0] == 200
        text = await read_until(response, "[DONE]")
    assert text.index("event: error") < text.index("Better")


async def test_the_header_of_a_reconnecting_event_source_is_newer_than_its_query(site: Site) -> None:
    path, stream = await finished(site, "One", " two", " three")
    first, second, *_ = stream.events
    rest = await site.stream("GET", f"{path}&last_event_id={first['id']}", headers={"Last-Event-ID": second["id"]})
    assert rest.text == " three"


async def test_a_plus_sign_in_the_query_may_be_written_plainly(site: Site) -> None:
    path, stream = await finished(site, "Hello, world", agent="tiny")
    url = f"{site.base}{path}&last_event_id={stream.turn_id}:1+4"
    async with site.http.get(URL(url, encoded=True)) as response:
        assert "o, w" in await read_until(response, "[DONE]")


@pytest.mark.parametrize("verb", ["POST", "GET"])
async def test_a_queued_message_is_kept_company_too(site: Site, verb: str) -> None:
    path = f"/agents/patient/sessions/{await site.new_session('patient')}/messages/stream"
    gate = asyncio.Event()
    site.world.will_say("One", gate)
    site.world.will_say("Two")
    body = {"json": {"message": "2"}} if verb == "POST" else {}
    async with site.http.post(site.base + path, json={"message": "1"}) as first:
        await read_until(first, "One")
        async with site.http.request(verb, f"{site.base}{path}?message=2", **body) as second:
            await read_until(second, ": ping\n\n: ping")
            gate.set()
            assert '"Two"' in await read_until(second, "[DONE]")


@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("?message=Hi&turn_id=turn_a", 422, "`message` starts a turn, `turn_id` joins one"),
        ("?message=", 422, "The message is empty."),
        ("?message=Hi&debug=perhaps", 422, "`debug` must be true or false."),
        ("?message=Hi&events=tool", 422, "`events` cannot be 'tool'"),
        ("?last_event_id=nonsense", 422, "The id of the last event is not one of ours."),
        ("?turn_id=nonsense", 422, "The id of the last event is not one of ours."),
        ("?turn_id=turn_a&last_event_id=turn_b:1", 422, "The id of the last event belongs to another turn"),
        ("?turn_id=turn_unknown", 404, "There is no turn"),
        ("?message=Hi&last_event_id=turn_unknown:3", 404, "There is no turn"),
    ],
)
async def test_what_is_wrong_with_a_get_is_a_status(site: Site, query: str, status: int, told: str) -> None:
    path = f"/agents/assistant/sessions/{await site.new_session()}/messages/stream"
    answered, body = await site.call("GET", path + query)
    assert (answered, body["error"]["message"][: len(told)]) == (status, told)
    assert body["error"]["code"] in {"invalid_request", "turn_not_found"}


async def test_turns_of_others_cannot_be_joined(site: Site) -> None:
    path, stream = await finished(site, "Hi")
    bob = {"Authorization": "Bearer token-of-bob"}
    assert (await site.call("GET", f"{ONE_OFF}?turn_id={stream.turn_id}", headers=bob))[0] == 404
    assert (await site.call("GET", path, headers=bob))[0] == 404
    other = f"/agents/assistant/sessions/{await site.new_session()}/messages/stream"
    assert (await site.call("GET", f"{other}?turn_id={stream.turn_id}"))[0] == 404


async def test_a_slow_reader_gets_joined_chunks_and_loses_nothing(site: Site) -> None:
    words = [f"{number}" + " and" * 60 for number in range(6000)]
    path = f"/agents/assistant/sessions/{await site.new_session()}/messages/stream"
    site.world.will_say(*words)
    asked = len(site.world.model.requests)
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", site.port))
    reader, writer = await asyncio.open_connection(sock=line, limit=2**14)
    body = b'{"message": "Hi"}'
    writer.write(
        b"POST "
        + site.base.partition(":")[2].partition(":")[2].partition("/")[2].join(["/", path]).encode()
        + b" HTTP/1.0\r\n"
        b"Host: localhost\r\nAuthorization: Bearer the-token\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(body) + body
    )
    async with asyncio.timeout(30):
        while site.world.turns or len(site.world.model.requests) == asked:
            await asyncio.sleep(0.01)
        received = (await reader.read(-1)).decode()
    writer.close()
    blocks = [block_of(each) for each in received.partition("\r\n\r\n")[2].split("\n\n") if "data" in each]
    texts = [json.loads(each["data"])["chunk"] for each in blocks[:-1]]
    assert "".join(texts) == "".join(words)
    assert len(texts) < len(words)
    assert blocks[-1]["data"] == "[DONE]"
