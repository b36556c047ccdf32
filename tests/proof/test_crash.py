"""kill -9 and SIGTERM at the worst moments: what was acknowledged is there, what was said is kept, everybody is told."""

import asyncio
import json
from collections.abc import Sequence
from time import monotonic

import aiohttp
import pytest

from hector_nb.runtime.intervals import DEAD_AFTER
from tests.fakes.upstream import answer
from tests.proof.lines import Copy, received
from tests.proof.serving import WITHIN, Dictation, Server, Site, asked, stalling

pytestmark = pytest.mark.anyio
WORDS = ["one ", "two ", "three "]


async def goes_on(site: Site, server: Server, path: str, before: Sequence[tuple[str, str, str]]) -> None:
    """The next message works: it is answered once, and the provider gets a conversation that it understands."""
    site.upstream.then(answer("fine"))
    status, reply = await site.call(server, "POST", f"{path}/messages", {"message": "And now?"})
    assert (status, reply["response"]) == (200, "fine")
    roles = [role for role, _ in asked(site.upstream)]
    assert roles == ["user", "assistant"] * (len(roles) // 2) + ["user"]
    assert await site.transcript(server, path) == [
        *before,
        ("user", "And now?", "complete"),
        ("assistant", "fine", "complete"),
    ]


async def resumed(site: Site, server: Server, path: str, copy: Copy, turn_id: str) -> Copy:
    """The rest of one turn, and then nothing more."""
    line = await site.get(server, path, last=copy.last_id, turn_id=turn_id)
    assert line.status == 200
    await copy.read(line)
    assert not line.cut
    assert (await site.get(server, path, last=copy.last_id, turn_id=turn_id)).status == 204
    return copy


async def test_killed_while_a_message_waits_in_the_queue(site: Site) -> None:
    first, second = await site.two()
    path = await site.session(first)
    site.upstream.then(Dictation("one "), answer("three"))
    running = await site.get(first, path, message="1")
    follower, before = await site.get(second, path), Copy()
    await before.read(follower, text="one ")
    waiting = await site.get(first, path, message="2")
    elsewhere = await site.get(second, path, message="3")
    first.kill()
    assert await running.next()
    assert await running.next() is None
    assert running.cut
    assert (await Copy().read(elsewhere)).ends == {elsewhere.turn_id: "done"}
    await before.read(follower, turns=3)
    assert list(before.ends.items()) == [
        (running.turn_id, "interrupted"),
        (waiting.turn_id, "interrupted"),
        (elsewhere.turn_id, "done"),
    ]
    third = await site.server()
    for server in (second, third):
        assert await site.transcript(server, path) == [
            ("user", "1", "complete"),
            ("assistant", "one ", "interrupted"),
            ("user", "2", "complete"),
            ("assistant", "", "interrupted"),
            ("user", "3", "complete"),
            ("assistant", "three", "complete"),
        ]
    assert asked(site.upstream) == [("user", "1"), ("assistant", "one "), ("user", "2\n\n3")]
    again = await resumed(site, third, path, Copy(last_id=waiting.last_id or f"{waiting.turn_id}:0"), waiting.turn_id)
    assert again.ends == {waiting.turn_id: "interrupted"}


async def test_killed_before_the_first_token(site: Site) -> None:
    first, second = await site.two()
    path = await site.session(first)
    follower = await site.get(second, path)
    site.upstream.then(Dictation())
    line = await site.get(first, path, message="Hi")
    await site.upstream.received(1)
    first.kill()
    assert await line.next() is None
    assert line.cut
    assert (await Copy().read(follower, turns=1)).ends == {line.turn_id: "interrupted"}
    copy = await resumed(site, second, path, Copy(last_id=line.last_id), line.turn_id)
    assert (copy.texts.get(line.turn_id, ""), copy.ends) == ("", {line.turn_id: "interrupted"})
    kept = [("user", "Hi", "complete"), ("assistant", "", "interrupted")]
    assert await site.transcript(second, path) == kept
    await goes_on(site, await site.server(), path, kept)


async def test_killed_in_the_middle_of_an_answer(site: Site) -> None:
    first, second = await site.two()
    path = await site.session(first)
    follower, starter, there = await site.get(second, path), Copy(), Copy()
    told = Dictation(*WORDS)
    site.upstream.then(told)
    line = await site.post(first, path, "Count")
    await starter.read(line, text="three ")
    await there.read(follower, text="three ")
    told.say("four ")
    await starter.read(line, text="four ")
    first.kill()
    async with asyncio.timeout(WITHIN):
        await told.left.wait()
    assert await line.next() is None
    await there.read(follower, turns=1)
    (_, (role, kept, status)) = await site.transcript(second, path)
    assert (role, status) == ("assistant", "interrupted")
    assert kept in {"one two three ", "one two three four "}
    await resumed(site, second, path, starter, line.turn_id)
    for copy in (starter, there, await Copy().read(await site.get(second, path, turn_id=line.turn_id))):
        assert (copy.texts, copy.ends) == ({line.turn_id: kept}, {line.turn_id: "interrupted"})
    await goes_on(site, second, path, [("user", "Count", "complete"), ("assistant", kept, "interrupted")])


async def test_killed_when_the_last_frame_is_out(site: Site) -> None:
    first, second = await site.two()
    path = await site.session(first)
    site.upstream.then(answer(*WORDS))
    line = await site.post(first, path, "Count")
    copy = await Copy().read(line, turns=1)
    first.kill()
    kept = [("user", "Count", "complete"), ("assistant", "one two three ", "complete")]
    assert await site.transcript(second, path) == kept
    assert (await site.get(second, path, last=copy.last_id, turn_id=line.turn_id)).status == 204
    turn, seq, _ = turn_and_place(copy.last_id)
    lacking = await Copy().read(await site.get(second, path, last=f"{turn}:{seq - 1}", turn_id=turn))
    assert (lacking.texts, lacking.ends, lacking.last_id) == ({}, {turn: "done"}, copy.last_id)
    await goes_on(site, second, path, kept)


@pytest.mark.parametrize("seen", [400, 12_000])
async def test_killed_in_a_flood_of_tokens(site: Site, seen: int) -> None:
    """As many tokens as the line takes: more is delivered than is on the disk, or the other way round."""
    first, second = await site.two()
    path = await site.session(first)
    words = [f"w{number} " for number in range(seen + 600)]
    site.upstream.then(Dictation(*words))
    follower = await site.get(second, path)
    line, copy = await site.post(first, path, "Flood"), Copy()
    await copy.read(line, text=words[seen - 1])
    first.kill()
    there = await Copy().read(follower, turns=1)
    (_, (_, kept, status)) = await site.transcript(second, path)
    assert status == "interrupted"
    assert "".join(words).startswith(kept)
    await resumed(site, second, path, copy, line.turn_id)
    for each in (copy, there):
        assert each.texts.get(line.turn_id, "") == kept
        assert each.ends == {line.turn_id: "interrupted"}
    assert copy.resets <= 1
    assert there.resets == 0


async def test_killed_alone_and_started_again(site: Site) -> None:
    first = await site.server()
    path = await site.session(first)
    site.upstream.then(Dictation(*WORDS))
    line, copy = await site.post(first, path, "Count"), Copy()
    await copy.read(line, text="three ")
    first.kill()
    again = await site.server()
    follower = await Copy().read(await site.get(again, path, last=copy.last_id), turns=1)
    await resumed(site, again, path, copy, line.turn_id)
    kept = copy.texts[line.turn_id]
    assert "one two three ".startswith(kept)
    assert follower.ends == copy.ends == {line.turn_id: "interrupted"}
    await goes_on(site, again, path, [("user", "Count", "complete"), ("assistant", kept, "interrupted")])


async def test_what_a_dead_process_ran_can_be_stopped_at_once(site: Site) -> None:
    first, second = await site.two()
    paths = [await site.session(first) for _ in "123"]
    site.upstream.then(*[Dictation("so far") for _ in paths])
    for path in paths:
        await Copy().read(await site.get(first, path, message="Hi"), text="so far")
        await site.call(second, "GET", path)
    first.kill()
    started = monotonic()
    assert (await site.call(second, "POST", f"{paths[0]}/cancel"))[0] == 200
    assert (await site.call(second, "POST", f"{paths[1]}/end"))[0] == 200
    assert await site.call(second, "DELETE", paths[2]) == (204, None)
    assert monotonic() - started < DEAD_AFTER
    assert (await site.call(second, "GET", paths[2]))[0] == 404
    for path in paths[:2]:
        (_, (role, _, status)) = await site.transcript(second, path)
        assert (role, status) == ("assistant", "interrupted")


async def test_a_request_that_is_repeated_after_a_crash_is_not_done_twice(site: Site) -> None:
    first, second = await site.two()
    path = await site.session(first)
    site.upstream.then(Dictation("so far"))
    once = {"headers": {"Idempotency-Key": "once"}}
    asking = asyncio.create_task(site.call(first, "POST", f"{path}/messages", {"message": "Hi"}, **once))
    await site.upstream.received(1)
    first.kill()
    with pytest.raises(aiohttp.ClientError):
        await asking
    status, told = await site.call(second, "POST", f"{path}/messages", {"message": "Hi"}, **once)
    assert (status, told["error"]["code"]) == (502, "interrupted")
    assert [role for role, _, _ in await site.transcript(second, path)] == ["user", "assistant"]
    assert len(site.upstream.requests) == 1


async def test_a_polite_end_does_not_wait_for_those_who_do_not_read(site: Site) -> None:
    server = await site.server()
    path = await site.session(server)
    told = Dictation(*["x" * 1000] * 4000)
    site.upstream.then(told)
    line = stalling(server, f"{path}/messages/stream?message=Hi")
    reader = await site.get(server, path)
    await Copy().read(reader, text="x" * 1000)
    code, seconds = await asyncio.to_thread(server.stop)
    line.close()
    assert (code, server.errors.read_text()) == (0, "")
    assert seconds < 15
    kept = await site.transcript(await site.server(), path)
    assert [status for *_, status in kept] == ["complete", "interrupted"]


async def test_a_polite_end_keeps_what_was_said_and_does_not_take_long(site: Site) -> None:
    first, second = await site.two()
    path, other = await site.session(first), await site.session(first)
    told = Dictation("so far")
    site.upstream.then(told)
    follower = await site.get(second, path)
    line = await site.get(first, path, message="Hi")
    idle = await site.get(first, other)
    await Copy().read(follower, text="so far")
    waiting = await site.get(first, path, message="More")
    reader, writer = await asyncio.open_connection("127.0.0.1", first.port)
    writer.write(f"GET {path}/messages/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    assert b"200" in await reader.readline()
    async with site.http.ws_connect(f"{first.base}/agents/assistant/stream") as socket:
        assert json.loads((await socket.receive()).data)["event"] == "session"
        await socket.send_str('{"follow": true}')
        await socket.send_str("not JSON")
        assert "error" in json.loads((await socket.receive()).data)  # what was said before has been done
        code, seconds = await asyncio.to_thread(first.stop)
        assert (code, first.errors.read_text()) == (0, "")
        assert seconds < 15
        said = await received(socket)
        assert (said.type, said.data) == (aiohttp.WSMsgType.CLOSE, 1001)
    writer.close()
    copy = await Copy().read(line)
    assert (copy.texts, copy.ends) == ({line.turn_id: "so far"}, {line.turn_id: "interrupted"})
    assert await idle.next() is None
    async with asyncio.timeout(WITHIN):
        await told.left.wait()
    ends = (await Copy().read(follower, turns=2)).ends
    assert ends == {line.turn_id: "interrupted", waiting.turn_id: "interrupted"}
    kept = [
        ("user", "Hi", "complete"),
        ("assistant", "so far", "interrupted"),
        ("user", "More", "complete"),
        ("assistant", "", "interrupted"),
    ]
    assert await site.transcript(second, path) == kept
    await goes_on(site, second, path, kept)


def turn_and_place(id_: str) -> tuple[str, int, int]:
    """The parts of an id."""
    turn, _, place = id_.partition(":")
    seq, _, offset = place.partition("+")
    return turn, int(seq), int(offset or 0)
