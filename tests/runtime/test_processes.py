"""Several engines over one store, as several processes are: turns, readers, cancels and crashes reach across."""

import asyncio

import pytest

from hector_nb.errors import ModelInterrupted, SessionEnded
from hector_nb.events import LoggedEvent, TextDelta, TurnDone, TurnFailed, TurnReset, TurnStarted
from hector_nb.messages import Message
from hector_nb.service import SendMessage, collect
from hector_nb.sessions import Lifetime
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import BegunTurn, NewTurn
from tests.runtime.world import World, events_of, first_text, opened, text_of

pytestmark = pytest.mark.anyio


async def stored(world: World, turn_id: str) -> None:
    """Wait until the turn's first words are in the store."""
    async with world.runtime.store.watch((await world.runtime.store.get_turn("ada", turn_id)).session_id) as watch:
        while not (await world.runtime.store.read_turn("ada", turn_id)).events:
            await watch.wait(5)


async def test_a_turn_is_read_from_another_process_while_it_runs() -> None:
    gate = asyncio.Event()
    async with opened([["one ", "two ", gate, "three"]]) as here, opened([]) as there:
        session = await here.session()
        stream = await here.send("go", session)
        await first_text(stream)
        follower = await there.service.follow_turn("assistant", stream.turn_id)
        async with follower:
            await first_text(follower)
            gate.set()
            rest = [each async for each in follower]
        assert isinstance(rest[-1].event, TurnDone)
        whole = await events_of(await there.service.follow_turn("assistant", stream.turn_id))
        assert [each.seq for each in whole] == list(range(1, len(whole) + 1))
        for cut in range(len(whole)):
            assert (
                await events_of(await there.service.follow_turn("assistant", stream.turn_id, after=cut)) == whole[cut:]
            )
        await stream.__aexit__(None, None, None)


async def test_a_turn_is_cancelled_from_another_process() -> None:
    never = asyncio.Event()
    async with opened([["so far", never]]) as here, opened([]) as there:
        session = await here.session()
        stream = await here.send("go", session)
        await first_text(stream)
        turn = await there.service.cancel_turn("assistant", session)
        assert turn is not None
        assert turn.status == "cancelled"
        assert here.model.closed == 1
        await stream.__aexit__(None, None, None)


async def test_messages_from_two_processes_never_interleave() -> None:
    gate = asyncio.Event()
    async with opened([["one", gate, "!"]]) as here, opened([["two"]]) as there:
        session = await here.session()
        first = await here.send("1", session)
        await first_text(first)
        second = await there.send("2", session)
        assert there.model.requests == []
        gate.set()
        assert await text_of(second) == "two"
        assert [text for _, text, _ in await here.transcript(session)] == ["1", "one!", "2", "two"]
        await first.__aexit__(None, None, None)


async def test_a_reader_in_another_process_keeps_a_turn_alive_and_its_leaving_ends_it() -> None:
    gate, never = asyncio.Event(), asyncio.Event()
    streaming = {"resume_grace": 0.05}
    async with (
        opened([["one", gate, "two", never]], streaming=streaming) as here,
        opened([], streaming=streaming) as there,
    ):
        session = await here.session()
        stream = await here.send("go", session)
        await first_text(stream)
        follower = await there.service.follow_turn("assistant", stream.turn_id)
        async with follower:
            await first_text(follower)
            await stream.__aexit__(None, None, None)
            await asyncio.sleep(0.2)  # longer than the grace: what is tested is that nothing happens
            run = here.runtime.runs[stream.turn_id]
            gate.set()
            await first_text(follower)
        await run.finished.wait()
        assert (await here.transcript(session))[-1] == ("assistant", "onetwo", "cancelled")


async def dead_turn(world: World, session: str, *words: str) -> str:
    """A turn whose process wrote some words and then died."""
    new = NewTurn(
        turn_id="turn_dead",
        agent="assistant",
        user="ada",
        session_id=session,
        message=Message(
            message_id="msg_1",
            turn_id="turn_dead",
            role="user",
            content="go",
            created_at=(await world.service.get_session("assistant", session)).created_at,
        ),
        holder="node_dead",
    )
    store = world.runtime.store
    assert isinstance(await store.begin_turn(new, window=Window(), lifetime=Lifetime()), BegunTurn)
    started = TurnStarted(
        session_id=session, turn_id="turn_dead", message_id="msg_1", message_number=1, memory_tokens=1
    )
    await store.write_turn("turn_dead", events=[started, *(TextDelta(text=word) for word in words)])
    await store.goodbye("node_dead")
    return "turn_dead"


async def test_a_dead_process_leaves_a_valid_session_and_its_readers_are_told() -> None:
    async with opened([]) as setup:
        session = await setup.session()
        turn_id = await dead_turn(setup, session, "so ", "far")
    async with opened([["fine"]]) as world:
        events = await events_of(await world.service.follow_turn("assistant", turn_id))
        assert [each.event.text for each in events if isinstance(each.event, TextDelta)] == ["so ", "far"]
        assert isinstance(events[-1].event, TurnFailed)
        assert events[-1].event.code == "interrupted"
        assert (await world.transcript(session))[-1] == ("assistant", "so far", "interrupted")
        assert await text_of(await world.send("again", session)) == "fine"
        assert await events_of(await world.service.follow_turn("assistant", turn_id, after=events[-1].seq)) == []
        with pytest.raises(ModelInterrupted):
            await collect(await world.service.follow_turn("assistant", turn_id))


async def test_a_reader_that_saw_more_than_the_dead_process_stored_gets_the_kept_text_instead() -> None:
    async with opened([]) as setup:
        session = await setup.session()
        turn_id = await dead_turn(setup, session, "so ", "far")
    async with opened([]) as world:
        for seen in (4, 5, 20):  # three events were stored
            reset, last = await events_of(await world.service.follow_turn("assistant", turn_id, after=seen))
            assert reset.event == TurnReset(turn_id=turn_id, text="so far")
            assert isinstance(last.event, TurnFailed)
            assert reset.seq < last.seq
            assert await events_of(await world.service.follow_turn("assistant", turn_id, after=reset.seq)) == [last]
        first, *_ = await events_of(await world.service.follow_turn("assistant", turn_id, after=3))
        assert isinstance(first.event, TurnFailed)


async def test_when_the_events_have_expired_a_reader_gets_the_text_and_the_end() -> None:
    async with opened([["the ", "answer"]], sessions={"keep_events": 0}) as world:
        session = await world.session()
        stream = await world.send("go", session)
        events = await events_of(stream)
        last_seq = events[-1].seq
        await world.runtime.store.sweep()
        for seen in (0, 2, last_seq - 2, last_seq + 1, 500):
            reset, last = await events_of(await world.service.follow_turn("assistant", stream.turn_id, after=seen))
            assert reset.event == TurnReset(turn_id=stream.turn_id, text="the answer")
            assert isinstance(last.event, TurnDone)
            assert last.seq == last_seq
        assert await events_of(await world.service.follow_turn("assistant", stream.turn_id, after=last_seq)) == []
        (only,) = await events_of(await world.service.follow_turn("assistant", stream.turn_id, after=last_seq - 1))
        assert isinstance(only.event, TurnDone)
        assert (await collect(await world.service.follow_turn("assistant", stream.turn_id))).response == "the answer"


async def test_a_cursor_ahead_of_a_running_turn_waits_for_it_and_is_then_put_right() -> None:
    gate = asyncio.Event()
    async with opened([["one", gate, "two"]]) as world:
        stream = await world.send("go", await world.session())
        await first_text(stream)
        ahead = await world.service.follow_turn("assistant", stream.turn_id, after=500)
        reading = asyncio.create_task(events_of(ahead))
        gate.set()
        whole = await events_of(stream)
        reset, last = await reading
        assert reset.event == TurnReset(turn_id=stream.turn_id, text="onetwo")
        assert last == whole[-1]


async def test_the_same_request_with_the_same_key_is_one_turn() -> None:
    async with opened([["once"]]) as here, opened([]) as there:
        session = await here.session()
        request = SendMessage(message="go", session_id=session, idempotency_key="k1")
        first = await here.service.stream_message("assistant", request)
        again = await here.service.stream_message("assistant", request)
        elsewhere = await there.service.stream_message("assistant", request)
        assert first.turn_id == again.turn_id == elsewhere.turn_id
        assert [await text_of(each) for each in (first, again, elsewhere)] == ["once"] * 3
        assert len(await here.transcript(session)) == 2


async def test_a_feed_gives_the_running_turn_and_every_later_one_whoever_starts_it() -> None:
    gate = asyncio.Event()
    async with opened([["one", gate]]) as here, opened([["two"]]) as there:
        session = await here.session()
        before = await here.service.follow_session("assistant", session)
        assert before.position == "start"
        first = await here.send("1", session)
        await first_text(first)
        feed = await there.service.follow_session("assistant", session)
        assert feed.position == f"{first.turn_id}:0"
        running = await feed.next_turn()
        assert running is not None
        gate.set()
        assert await text_of(running) == "one"
        second = await there.send("2", session)
        later = await feed.next_turn()
        assert later is not None
        assert later.turn_id == second.turn_id
        assert await text_of(later) == await text_of(second) == "two"
        assert [(await before.next_turn()).turn_id for _ in "12"] == [first.turn_id, second.turn_id]
        await there.service.end_session("assistant", session)
        assert await feed.next_turn() is None


async def test_a_feed_goes_on_after_its_turn_was_erased() -> None:
    async with opened([["one"], ["two"], ["three"]]) as world:
        session = await world.session()
        first = await world.send("1", session)
        assert await text_of(first) == "one"
        keep = (await world.service.list_messages("assistant", session)).items[-1].message_id
        erased = await world.send("2", session)
        assert await text_of(erased) == "two"
        feed = await world.service.follow_session("assistant", session, after=erased.turn_id)
        await world.service.rewind_session("assistant", session, after=keep)
        third = await world.send("3", session)
        assert await text_of(third) == "three"
        assert (await feed.next_turn()).turn_id == third.turn_id
        again = await world.service.follow_session("assistant", session, after=erased.turn_id)
        assert (await again.next_turn()).turn_id == third.turn_id


async def test_an_ended_session_gives_its_later_turns_to_those_who_lack_them_and_then_nothing() -> None:
    async with opened([["one"], ["two"]]) as world:
        session = await world.session()
        first, second = await world.send("1", session), await world.send("2", session)
        assert [await text_of(each) for each in (first, second)] == ["one", "two"]
        await world.service.end_session("assistant", session)
        for after, left in (("start", [first, second]), (first.turn_id, [second])):
            feed = await world.service.follow_session("assistant", session, after=after)
            assert [(await feed.next_turn()).turn_id for _ in left] == [each.turn_id for each in left]
            assert await feed.next_turn() is None
        for after in (None, second.turn_id):
            with pytest.raises(SessionEnded):
                await world.service.follow_session("assistant", session, after=after)


def texts(events: list[LoggedEvent]) -> list[str]:
    return [each.event.text for each in events if isinstance(each.event, TextDelta)]
