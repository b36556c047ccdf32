"""What every store does, sentence by sentence of `stores/base_approvals.py`: calls that wait for a word, and long outputs."""

import asyncio
from dataclasses import replace

import pytest

from hector_nb.errors import ApprovalNotFound, Conflict
from hector_nb.messages import ToolCall, Usage, joined
from hector_nb.sessions import Lifetime
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import BegunTurn, QueuedTurn, TurnOutcome

from .making import (
    OVER,
    USER,
    WAITING,
    ago,
    begin,
    exchange,
    finish,
    make_approval,
    make_message,
    make_session,
    one_off,
    transcript,
    wait,
)

pytestmark = pytest.mark.anyio


@pytest.fixture
async def session(store):
    return (await store.create_session(make_session()))[0]


@pytest.fixture
async def turn(store, session):
    return (await begin(store, "t1")).turn


async def test_approvals_are_listed_in_the_order_in_which_they_were_asked_for(store, turn):
    asked = await wait(store, "t1", "z", "a", "m")
    assert await store.approvals(USER, "s") == asked
    assert await store.approvals("bob", "s") == await store.approvals(USER, "gone") == []


async def test_a_waiting_turn_is_unfinished_and_keeps_its_session(store, turn):
    await wait(store, "t1", "call")
    assert (await store.get_session(USER, "s")).running_turn == "t1"
    (waiting,) = await store.unfinished_turns(USER, "s")
    assert (waiting.status, waiting.finished, waiting.finished_at) == ("waiting", False, None)
    queued = await begin(store, "t2")
    assert isinstance(queued, QueuedTurn)
    assert queued.running == queued.ahead == "t1"


async def test_a_waiting_turn_that_ends_lets_the_next_one_begin(store, turn):
    await wait(store, "t1", "call")
    await begin(store, "t2")
    await finish(store, "t1")
    assert isinstance(await begin(store, "t2"), BegunTurn)


async def test_a_turn_waits_and_runs_and_keeps_what_it_has_used(store, turn):
    used = Usage(prompt_tokens=7, completion_tokens=3)
    waiting = await store.write_turn("t1", outcome=replace(WAITING, usage=used))
    assert (waiting.status, waiting.usage) == ("waiting", used)
    running = await store.write_turn("t1", outcome=TurnOutcome(status="running", usage=used))
    assert (running.status, running.finished) == ("running", False)
    assert (await store.get_session(USER, "s")).running_turn == "t1"
    await store.write_turn("t1", outcome=replace(WAITING, usage=used))
    assert (await store.resume_turn("t1", "holder-1", window=Window())).turn.usage == used


async def test_a_decision_is_kept(store, turn):
    await wait(store, "t1", "yes", "no", "else", "open")
    yes = await store.decide(USER, "s", "yes", "approve")
    assert (yes.call_id, yes.decision, yes.edited) == ("yes", "approve", None)
    assert (await store.decide(USER, "s", "no", "deny")).decision == "deny"
    edited = await store.decide(USER, "s", "else", "approve", edited={"path": "ü", "n": [1, None]})
    assert edited.edited == {"path": "ü", "n": [1, None]}
    listed = await store.approvals(USER, "s")
    assert [each.decision for each in listed] == ["approve", "deny", "approve", None]
    assert listed[2] == edited


async def test_the_same_word_again_changes_nothing_and_another_is_a_conflict(store, turn):
    await wait(store, "t1", "call")
    decided = await store.decide(USER, "s", "call", "approve", edited={"a": (1,)})
    assert await store.decide(USER, "s", "call", "approve", edited={"a": [1]}) == decided
    for decision, edited in (("deny", None), ("approve", None), ("approve", {"a": [2]})):
        with pytest.raises(Conflict) as refused:
            await store.decide(USER, "s", "call", decision, edited=edited)
        assert refused.value.details == {"decision": "approve"}
    assert await store.approvals(USER, "s") == [decided]


async def test_only_what_waits_in_this_session_can_be_decided(store, turn):
    await wait(store, "t1", "call")
    await store.create_session(make_session("other"))
    for user, session_id, call_id in (
        (USER, "s", "other"),
        (USER, "s", "\ud800"),
        (USER, "other", "call"),
        (USER, "gone", "call"),
        ("bob", "s", "call"),
    ):
        with pytest.raises(ApprovalNotFound):
            await store.decide(user, session_id, call_id, "approve")
    assert (await store.approvals(USER, "s"))[0].decision is None


async def test_after_its_deadline_a_call_cannot_be_decided(store, turn):
    await wait(store, "t1", "late", seconds=0)
    with pytest.raises(ApprovalNotFound):
        await store.decide(USER, "s", "late", "approve")
    assert [each.decision for each in await store.approvals(USER, "s")] == [None]


@pytest.mark.parametrize("status", ["complete", "cancelled", "failed", "interrupted"])
async def test_when_the_turn_is_over_nothing_of_it_can_be_decided(store, turn, status):
    await wait(store, "t1", "decided", "open")
    await store.decide(USER, "s", "decided", "approve")
    await store.write_turn("t1", outcome=TurnOutcome(status=status))
    for call_id in ("decided", "open"):
        with pytest.raises(ApprovalNotFound):
            await store.decide(USER, "s", call_id, "approve")
    assert await store.approvals(USER, "s") == []


async def test_a_call_that_is_asked_for_again_waits_again(store, turn):
    await wait(store, "t1", "call", "other")
    await store.decide(USER, "s", "call", "approve")
    again = make_approval("call", arguments={"path": "b.txt"})
    await store.write_turn("t1", approvals=[again])
    assert [(each.call_id, each.decision) for each in await store.approvals(USER, "s")] == [
        ("other", None),
        ("call", None),
    ]
    assert (await store.decide(USER, "s", "call", "deny")).arguments == {"path": "b.txt"}


async def test_two_turns_may_use_the_same_call_id(store, turn):
    await wait(store, "t1", "call")
    await store.decide(USER, "s", "call", "approve")
    await finish(store, "t1")
    await begin(store, "t2")
    await wait(store, "t2", "call")
    (asked,) = await store.approvals(USER, "s")
    assert (asked.turn_id, asked.decision) == ("t2", None)


async def test_text_that_cannot_be_stored_is_mended_in_approvals_too(store, turn):
    await store.write_turn("t1", approvals=[make_approval("c\ud800", name="n\ud800", arguments={"\ud800": ("\0",)})])
    (asked,) = await store.approvals(USER, "s")
    assert (asked.call_id, asked.name, asked.arguments) == ("c\ufffd", "n\ufffd", {"\ufffd": ["\0"]})
    assert (await store.decide(USER, "s", "c\ud800", "approve")).decision == "approve"


async def test_a_decision_wakes_the_watches_of_the_session(store, turn):
    await wait(store, "t1", "call")
    async with store.watch("s") as watch:
        waiting = asyncio.create_task(watch.wait(5))
        await asyncio.sleep(0)
        await store.decide(USER, "s", "call", "approve")
        assert await waiting
        await store.decide(USER, "s", "call", "approve")
        assert not await watch.wait(0.01)


async def taken(store):
    return [turn.turn_id for turn in await store.take_over("alive", dead_after=60)]


async def test_a_waiting_turn_of_a_dead_holder_is_left_alone_until_all_is_decided(store, turn):
    await wait(store, "t1", "one", "two")
    await store.goodbye("holder-1")
    assert await taken(store) == []
    await store.decide(USER, "s", "one", "approve")
    assert await taken(store) == []
    await store.decide(USER, "s", "two", "deny")
    assert await taken(store) == ["t1"]
    assert await taken(store) == []


async def test_a_waiting_turn_is_taken_over_when_the_rest_is_past_its_deadline(store, turn):
    await wait(store, "t1", "late", seconds=0)
    await store.write_turn("t1", approvals=[make_approval("decided"), make_approval("late too", deadline=ago(5))])
    await store.goodbye("holder-1")
    assert await taken(store) == []
    await store.decide(USER, "s", "decided", "approve")
    assert await taken(store) == ["t1"]


async def test_a_waiting_turn_that_somebody_wants_cancelled_is_taken_over(store, turn):
    await wait(store, "t1", "call")
    await store.goodbye("holder-1")
    assert await taken(store) == []
    await store.request_cancel("t1")
    assert await taken(store) == ["t1"]
    assert await store.cancel_requests("alive") == ["t1"]


async def test_a_message_that_interrupts_lets_a_waiting_turn_be_taken_over(store, turn):
    await wait(store, "t1", "call")
    await store.goodbye("holder-1")
    await begin(store, "t2", if_busy="interrupt", holder="alive")
    assert await taken(store) == ["t1"]


async def test_a_waiting_turn_without_approvals_can_go_on(store, turn):
    await store.write_turn("t1", outcome=WAITING)
    await store.goodbye("holder-1")
    assert await taken(store) == ["t1"]


async def test_what_is_queued_behind_a_waiting_turn_is_taken_over_alone(store, turn):
    await wait(store, "t1", "call")
    await begin(store, "t2")
    await store.goodbye("holder-1")
    assert await taken(store) == ["t2"]
    assert (await begin(store, "t2", holder="alive")).ahead == "t1"


async def test_a_running_turn_with_open_approvals_is_taken_over_at_once(store, turn):
    await store.write_turn("t1", approvals=[make_approval()])
    await store.goodbye("holder-1")
    assert await taken(store) == ["t1"]


async def test_the_waiting_turn_of_a_living_holder_is_not_taken_over(store, turn):
    await wait(store, "t1", "late", seconds=0)
    assert await taken(store) == []


async def test_exactly_one_takes_a_decided_turn(store, elsewhere, turn):
    await wait(store, "t1", "call")
    await store.goodbye("holder-1")
    await store.decide(USER, "s", "call", "approve")
    both = await asyncio.gather(store.take_over("a", dead_after=60), elsewhere.take_over("b", dead_after=60))
    assert sorted(len(each) for each in both) == [0, 1]
    winner = "a" if both[0] else "b"
    assert await elsewhere.resume_turn("t1", "ab".replace(winner, ""), window=Window()) is None
    assert isinstance(await elsewhere.resume_turn("t1", winner, window=Window()), BegunTurn)


async def test_what_was_approved_is_left_to_processes_of_the_same_place(store, turn):
    await wait(store, "t1", "call")
    await store.goodbye("holder-1")
    await store.decide(USER, "s", "call", "approve")
    assert await store.take_over("node.elsewhere", dead_after=60) == []
    assert [each.turn_id for each in await store.take_over("node", dead_after=60)] == ["t1"]
    await store.goodbye("node")
    await store.request_cancel("t1")
    assert [each.turn_id for each in await store.take_over("node.elsewhere", dead_after=60)] == ["t1"]


async def test_what_was_denied_may_go_on_anywhere(store, turn):
    await wait(store, "t1", "call")
    await store.goodbye("holder-1")
    await store.decide(USER, "s", "call", "deny")
    assert [each.turn_id for each in await store.take_over("node.elsewhere", dead_after=60)] == ["t1"]


async def test_a_resumed_turn_has_its_history_and_what_it_added(store, session):
    await exchange(store, "t0", "before", "answer")
    begun = await begin(store, "t1", "write")
    call = ToolCall(call_id="first", name="f", arguments={"x": 1})
    added = [
        make_message("First.", "t1", "assistant", tool_calls=(call,)),
        make_message("done", "t1", "tool", call_id="first"),
    ]
    await store.write_turn("t1", messages=added)
    await begin(store, "t2", "never mind")
    await store.write_turn("t2", outcome=TurnOutcome(status="cancelled"))
    await wait(store, "t1", "call")
    await store.decide(USER, "s", "call", "approve")
    await store.goodbye("holder-1")
    await store.take_over("b", dead_after=60)
    resumed = await store.resume_turn("t1", "b", window=Window(max_messages=5))
    assert resumed.turn == await store.get_turn(USER, "t1")
    assert resumed.turn.status == "running"
    assert (resumed.message, resumed.message_number, resumed.first_position) == (begun.message, 2, 1)
    assert [each.content for each in resumed.history] == ["before", "answer"]
    assert [each.content for each in resumed.so_far] == ["First.", "done", "Let me write."]
    assert resumed.so_far[0].tool_calls == (call,)
    assert resumed.so_far[2].tool_calls[0].call_id == "call"
    assert resumed.session == await store.get_session(USER, "s")
    assert (await store.resume_turn("t1", "b", window=Window())) is None
    assert [each.decision for each in await store.approvals(USER, "s")] == ["approve"]


async def test_only_a_waiting_turn_is_resumed_and_only_by_its_holder(store, turn):
    assert await store.resume_turn("t1", "holder-1", window=Window()) is None
    await wait(store, "t1", "call")
    assert await store.resume_turn("t1", "other", window=Window()) is None
    assert await store.resume_turn("gone", "holder-1", window=Window()) is None
    resumed = await store.resume_turn("t1", "holder-1", window=Window())
    assert [each.content for each in resumed.so_far] == ["Let me write."]
    await finish(store, "t1")
    assert await store.resume_turn("t1", "holder-1", window=Window()) is None


async def test_resuming_wakes_the_watches(store, turn):
    await wait(store, "t1", "call")
    async with store.watch("s") as watch:
        await store.resume_turn("t1", "holder-1", window=Window())
        assert await watch.wait(5)


async def test_a_turn_asked_for_again_has_what_it_added(store, turn):
    assert (await begin(store, "t1")).so_far == []
    await wait(store, "t1", "call")
    assert [each.content for each in (await begin(store, "t1")).so_far] == ["Let me write."]


async def test_a_session_with_a_waiting_turn_does_not_expire_before_that_is_over(store):
    await store.create_session(make_session())
    await begin(store, "t1", lifetime=Lifetime(timeout=0))
    await wait(store, "t1", "call")
    assert (await store.get_session(USER, "s")).status == "expired"
    assert await store.expire_sessions() == []
    await finish(store, "t1")
    assert [each.session_id for each in await store.expire_sessions()] == ["s"]


async def test_the_answer_is_all_that_was_said_around_the_calls(store, turn):
    await exchange_with_tool(store, "t1")
    assert await store.answer(USER, "t1") == joined(["Let me look. ", "Here it is."])
    await begin(store, "t2")
    await store.write_turn("t2", messages=[make_message("Half ", "t2", "assistant")], outcome=WAITING)
    assert await store.answer(USER, "t2") == "Half "
    await store.write_turn("t2", messages=[make_message("of it", "t2", "assistant")])
    assert await store.answer(USER, "t2") == joined(["Half ", "of it"])


async def exchange_with_tool(store, turn_id, output="all of it", outcome=OVER):
    """One call of a tool, from a turn that has begun to its end."""
    call = ToolCall(call_id=f"call-{turn_id}", name="search", arguments={"q": "ü"})
    await store.write_turn(
        turn_id,
        messages=[
            make_message("Let me look. ", turn_id, "assistant", tool_calls=(call,), thinking="hm"),
            make_message("a part", turn_id, "tool", call_id=call.call_id, is_error=True),
        ],
        outputs=[ToolOutput(call_id=call.call_id, text=output)],
    )
    await store.write_turn(turn_id, messages=[make_message("Here it is.", turn_id, "assistant")], outcome=outcome)


async def test_transcripts_with_tools_come_back_whole_and_windows_count_every_message(store, session):
    for n in range(3):
        await begin(store, f"t{n}", f"ask {n}")
        await exchange_with_tool(store, f"t{n}")
    messages = (await store.list_messages(USER, "s")).items
    assert [each.role for each in messages] == ["user", "assistant", "tool", "assistant"] * 3
    assert messages[1].tool_calls[0].arguments == {"q": "ü"}
    assert (messages[1].thinking, messages[2].call_id, messages[2].is_error) == ("hm", "call-t0", True)
    paged, cursor = [], None
    while len(paged) < 20:
        page = await store.list_messages(USER, "s", limit=3, cursor=cursor)
        paged, cursor = [*paged, *page.items], page.next_cursor
        if cursor is None:
            break
    assert paged == messages
    begun = await begin(store, "t9", window=Window(max_messages=3))
    assert (begun.message_number, begun.first_position) == (4, 10)
    assert list(begun.history) == list(messages[-3:])
    fork = await store.fork_session("s", make_session("fork"), after=messages[1].message_id)
    assert (fork.message_count, await transcript(store, "fork")) == (2, ["ask 0", "Let me look. "])
    imported = await store.import_session(make_session("import"), messages)
    assert imported.message_count == 12
    assert (await store.list_messages(USER, "import")).items == messages


async def test_an_output_is_kept_whole_beside_its_message(store, turn):
    long = "line\0\n" * 200_000
    await exchange_with_tool(store, "t1", output=long)
    assert await store.get_output(USER, "s", "call-t1") == long
    assert await store.get_output(USER, "s", "other") is None
    assert await store.get_output("bob", "s", "call-t1") is None
    assert await store.get_output(USER, "gone", "call-t1") is None


async def test_an_output_may_come_before_its_message_and_the_last_of_a_name_counts(store, turn):
    await store.write_turn("t1", outputs=[ToolOutput(call_id="call", text="one")])
    assert await store.get_output(USER, "s", "call") == "one"
    await store.write_turn("t1", messages=[make_message("o", "t1", "tool", call_id="call")])
    await finish(store, "t1")
    await begin(store, "t2")
    await store.write_turn(
        "t2",
        messages=[make_message("o", "t2", "tool", call_id="call")],
        outputs=[ToolOutput(call_id="call", text="two\ud800")],
    )
    assert await store.get_output(USER, "s", "call") == "two\ufffd"


async def test_outputs_go_with_their_messages(store, session):
    for n in range(3):
        await begin(store, f"t{n}", f"ask {n}")
        await exchange_with_tool(store, f"t{n}", output=f"all {n}")
    messages = (await store.list_messages(USER, "s")).items
    await store.fork_session("s", make_session("fork"), after=messages[7].message_id)
    await store.rewind_session(USER, "s", after=messages[3].message_id)

    async def outputs(session_id):
        return [await store.get_output(USER, session_id, f"call-t{n}") for n in range(3)]

    assert await outputs("s") == ["all 0", None, None]
    assert await outputs("fork") == ["all 0", "all 1", None]
    await store.delete_session(USER, "s")
    await store.create_session(make_session())
    assert await outputs("s") == [None] * 3
    assert await outputs("fork") == ["all 0", "all 1", None]


async def test_approvals_go_with_their_session(store, turn):
    await wait(store, "t1", "call")
    await store.delete_session(USER, "s")
    with pytest.raises(ApprovalNotFound):
        await store.decide(USER, "s", "call", "approve")
    await store.create_session(make_session())
    assert await store.approvals(USER, "s") == []
    assert await store.write_turn("t1", approvals=[make_approval()]) is None


async def test_a_one_off_turn_may_wait_and_is_swept_with_what_it_left(store):
    await one_off(store, "t1", outcome=None)
    await wait(store, "t1", "call", session_id="once-t1")
    assert len(await store.approvals(USER, "once-t1")) == 1
    assert await store.sweep() == 0
    await exchange_with_tool(store, "t1")
    assert await store.get_output(USER, "once-t1", "call-t1") == "all of it"
    assert await store.sweep() == 1
    assert await store.get_output(USER, "once-t1", "call-t1") is None
    assert await store.get_turn(USER, "t1") is None
