"""The six probes of the field notes, and what else goes wrong between a model, a server and its readers."""

import asyncio
import json
import random
import socket
from time import monotonic

import pytest

from tests.fakes.upstream import answer, cut, status
from tests.proof.lines import Copy
from tests.proof.serving import WITHIN, Dictation, Server, Site, asked, stalling

pytestmark = pytest.mark.anyio
ONCE = "/agents/assistant"


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same process", "another process"])
async def test_a_second_message_waits_for_the_first(site: Site, elsewhere: bool) -> None:
    first = await site.server()
    second = await site.server() if elsewhere else first
    path = await site.session(first)
    told = Dictation("one")
    site.upstream.then(told, answer("two"))
    running = await site.post(first, path, "1")
    await Copy().read(running, text="one")
    waiting = await site.post(second, path, "2")  # its headers come with a heartbeat: it stands in the queue
    assert len(site.upstream.requests) == 1
    told.end()
    assert (await Copy().read(waiting)).texts == {waiting.turn_id: "two"}
    roles = [(role, text) for role, text, _ in await site.transcript(second, path)]
    assert roles == [("user", "1"), ("assistant", "one"), ("user", "2"), ("assistant", "two")]
    assert asked(site.upstream) == roles[:3]


async def test_a_client_that_drops_leaves_the_partial_answer_and_closes_the_provider_after_the_grace(
    site: Site,
) -> None:
    server = await site.server()
    path = await site.session(server, "hasty")
    words = [f"w{number} " for number in range(24)]
    told = Dictation(*words)
    site.upstream.then(told)
    line = await site.post(server, path, "Hi")
    await Copy().read(line, text="w23 ")
    left = monotonic()
    line.leave()
    async with asyncio.timeout(WITHIN):
        await told.left.wait()
    assert 0.35 < monotonic() - left < 10
    await site.upstream.idle()
    assert site.upstream.abandoned == 1
    assert (await site.settled(server, path))[-1] == ("assistant", "".join(words), "cancelled")
    again = await Copy().read(await site.get(server, path, turn_id=line.turn_id))
    assert (again.texts, again.ends) == ({line.turn_id: "".join(words)}, {line.turn_id: "done"})


async def test_a_one_off_turn_ends_with_its_reader(site: Site) -> None:
    server = await site.server()
    for number, verb in enumerate(("POST", "GET", "plain")):
        told = Dictation("so far")
        site.upstream.then(told)
        if verb == "plain":
            asking = asyncio.create_task(site.call(server, "POST", f"{ONCE}/messages", {"message": "Hi"}))
            await site.upstream.received(number + 1)
            asking.cancel()
        else:
            line = await (site.post(server, ONCE, "Hi") if verb == "POST" else site.get(server, ONCE, message="Hi"))
            await Copy().read(line, text="so far")
            line.leave()
        left = monotonic()
        await asyncio.wait_for(told.left.wait(), WITHIN)
        assert monotonic() - left < 10


async def test_a_reader_who_comes_back_within_the_grace_goes_on(site: Site) -> None:
    server = await site.server()
    path = await site.session(server, "patient")
    told = Dictation("one ")
    site.upstream.then(told)
    line, copy = await site.post(server, path, "Hi"), Copy()
    await copy.read(line, text="one ")
    line.leave()
    again = await site.get(server, path, turn_id=line.turn_id, last=copy.last_id)
    beats = 17  # longer than the grace
    for _ in range(beats):
        await again.beat()
    assert not told.left.is_set()
    told.say("two")
    told.end()
    await copy.read(again)
    assert (copy.texts, copy.ends) == ({line.turn_id: "one two"}, {line.turn_id: "done"})


async def test_silence_before_the_first_token_is_filled_with_heartbeats(site: Site) -> None:
    server = await site.server()
    path = await site.session(server)
    told = Dictation()
    site.upstream.then(told)
    line = await site.post(server, path, "Hi")
    for _ in range(3):
        await line.beat()
    told.say("well")
    told.end()
    assert (await Copy().read(line)).texts == {line.turn_id: "well"}


async def test_a_provider_that_breaks_off_is_an_error_and_the_partial_answer_is_kept(site: Site) -> None:
    server = await site.server()
    path = await site.session(server)
    words = [f"w{number} " for number in range(10)]
    site.upstream.then(cut(*words), answer("fine"))
    line = await site.post(server, path, "Hi")
    copy = await Copy().read(line)
    assert (line.status, line.cut) == (200, False)
    assert copy.texts == {line.turn_id: "".join(words)}
    assert copy.ends[line.turn_id] not in {"done", "internal"}
    role, text, told = (await site.transcript(server, path))[-1]
    assert (role, text) == ("assistant", "".join(words))
    assert told in {"failed", "interrupted"}
    assert (await site.get(server, path, last=copy.last_id, turn_id=line.turn_id)).status == 204
    assert (await site.call(server, "POST", f"{path}/messages", {"message": "And?"}))[1]["response"] == "fine"


async def test_a_provider_that_fails_is_a_502(site: Site) -> None:
    server = await site.server()
    for path in ("/messages", "/messages/stream"):
        site.upstream.then(status(500, {"error": {"message": "no"}}))
        # A heartbeat would bring the headers before the failure is known.
        code, told = await site.call(server, "POST", f"/agents/silent{path}", {"message": "Hi"})
        assert code == 502
        assert told["error"]["code"]


async def test_streams_cut_at_random_bytes_join_to_every_event_exactly_once(site: Site) -> None:
    """Two processes, raw sockets closed after so many bytes, tokens as fast as they go."""
    servers = await site.two()
    path = await site.session(servers[0])
    words = [f"{number}é" for number in range(1500)]
    chance = random.Random(7)
    told = Dictation(*words[:700])
    site.upstream.then(told)
    starter = await site.get(servers[0], path, message="Hi")
    turn, copy, cuts = starter.turn_id, Copy(), 0
    while not copy.ends:
        if cuts == 10:
            told.say(*words[700:])
            told.end()
        cuts += 1
        budget = chance.choice([0, 40, 300, 1_000, 2_000]) if cuts < 40 else 1 << 30
        await read_bytes(chance.choice(servers), f"{path}/messages/stream?turn_id={turn}", copy, budget)
    assert cuts > 10, "the turn was over before it had been cut"
    assert (copy.texts, copy.ends, copy.resets) == ({turn: "".join(words)}, {turn: "done"}, 0)
    whole = await Copy().read(starter)
    assert (whole.texts, whole.last_id) == (copy.texts, copy.last_id)
    starter.leave()


async def read_bytes(server: Server, path: str, copy: Copy, budget: int) -> None:
    """Read so many bytes of a resumed stream, or until it pauses, then close the connection; what is half is forgotten."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    last = f"Last-Event-ID: {copy.last_id}\r\n" if copy.last_id else ""
    writer.write(f"GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n{last}\r\n".encode())
    data = b""
    while len(data) < budget and not data.endswith(b"[DONE]\n\n") and b": ping" not in data[-20:]:
        more = await asyncio.wait_for(reader.read(min(4096, budget - len(data))), WITHIN)
        if not more:
            break
        data += more
    writer.transport.abort()
    head, found, body = data.partition(b"\r\n\r\n")
    assert not found or b" 200 " in head.split(b"\r\n")[0], head
    for block in body.split(b"\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.decode().split("\n"))
        copy.last_id = fields.get("id", copy.last_id)
        if "data" in fields:
            copy.take_fields(fields)


async def test_curl_cancels_a_turn_that_runs_in_another_process_within_a_second(site: Site) -> None:
    first, second = await site.two()
    path = await site.session(first)
    told = Dictation("so far")
    site.upstream.then(told)
    line, copy = await site.post(first, path, "Hi"), Copy()
    await copy.read(line, text="so far")
    started = monotonic()
    curl = await asyncio.create_subprocess_exec(
        "curl", "-sS", "-X", "POST", f"{second.base}{path}/cancel", stdout=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(curl.communicate(), WITHIN)
    await asyncio.wait_for(told.left.wait(), WITHIN)
    assert monotonic() - started < 10
    assert json.loads(said)["turn"]["status"] == "cancelled"
    assert (await copy.read(line)).ends == {line.turn_id: "done"}
    assert await site.transcript(second, path) == [("user", "Hi", "complete"), ("assistant", "so far", "cancelled")]


async def test_curl_cancels_what_a_terminal_asked(site: Site) -> None:
    """The turn runs in the terminal's own process; its server is only a neighbour on the store."""
    server = await site.server()
    told = Dictation("so far")
    site.upstream.then(told)
    terminal = await site.terminal("call", "assistant", "--session", "from-terminal", "Hi")
    await site.upstream.received(1, WITHIN)
    started = monotonic()
    code, said = await site.call(server, "POST", "/agents/assistant/sessions/from-terminal/cancel")
    await asyncio.wait_for(told.left.wait(), WITHIN)
    assert monotonic() - started < 10
    assert (code, said["turn"]["status"]) == (200, "cancelled")
    await asyncio.wait_for(terminal.communicate(), WITHIN)


async def test_resume_and_cancel_work_together(site: Site) -> None:
    first, second = await site.two()
    path = await site.session(first)
    site.upstream.then(Dictation("so ", "far"))
    line, copy = await site.post(first, path, "Hi"), Copy()
    await copy.read(line, text="far")
    line.leave()
    again = await site.get(second, path, turn_id=line.turn_id, last=copy.last_id)
    await site.call(second, "POST", f"{path}/cancel")
    await copy.read(again)
    assert (copy.texts, copy.ends) == ({line.turn_id: "so far"}, {line.turn_id: "done"})
    assert (await site.get(first, path, turn_id=line.turn_id, last=copy.last_id)).status == 204


async def test_stalled_readers_among_fifty_cost_the_others_nothing(site: Site) -> None:
    """The others get a megabyte each meanwhile; for those who do not read the server could hold 25, but holds nothing."""
    stalled = 25
    server = await site.server()
    path = await site.session(server)
    told = Dictation("begin ")
    site.upstream.then(told)
    starter = await site.get(server, path, message="Hi")
    lines = [starter, *[await site.get(server, path, turn_id=starter.turn_id) for _ in range(49 - stalled)]]
    sockets = [stalling(server, f"{path}/messages/stream?turn_id={starter.turn_id}") for _ in range(stalled)]
    copies = [await Copy().read(line, text="begin ") for line in lines]
    before = server.memory()
    words = [f"{number:<2047} " for number in range(512)]
    told.say(*words)
    told.end()
    await asyncio.gather(*(copy.read(line) for copy, line in zip(copies, lines, strict=True)))
    whole = "begin " + "".join(words)
    assert {copy.texts[starter.turn_id] for copy in copies} == {whole}
    assert server.memory() - before < 25
    for each in await asyncio.gather(*(asyncio.to_thread(read_all, each) for each in sockets)):
        chunks = [json.loads(line[6:]) for line in each.decode().split("\n") if line.startswith('data: {"chunk"')]
        assert "".join(each["chunk"] for each in chunks) == whole
    assert server.memory() - before < 25


def read_all(line: socket.socket) -> bytes:
    """Everything to the end of the connection."""
    with line:
        return b"".join(iter(lambda: line.recv(1 << 16), b""))
