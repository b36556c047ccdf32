"""What every store does, sentence by sentence of `stores/base_turns.py`: turns, their order, their logs and who holds them."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from hector_nb.errors import SessionBusy, SessionEnded, SessionNotFound, TooManyWaiting, TurnNotFound
from hector_nb.events import (
    LoggedEvent,
    ModelUsed,
    TextDelta,
    ThinkingDelta,
    ToolCalled,
    ToolReturned,
    TurnDone,
    TurnFailed,
    TurnStarted,
)
from hector_nb.messages import Usage
from hector_nb.sessions import Lifetime
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import MAX_WAITING, BegunTurn, QueuedTurn, TurnOutcome

from .making import (
    COMPLETE,
    OVER,
    USER,
    ago,
    begin,
    exchange,
    finish,
    make_message,
    make_session,
    make_turn,
    one_off,
    transcript,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session(store):
    return (await store.create_session(make_session()))[0]


async def test_a_turn_begins_at_once_in_an_idle_session(store, session):
    begun = await begin(store, "t1", "hello")
    assert isinstance(begun, BegunTurn)
    assert begun.turn == await store.get_turn(USER, "t1")
    assert (begun.turn.status, begun.turn.last_seq, begun.turn.finished) == ("running", 0, False)
    assert begun.turn.message_id == begun.message.message_id
    assert begun.session == await store.get_session(USER, "s")
    assert begun.session.running_turn == "t1"
    assert (begun.message_number, begun.first_position, begun.history) == (1, 1, [])
    assert await transcript(store) == ["hello"]


async def test_message_numbers_count_the_users_messages(store, session):
    for n in range(3):
        begun = await begin(store, f"t{n}")
        assert (begun.message_number, begun.first_position) == (n + 1, 1)
        await finish(store, f"t{n}")


async def test_beginning_refreshes_the_session_and_reading_does_not(store):
    await store.create_session(make_session(created_at=ago(500), last_active_at=ago(500), expires_at=ago(-50)))
    lifetime = Lifetime(timeout=300, max_duration=600)
    session = (await begin(store, "t1", lifetime=lifetime)).session
    assert ago(100) < session.last_active_at <= ago()
    assert session.expires_at == session.created_at + timedelta(seconds=600)
    await finish(store, "t1")
    assert (await store.get_session(USER, "s")).last_active_at == session.last_active_at
    refreshed = (await begin(store, "t2", lifetime=Lifetime(timeout=300))).session
    assert refreshed.expires_at == refreshed.last_active_at + timedelta(seconds=300)
    await finish(store, "t2")
    assert (await begin(store, "t3")).session.expires_at is None


async def test_a_second_turn_waits_and_begins_when_the_first_is_finished(store, session):
    await begin(store, "t1", "one")
    queued = await begin(store, "t2", "two")
    assert isinstance(queued, QueuedTurn)
    assert (queued.ahead, queued.running, queued.turn.status) == ("t1", "t1", "queued")
    assert await transcript(store) == ["one"]
    assert isinstance(await begin(store, "t2", "two"), QueuedTurn)
    await finish(store, "t1", "first")
    begun = await begin(store, "t2", "two")
    assert isinstance(begun, BegunTurn)
    assert [m.content for m in begun.history] == ["one", "first"]
    assert begun.message_number == 2
    assert await transcript(store) == ["one", "first", "two"]


async def test_turns_begin_in_the_order_in_which_they_were_queued_whoever_holds_them(store, session):
    holders = {"t1": "a", "t2": "b", "t3": "a", "t4": "b"}
    for turn_id, holder in holders.items():
        await begin(store, turn_id, turn_id, holder=holder)
    assert [turn.turn_id for turn in await store.unfinished_turns(USER, "s")] == list(holders)
    queued = await begin(store, "t4", holder="b")
    assert (queued.ahead, queued.running) == ("t3", "t1")
    await finish(store, "t1", "re t1")
    for later in ("t3", "t4"):
        assert isinstance(await begin(store, later, holder=holders[later]), QueuedTurn)
    assert (await begin(store, "t3", holder="a")).running == "t2"
    for turn_id in ("t2", "t3", "t4"):
        assert isinstance(await begin(store, turn_id, holder=holders[turn_id]), BegunTurn)
        await finish(store, turn_id, f"re {turn_id}")
    assert await transcript(store) == ["t1", "re t1", "t2", "re t2", "t3", "re t3", "t4", "re t4"]
    assert await store.unfinished_turns(USER, "s") == []


async def test_a_queued_turns_first_message_is_the_one_that_counts(store, session):
    await begin(store, "t1")
    queued = await begin(store, "t2", "first wording")
    await finish(store, "t1")
    begun = await begin(store, "t2", "second wording")
    assert begun.message.content == "first wording"
    assert begun.message.message_id == queued.turn.message_id


async def test_turns_of_different_sessions_do_not_wait_for_each_other(store, session):
    await store.create_session(make_session("other"))
    await begin(store, "t1")
    assert isinstance(await begin(store, "t2", session_id="other"), BegunTurn)


async def test_calling_again_for_a_begun_turn_gives_the_same_answer(store, session):
    await exchange(store, "t1")
    begun = await begin(store, "t2")
    assert await begin(store, "t2") == begun
    assert (await store.get_session(USER, "s")).message_count == 3


async def test_reject_refuses_while_a_turn_is_unfinished(store, session):
    assert isinstance(await begin(store, "t1", if_busy="reject"), BegunTurn)
    with pytest.raises(SessionBusy) as refused:
        await begin(store, "t2", if_busy="reject")
    assert refused.value.details == {"running_turn": "t1"}
    assert await store.get_turn(USER, "t2") is None
    await finish(store, "t1")
    assert isinstance(await begin(store, "t2", if_busy="reject"), BegunTurn)


async def test_interrupt_asks_the_unfinished_turns_to_stop(store, session):
    await begin(store, "t1", holder="a")
    await begin(store, "t2", holder="b")
    assert isinstance(await begin(store, "t3", if_busy="interrupt", holder="b"), QueuedTurn)
    assert await store.cancel_requests("a") == ["t1"]
    assert await store.cancel_requests("b") == ["t2"]


async def test_only_so_many_turns_may_wait(store, session):
    await begin(store, "t0")
    for n in range(MAX_WAITING):
        await begin(store, f"w{n}")
    with pytest.raises(TooManyWaiting):
        await begin(store, "late")
    assert await store.get_turn(USER, "late") is None
    assert isinstance(await begin(store, "w3"), QueuedTurn)
    await finish(store, "t0")
    await begin(store, "w0")
    assert isinstance(await begin(store, "late"), QueuedTurn)


async def test_there_must_be_a_session_of_this_user_and_agent(store, session):
    for stranger in ({"session_id": "gone"}, {"user": "bob"}, {"agent": "coder"}):
        with pytest.raises(SessionNotFound):
            await begin(store, "t1", **stranger)
    assert await store.get_turn(USER, "t1") is None


async def test_nothing_can_be_queued_in_an_ended_or_expired_session(store, session):
    await store.end_session(USER, "s")
    with pytest.raises(SessionEnded) as ended:
        await begin(store, "t1")
    assert ended.value.details == {"status": "ended"}
    await store.create_session(make_session("old", expires_at=ago(1)))
    with pytest.raises(SessionEnded) as expired:
        await begin(store, "t1", session_id="old")
    assert expired.value.details == {"status": "expired"}
    assert await store.get_turn(USER, "t1") is None


async def test_a_queued_turn_does_not_begin_in_an_ended_session(store, session):
    await begin(store, "t1")
    await begin(store, "t2", "too late")
    await store.end_session(USER, "s")
    with pytest.raises(SessionEnded):
        await begin(store, "t2")
    await finish(store, "t1")
    assert (await store.write_turn("t2", outcome=TurnOutcome(status="failed"))).status == "failed"
    assert await transcript(store) == ["hello", "hi", "too late"]


async def test_a_queued_turn_begins_though_its_session_has_expired_meanwhile(store, session):
    await begin(store, "t1", lifetime=Lifetime(timeout=0.0))
    assert (await store.get_session(USER, "s")).status == "expired"
    with pytest.raises(SessionEnded):
        await begin(store, "t2")
    await store.delete_session(USER, "s")
    await store.create_session(make_session(expires_at=ago(-60)))
    await begin(store, "t3")
    await begin(store, "t4")
    await finish(store, "t3")
    assert (await begin(store, "t4", lifetime=Lifetime(timeout=60))).session.status == "active"


async def test_a_finished_turn_does_not_begin_again(store, session):
    await exchange(store, "t1")
    with pytest.raises(TurnNotFound):
        await begin(store, "t1")
    await store.create_session(make_session("other"))
    await begin(store, "t2", session_id="other")
    with pytest.raises(TurnNotFound):
        await begin(store, "t2")


async def test_a_one_off_turn_brings_its_session(store):
    begun = await one_off(store, "t1")
    assert begun.session.session_id == "once-t1"
    assert not begun.session.listed
    assert await transcript(store, "once-t1") == ["hello", "hi"]


async def test_events_are_numbered_without_gaps(store, session):
    await begin(store, "t1")
    usage = Usage(prompt_tokens=7, completion_tokens=3, estimated=True)
    events = [
        TurnStarted(session_id="s", turn_id="t1", message_id="m", message_number=1, memory_tokens=0),
        ThinkingDelta(text="hm"),
        ToolCalled(call_id="c", name="f", arguments={"x": [1]}),
        ToolReturned(call_id="c", name="f", output="1", is_error=True),
        TextDelta(text="one"),
        TextDelta(text=""),
        ModelUsed(usage=usage),
        TurnFailed(code="model_error", message="m", hint="h", retryable=True),
        TurnDone(turn_id="t1", message_id="m2", finish_reason="stop", usage=usage),
    ]
    assert (await store.write_turn("t1", events=events[:4])).last_seq == 4
    assert (await store.write_turn("t1")).last_seq == 4
    assert (await store.write_turn("t1", events=events[4:5])).last_seq == 5
    turn = await store.write_turn("t1", events=events[5:], outcome=COMPLETE)
    log = await store.read_turn(USER, "t1")
    assert log.turn == turn
    assert log.events == [LoggedEvent(n, event) for n, event in enumerate(events, 1)]
    assert turn.last_seq == len(events)
    for after in range(11):
        assert (await store.read_turn(USER, "t1", after=after)).events == log.events[after:]
        assert (await store.read_turn(USER, "t1", after=after, limit=3)).events == log.events[after:][:3]


async def test_an_outcome_finishes_the_turn(store, session):
    await begin(store, "t1")
    turn = await store.write_turn("t1", outcome=COMPLETE)
    assert (turn.status, turn.finish_reason, turn.usage) == ("complete", "stop", COMPLETE.usage)
    assert turn.finished
    assert turn.finished_at is not None
    assert await store.get_turn(USER, "t1") == turn


async def test_nothing_is_written_to_a_finished_or_unknown_turn(store, session):
    await exchange(store, "t1")
    before = await store.read_turn(USER, "t1")
    said = make_message("late", "t1", "assistant")
    assert await store.write_turn("t1", events=[TextDelta(text="late")], messages=[said]) is None
    assert await store.write_turn("t1", outcome=TurnOutcome(status="cancelled")) is None
    assert await store.write_turn("unknown", events=[TextDelta(text="x")]) is None
    assert await store.read_turn(USER, "t1") == before
    assert await transcript(store) == ["hello", "hi"]


async def test_a_turn_finished_while_queued_keeps_its_users_message(store, session):
    await begin(store, "t1", "one")
    queued = await begin(store, "t2", "two")
    turn = await store.write_turn("t2", outcome=TurnOutcome(status="cancelled", finish_reason="cancelled"))
    assert turn.status == "cancelled"
    messages = (await store.list_messages(USER, "s")).items
    assert [m.content for m in messages] == ["one", "two"]
    assert messages[1].message_id == queued.turn.message_id
    assert messages[1].turn_id == "t2"
    with pytest.raises(TurnNotFound):
        await begin(store, "t2")
    await finish(store, "t1")
    assert (await begin(store, "t3")).message_number == 3


async def test_a_turn_may_wait_and_go_on(store, session):
    await begin(store, "t1")
    turn = await store.write_turn("t1", outcome=TurnOutcome(status="waiting"))
    assert (turn.status, turn.finished, turn.finished_at) == ("waiting", False, None)
    assert (await store.get_session(USER, "s")).running_turn == "t1"
    assert isinstance(await begin(store, "t2"), QueuedTurn)
    assert (await finish(store, "t1")).status == "complete"


async def test_somebody_elses_turn_is_not_there(store, session):
    await begin(store, "t1")
    assert await store.get_turn("bob", "t1") is None
    assert await store.read_turn("bob", "t1") is None
    assert await store.get_turn(USER, "unknown") is None
    assert await store.read_turn(USER, "unknown") is None


async def test_cancel_requests_reach_the_holder_until_the_turn_is_finished(store, session):
    await begin(store, "t1", holder="a")
    await begin(store, "t2", holder="b")
    assert await store.cancel_requests("a") == []
    await store.request_cancel("t1")
    await store.request_cancel("t1")
    await store.request_cancel("unknown")
    assert await store.cancel_requests("a") == ["t1"]
    assert await store.cancel_requests("b") == []
    await finish(store, "t1")
    assert await store.cancel_requests("a") == []
    await store.request_cancel("t1")
    assert await store.cancel_requests("a") == []


async def test_turns_of_a_dead_holder_are_taken_over(store, elsewhere, session):
    await elsewhere.heartbeat("dead")
    await begin(elsewhere, "t1", holder="dead")
    await begin(elsewhere, "t2", holder="dead")
    assert await store.take_over("alive", dead_after=60) == []
    await elsewhere.aclose()
    taken = await store.take_over("alive", dead_after=0)
    assert [turn.turn_id for turn in taken] == ["t1", "t2"]
    await store.request_cancel("t1")
    assert await store.cancel_requests("alive") == ["t1"]
    assert await store.cancel_requests("dead") == []
    with pytest.raises(TurnNotFound):
        await begin(store, "t2", holder="dead")
    await finish(store, "t1")
    assert isinstance(await begin(store, "t2", holder="alive"), BegunTurn)
    assert await store.take_over("alive", dead_after=0) == []


async def test_a_holder_lives_from_its_first_turn_and_its_heartbeats(store, session):
    await begin(store, "t1", holder="a")
    assert await store.take_over("b", dead_after=60) == []
    await store.heartbeat("a")
    assert await store.take_over("b", dead_after=60) == []


async def test_turns_of_a_holder_that_said_goodbye_are_taken_over_at_once(store, session):
    await store.heartbeat("a")
    await begin(store, "t1", holder="a")
    await store.goodbye("a")
    await store.goodbye("stranger")
    assert [turn.turn_id for turn in await store.take_over("b", dead_after=60)] == ["t1"]


async def test_finished_turns_are_not_taken_over(store, session):
    await exchange(store, "t1", holder="a")
    await store.goodbye("a")
    assert await store.take_over("b", dead_after=0) == []


async def test_a_watch_sees_every_change_of_its_session(store, session):
    await store.create_session(make_session("other"))
    changes = [
        lambda: begin(store, "t1"),
        lambda: store.write_turn("t1", events=[TextDelta(text="x")]),
        lambda: begin(store, "t2"),
        lambda: store.request_cancel("t1"),
        lambda: finish(store, "t1"),
        lambda: store.update_session(USER, "s", title="x"),
        lambda: store.end_session(USER, "s"),
        lambda: store.delete_session(USER, "s"),
    ]
    async with store.watch("s") as watch:
        assert not await watch.wait(0.01)
        for change in changes:
            waiting = asyncio.create_task(watch.wait(30))
            await asyncio.sleep(0)
            await change()
            assert await waiting
        await store.update_session(USER, "other", title="x")
        assert not await watch.wait(0.01)


async def test_a_watch_keeps_a_change_that_came_before_wait(store, session):
    async with store.watch("s") as one, store.watch("s") as two:
        await begin(store, "t1")
        assert await one.wait(30)
        assert not await one.wait(0.01)
        assert await two.wait(30)


async def test_sweeping_erases_event_logs_whose_time_has_passed(store, session):
    await exchange(store, "t1", outcome=OVER)
    await exchange(store, "t2", outcome=replace(OVER, keep_events=60))
    await begin(store, "t3")
    await store.write_turn("t3", events=[TextDelta(text="x")])
    assert await store.sweep() == 1
    log = await store.read_turn(USER, "t1")
    assert (log.events, log.turn.last_seq, log.turn.status) == ([], 2, "complete")
    assert len((await store.read_turn(USER, "t2")).events) == 2
    assert len((await store.read_turn(USER, "t3")).events) == 1
    assert await store.sweep() == 0
    assert await transcript(store) == ["hello", "hi", "hello", "hi", "hello"]


async def test_the_log_of_a_turn_that_waits_is_kept(store, session):
    await begin(store, "t1")
    await store.write_turn("t1", events=[TextDelta(text="x")], outcome=TurnOutcome(status="waiting", keep_events=0))
    assert await store.sweep() == 0
    assert len((await store.read_turn(USER, "t1")).events) == 1


async def test_sweeping_erases_one_off_sessions_with_their_events(store):
    await one_off(store, "t1", outcome=OVER)
    await one_off(store, "t2")
    await one_off(store, "t3", outcome=None)
    assert await store.sweep() == 1
    assert await store.get_session(USER, "once-t1") is None
    assert await store.get_turn(USER, "t1") is None
    assert (await store.get_session(USER, "once-t2")).message_count == 2
    assert (await store.get_session(USER, "once-t3")).running_turn == "t3"


async def test_sweeping_goes_in_bounded_steps(store, session):
    for n in range(3):
        await exchange(store, f"t{n}", outcome=OVER)
        await one_off(store, f"o{n}", outcome=OVER)
    steps = [await store.sweep(limit=2) for _ in range(5)]
    assert max(steps) == 2
    assert sum(steps) == 6
    assert steps[-1] == 0
    assert len(await transcript(store)) == 6


async def test_concurrent_turns_of_one_session_never_interleave(store, session):
    async def talk(n):
        async with store.watch("s") as watch:
            while isinstance(await store.begin_turn(made[n], window=Window(), lifetime=Lifetime()), QueuedTurn):
                await watch.wait(5)
        await finish(store, f"t{n}", f"re {n}")

    made = [make_turn(f"t{n}", f"say {n}") for n in range(10)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(talk(n) for n in range(10)))
    said = await transcript(store)
    assert sorted(said[::2]) == sorted(f"say {n}" for n in range(10))
    assert [f"re {text.removeprefix('say ')}" for text in said[::2]] == said[1::2]
