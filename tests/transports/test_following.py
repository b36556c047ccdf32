"""Followers of sessions and resumers of turns, over both streaming wires, at the server that runs the turn and at another one."""

import asyncio
from typing import Any

import pytest

from hector_nb.events import TextDelta, ThinkingDelta, TurnStarted
from hector_nb.messages import Message
from hector_nb.sessions import Lifetime
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import NewTurn
from tests.transports.conftest import Site
from tests.transports.lines import ENDED, WIRES, EventLine, Line, Wire, followed, kinds_of, resumed, text_of, turn_of

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("wire", WIRES)]


@pytest.fixture(params=["here", "there"])
def reading(request: pytest.FixtureRequest, here: Site, there: Site) -> Site:
    """Where the reader is: at the server that runs the turn, or at the other one."""
    found: Site = {"here": here, "there": there}[request.param]
    return found


async def send(site: Site, session_id: str, *steps: Any, agent: str = "assistant") -> dict[str, Any]:
    """One message and its whole answer."""
    site.world.will_say(*steps)
    status, reply = await site.call("POST", f"/agents/{agent}/sessions/{session_id}/messages", {"message": "Hi"})
    assert status == 200, reply
    found: dict[str, Any] = reply
    return found


async def opened(line: Line) -> None:
    """Wait until a follower follows."""
    if isinstance(line, EventLine):
        assert line.status == 200
        async with asyncio.timeout(30):
            await line.response.content.readuntil(b"\n\n")
    else:
        await line.say(cancel=True, session_id="sess_unknown")  # messages are taken in their order
        assert await line.hear() == (*ENDED, "session_not_found")


async def test_a_follower_gets_the_running_turn_from_its_start_and_every_later_one(
    here: Site, there: Site, reading: Site, wire: Wire
) -> None:
    session_id = await here.new_session()
    gate = asyncio.Event()
    here.world.will_say("One", gate, " two")
    path = f"/agents/assistant/sessions/{session_id}/messages"
    async with here.http.post(f"{here.base}{path}/stream", json={"message": "Hi"}) as response:
        while b"One" not in await response.content.readline():
            pass
        async with followed(wire, reading, session_id) as line:
            first = await line.hear()
            assert first[:2] == ("chunk", "One")
            gate.set()
            rest = await turn_of(line)
            assert (text_of(rest), kinds_of(rest)) == (" two", ["chunk", "done"])
            await response.read()
            for site, word in ((there, "three"), (here, "four")):
                reply = await send(site, session_id, word)
                frames = await turn_of(line)
                assert (text_of(frames), kinds_of(frames)) == (word, ["chunk", "done"])
                assert all(frame[-1].startswith(reply["turn_id"]) for frame in frames)


async def test_a_follower_of_a_quiet_session_gets_only_what_comes(reading: Site, here: Site, wire: Wire) -> None:
    session_id = await here.new_session()
    await send(here, session_id, "before")
    async with followed(wire, reading, session_id) as line:
        await opened(line)
        await send(here, session_id, "after")
        assert text_of(await turn_of(line)) == "after"


async def test_a_follower_that_comes_back_gets_everything_after_its_event_once(
    reading: Site, here: Site, wire: Wire
) -> None:
    session_id = await here.new_session()
    for word in ("one", "two", "three"):
        await send(here, session_id, word, word)
    async with followed(wire, reading, session_id, "start") as line:
        whole = [frame for _ in range(3) for frame in await turn_of(line)]
    assert text_of(whole) == "oneonetwotwothreethree"
    for number, frame in enumerate(whole[:-1], 1):
        async with followed(wire, reading, session_id, frame[-1]) as line:
            assert [await line.hear() for _ in whole[number:]] == whole[number:]
    async with followed(wire, reading, session_id, whole[-1][-1]) as line:
        await send(here, session_id, "four")
        assert text_of(await turn_of(line)) == "four"


async def test_followers_are_told_when_the_session_is_over(reading: Site, here: Site, wire: Wire) -> None:
    session_id = await here.new_session()
    await send(here, session_id, "one")
    async with followed(wire, reading, session_id, "start") as line:
        frames = await turn_of(line)
        await here.call("POST", f"/agents/assistant/sessions/{session_id}/end")
        if wire == "sse":
            assert await line.hear() == ENDED
    async with followed(wire, reading, session_id, frames[0][-1]) as line:
        assert await turn_of(line) == frames[1:]
        if wire == "sse":
            assert await line.hear() == ENDED
    for last, status in ((frames[-1][-1], 204), (None, 409)):
        async with followed(wire, reading, session_id, last) as line:
            if wire == "sse":
                assert line.status == status
            else:
                assert await line.hear() == (*ENDED, "session_ended")


async def test_a_follower_whose_turn_was_erased_is_told_so_and_goes_on(reading: Site, here: Site, wire: Wire) -> None:
    session_id = await here.new_session()
    kept = await send(here, session_id, "one")
    erased = await send(here, session_id, "two")
    path = f"/agents/assistant/sessions/{session_id}"
    assert (await here.call("POST", f"{path}/rewind", {"after": kept["message_id"]}))[0] == 200
    await send(here, session_id, "three")
    async with followed(wire, reading, session_id, f"{erased['turn_id']}:2") as line:
        assert [await line.hear() for _ in "12"] == [
            ("reset", "", f"{erased['turn_id']}:3"),
            ("error", "turn_not_found", f"{erased['turn_id']}:4"),
        ]
        assert text_of(await turn_of(line)) == "three"


async def test_a_turn_is_resumed_anywhere_while_it_runs(reading: Site, here: Site, wire: Wire) -> None:
    session_id = await here.new_session("patient")
    gate = asyncio.Event()
    here.world.will_say("One", gate, " two", " three")
    url = f"{here.base}/agents/patient/sessions/{session_id}/messages/stream"
    async with here.http.post(url, json={"message": "Hi"}) as response:
        while not (line := await response.content.readline()).startswith(b"id:"):
            pass
        last = line.decode()[4:].strip()
    async with resumed(wire, reading, session_id, last, agent="patient") as reader:
        asyncio.get_running_loop().call_later(0.1, gate.set)
        frames = await turn_of(reader)
        assert text_of(frames) == " two three"
        assert kinds_of(frames) == ["chunk", "chunk", "done"]


async def test_resuming_and_cancelling_work_together(reading: Site, here: Site, wire: Wire) -> None:
    session_id = await here.new_session("patient")
    here.world.will_say("One", asyncio.Event())
    path = f"/agents/patient/sessions/{session_id}"
    async with here.http.post(f"{here.base}{path}/messages/stream", json={"message": "Hi"}) as response:
        turn_id = response.headers["Hector-Turn-Id"]
        while b"One" not in await response.content.readline():
            pass
    async with resumed(wire, reading, session_id, f"{turn_id}:1", agent="patient") as line:
        assert (await line.hear())[1] == "One"
        status, body = await reading.call("POST", f"{path}/cancel")
        assert (status, body["turn"]["status"]) == (200, "cancelled")
        last = await line.hear()
        assert last[0] == "done"
    async with resumed(wire, reading, session_id, last[-1], agent="patient") as line:
        if wire == "sse":
            assert line.status == 204
        else:
            assert await line.hear() == (*ENDED, "invalid_request")


@pytest.mark.parametrize("agent", ["assistant", "chatty", "tiny"])
async def test_a_cursor_ahead_of_a_running_turn_waits_for_its_end_and_is_put_right(
    reading: Site, here: Site, wire: Wire, agent: str
) -> None:
    session_id = await here.new_session(agent)
    gate = asyncio.Event()
    here.world.will_say(ThinkingDelta(text="Hm."), "One", gate, " two")
    path = f"/agents/{agent}/sessions/{session_id}/messages"
    sending = asyncio.create_task(here.call("POST", path, {"message": "Hi"}))
    async with asyncio.timeout(30):
        while not (turn_id := (await here.call("GET", f"/agents/{agent}/sessions/{session_id}"))[1]["running_turn"]):
            await asyncio.sleep(0)
    async with resumed(wire, reading, session_id, f"{turn_id}:500", agent=agent) as line:
        asyncio.get_running_loop().call_later(0.1, gate.set)
        frames = await turn_of(line)
        assert frames[0][:2] == ("reset", "One two")
        assert frames[-1][0] == "done"
    assert (await sending)[0] == 200


@pytest.mark.parametrize("agent", ["assistant", "chatty", "tiny", "whole"])
@pytest.mark.parametrize("beyond", ["{last}+1", "{more}", "999"])
async def test_a_cursor_behind_the_end_of_a_turn_is_put_right(
    reading: Site, here: Site, wire: Wire, agent: str, beyond: str
) -> None:
    session_id = await here.new_session(agent)
    reply = await send(here, session_id, ThinkingDelta(text="Hm."), "Hel", "lo", agent=agent)
    async with resumed(wire, reading, session_id, f"{reply['turn_id']}:0", agent=agent) as line:
        last = (await turn_of(line))[-1]
    seq = int(last[-1].split(":")[1])
    cursor = f"{reply['turn_id']}:{beyond.format(last=seq, more=seq + 1)}"
    async with resumed(wire, reading, session_id, cursor, agent=agent) as line:
        frames = await turn_of(line)
    assert frames[0] == ("reset", "Hello", f"{reply['turn_id']}:{seq - 1}")
    assert frames[-1] == last
    async with resumed(wire, reading, session_id, frames[0][-1], agent=agent) as line:
        assert await turn_of(line) == frames[1:]


async def dead_turn(here: Site, session_id: str, agent: str, name: str, *words: str) -> str:
    """A turn whose process wrote some words, delivered more, and died."""
    _, session = await here.call("GET", f"/agents/{agent}/sessions/{session_id}")
    store = here.world.runtime.store
    found = await store.get_session("local", session["session_id"])
    assert found is not None
    message = Message(message_id="msg_1", turn_id=name, role="user", content="go", created_at=found.created_at)
    new = NewTurn(turn_id=name, agent=agent, user="local", session_id=session_id, message=message, holder="node_dead")
    await store.begin_turn(new, window=Window(), lifetime=Lifetime())
    started = TurnStarted(session_id=session_id, turn_id=name, message_id="msg_1", message_number=1, memory_tokens=1)
    await store.write_turn(name, events=[started, *(TextDelta(text=word) for word in words)])
    await store.goodbye("node_dead")
    return name


@pytest.mark.parametrize("agent", ["assistant", "chatty", "tiny"])
async def test_what_a_dead_process_delivered_and_did_not_store_is_replaced(
    reading: Site, here: Site, wire: Wire, agent: str
) -> None:
    session_id = await here.new_session(agent)
    turn_id = await dead_turn(here, session_id, agent, f"turn_dead_{session_id}", "so ", "far")
    await reading.world.runtime.recover()
    for seen in ("4", "20", "3+2"):  # three events were stored
        async with resumed(wire, reading, session_id, f"{turn_id}:{seen}", agent=agent) as line:
            reset, last = await turn_of(line)
            assert reset[:2] == ("reset", "so far")
            assert last[:2] == ("error", "interrupted")
    async with resumed(wire, reading, session_id, f"{turn_id}:2", agent=agent) as line:
        frames = await turn_of(line)
        assert (text_of(frames), kinds_of(frames)[-1]) == ("far", "error")


@pytest.mark.parametrize("agent", ["brief", "brief-thinker"])
async def test_when_the_events_have_expired_a_reader_gets_the_text_and_the_end(
    reading: Site, here: Site, wire: Wire, agent: str
) -> None:
    session_id = await here.new_session(agent)
    reply = await send(here, session_id, "The ", "answer", agent=agent)
    await here.world.runtime.store.sweep()
    for seen in ("0", "2", "2+1"):
        async with resumed(wire, reading, session_id, f"{reply['turn_id']}:{seen}", agent=agent) as line:
            frames = await turn_of(line)
        assert frames[0][:2] == ("reset", "The answer")
        assert (frames[-1][0], kinds_of(frames).count("reset")) == ("done", 1)
    async with followed(wire, reading, session_id, f"{reply['turn_id']}:2", agent=agent) as line:
        assert (await line.hear())[0] == "reset"


async def test_many_clients_follow_one_session(here: Site, there: Site, wire: Wire) -> None:
    session_id = await here.new_session()

    async def follow(site: Site) -> str:
        async with followed(wire, site, session_id, "start") as line:
            return text_of([*await turn_of(line), *await turn_of(line)])

    async with asyncio.TaskGroup() as tasks:
        readers = [tasks.create_task(follow(site)) for site in (here, there) * 10]
        await send(here, session_id, "one", " ")
        await send(there, session_id, "two")
    assert {each.result() for each in readers} == {"one two"}
