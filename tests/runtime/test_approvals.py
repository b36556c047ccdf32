"""Tool calls that wait for a person: asked, answered from anywhere, in time or not."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from hector_nb.errors import ApprovalNotFound, Conflict, InvalidRequest, ModelInterrupted, SessionNotFound
from hector_nb.events import ApprovalAsked, ApprovalDecided, LoggedEvent, TextDelta, ToolCalled, ToolReturned, TurnDone
from hector_nb.runtime.tool_calls import DENIED, EXPIRED, NOT_BEGUN
from hector_nb.service import TurnStream, collect
from tests.runtime.fake_tools import FakeTool, call
from tests.runtime.world import World, events_of, opened, text_of

pytestmark = pytest.mark.anyio


def careful(**more: Any) -> FakeTool:
    return FakeTool(require_approval="always", **more)


async def until_asked(stream: TurnStream, times: int = 1) -> list[ApprovalAsked]:
    """Read until so many calls wait."""
    asked: list[ApprovalAsked] = []
    while len(asked) < times:
        batch = await stream.read()
        assert batch, "the turn ended"
        asked += [each.event for each in batch if isinstance(each.event, ApprovalAsked)]
    return asked


async def decide(world: World, session: str, asked: ApprovalAsked, decision: Any = "approve", **more: Any) -> Any:
    return await world.service.decide_approval("assistant", session, asked.call_id, decision, **more)


async def results(world: World, session: str) -> list[str]:
    return [each.content for each in await world.messages(session) if each.role == "tool"]


def of(kind: type, events: list[LoggedEvent]) -> list[Any]:
    return [each.event for each in events if isinstance(each.event, kind)]


async def test_a_call_waits_until_it_is_approved() -> None:
    tool = careful()
    async with opened([["Shall I?", call(how="gently")], ["Done."]], tools=[tool]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        (asked,) = await until_asked(stream)
        assert (asked.name, list(asked.arguments.items())) == ("act", [("how", "gently"), ("what", "it")])
        turn = await world.runtime.store.get_turn("ada", stream.turn_id)
        assert turn is not None
        assert turn.status == "waiting"
        assert tool.calls == []
        (waiting,) = await world.service.list_approvals("assistant", session)
        assert (waiting.call_id, waiting.arguments) == (asked.call_id, asked.arguments)
        assert asked.deadline.endswith("Z")
        assert (await decide(world, session, asked)).decision == "approve"
        rest = await events_of(stream)
        assert [type(each.event) for each in rest[:3]] == [ApprovalDecided, ToolCalled, ToolReturned]
        assert of(TextDelta, rest)[-1].text == "\n\nDone."
        assert tool.calls == [{"how": "gently", "what": "it"}]
        assert await world.service.list_approvals("assistant", session) == []


async def test_a_denied_call_is_not_made_and_the_turn_goes_on() -> None:
    tool = careful()
    async with opened([[call()], ["As you wish."]], tools=[tool]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        (asked,) = await until_asked(stream)
        await decide(world, session, asked, "deny")
        rest = await events_of(stream)
        assert of(ApprovalDecided, rest) == [ApprovalDecided(call_id=asked.call_id, decision="deny")]
        assert of(ToolCalled, rest) == []
        assert await results(world, session) == [DENIED]
        assert (await world.messages(session))[-1].content == "As you wish."
        assert tool.calls == []


async def test_no_answer_in_time_means_no() -> None:
    tool = careful(approval_timeout=0.05)
    async with opened([[call()], ["As you wish."]], tools=[tool]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        events = await events_of(stream)
        (asked,) = of(ApprovalAsked, events)
        assert of(ApprovalDecided, events) == [ApprovalDecided(call_id=asked.call_id, decision="deny", expired=True)]
        assert await results(world, session) == [EXPIRED]
        assert tool.calls == []
        with pytest.raises(ApprovalNotFound):
            await decide(world, session, asked)


async def test_calls_of_one_message_are_decided_one_by_one_and_made_when_all_are() -> None:
    tool, harmless = careful(), FakeTool("look")
    async with opened([[call("1"), call("2"), call("3", "look")], ["Done."]], tools=[tool, harmless]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        first, second = await until_asked(stream, 2)
        await decide(world, session, second, "deny")
        decided = (await stream.read())[0].event
        assert isinstance(decided, ApprovalDecided)
        assert (await world.runtime.store.get_turn("ada", stream.turn_id)).status == "waiting"  # type: ignore[union-attr]
        assert [each.call_id for each in await world.service.list_approvals("assistant", session)] == [first.call_id]
        assert tool.calls == harmless.calls == []
        await decide(world, session, first)
        assert await text_of(stream) == "Done."
        assert await results(world, session) == ["did 1", DENIED, "did 3"]


async def test_a_person_may_put_other_arguments_in_place() -> None:
    tool = careful()
    async with opened([[call("wild")], ["Done."]], tools=[tool]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        (asked,) = await until_asked(stream)
        for wrong in ({"what": 1}, {}, {"what": "x", "else": "y"}):
            with pytest.raises(InvalidRequest):
                await decide(world, session, asked, edited=wrong)
        with pytest.raises(InvalidRequest, match="denied"):
            await decide(world, session, asked, "deny", edited={"what": "mild"})
        await decide(world, session, asked, edited={"what": "mild"})
        rest = await events_of(stream)
        assert of(ApprovalDecided, rest)[0].edited == {"what": "mild"}
        assert of(ToolCalled, rest)[0].arguments == {"what": "mild"}
        assert of(ToolReturned, rest)[0].output == "did mild"
        assert tool.calls == [{"what": "mild"}]
        assert await results(world, session) == ['The user changed the arguments to {"what": "mild"}.\ndid mild']


async def test_under_rules_only_what_they_do_not_allow_is_asked() -> None:
    async with opened([[call("no harm")], [call("harm")], ["Done."]], tools=[FakeTool(require_approval="rules")]) as w:
        session = await w.session()
        stream = await w.send("go", session)
        (asked,) = await until_asked(stream)
        assert asked.arguments == {"what": "harm"}
        await decide(w, session, asked)
        assert await text_of(stream) == "Done."


async def test_a_turn_that_waits_can_be_cancelled() -> None:
    tool = careful()
    async with opened([["Shall I?", call()], ["fine"]], tools=[tool]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        (asked,) = await until_asked(stream)
        await world.service.cancel_turn("assistant", session)
        last = (await events_of(stream))[-1].event
        assert isinstance(last, TurnDone)
        assert last.finish_reason == "cancelled"
        assert await results(world, session) == [NOT_BEGUN]
        with pytest.raises(ApprovalNotFound):
            await decide(world, session, asked)
        assert await text_of(await world.send("again", session)) == "fine"
        assert tool.calls == []


async def test_leaving_does_not_cut_a_turn_that_waits_nor_what_follows() -> None:
    gate = asyncio.Event()
    streaming = {"resume_grace": 0.01}
    async with opened([[call()], ["so ", gate, "far"]], tools=[careful()], streaming=streaming) as world:
        session = await world.session()
        stream = await world.send("go", session)
        async with stream:
            (asked,) = await until_asked(stream)
        run = world.runtime.runs[stream.turn_id]
        await asyncio.sleep(0.1)  # longer than the grace: what is tested is that nothing happens
        await decide(world, session, asked)
        async with asyncio.timeout(30):
            while len(world.model.requests) < 2:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        gate.set()
        await run.finished.wait()
        assert (await world.transcript(session))[-1] == ("assistant", "so far", "complete")


async def test_leaving_after_the_answer_counts_again() -> None:
    never = asyncio.Event()
    streaming = {"resume_grace": 0.01}
    async with opened([[call()], ["so far", never]], tools=[careful()], streaming=streaming) as world:
        session = await world.session()
        stream = await world.send("go", session)
        async with stream:
            (asked,) = await until_asked(stream)
            await decide(world, session, asked)
            async for _, event in stream:
                if isinstance(event, TextDelta):
                    break
        await world.runtime.runs[stream.turn_id].finished.wait()
        assert (await world.transcript(session))[-1] == ("assistant", "so far", "cancelled")


async def test_one_off_turns_wait_too() -> None:
    async with opened([[call()], ["Done."]], tools=[careful()]) as world:
        stream = await world.send("go")
        async with stream:
            (asked,) = await until_asked(stream)
        run = world.runtime.runs[stream.turn_id]
        await decide(world, stream.session_id, asked)
        await run.finished.wait()
        back = await world.service.follow_turn("assistant", stream.turn_id)
        assert (await collect(back)).response == "Done."


async def test_an_approval_is_answered_from_another_process() -> None:
    tool, theirs = careful(), careful()
    async with opened([[call()], ["Done."]], tools=[tool]) as here, opened([], tools=[theirs]) as there:
        session = await here.session()
        stream = await here.send("go", session)
        (asked,) = await until_asked(stream)
        assert len(await there.service.list_approvals("assistant", session)) == 1
        await decide(there, session, asked)
        assert await text_of(stream) == "Done."
        assert (len(tool.calls), len(theirs.calls)) == (1, 0)


async def test_of_two_answers_one_wins_and_the_same_word_twice_is_fine() -> None:
    async with opened([[call("1"), call("2")], ["Done."]], tools=[careful()]) as here, opened([]) as there:
        session = await here.session()
        stream = await here.send("go", session)
        first, second = await until_asked(stream, 2)
        outcomes = await asyncio.gather(
            decide(here, session, first), decide(there, session, first, "deny"), return_exceptions=True
        )
        assert sorted(isinstance(each, Conflict) for each in outcomes) == [False, True]
        won = next(each.decision for each in outcomes if not isinstance(each, BaseException))
        assert (await decide(there, session, first, won)).decision == won
        await decide(here, session, second)
        assert await text_of(stream) == "Done."
        assert await results(here, session) == ["did 1" if won == "approve" else DENIED, "did 2"]


async def test_what_does_not_wait_cannot_be_decided() -> None:
    async with opened([["hi"]]) as world:
        session = await world.session()
        with pytest.raises(ApprovalNotFound):
            await world.service.decide_approval("assistant", session, "call_unknown", "approve")
        with pytest.raises(ApprovalNotFound):
            await world.service.decide_approval("assistant", session, "call_unknown", "approve", edited={"what": "x"})
        eve = world.of("eve")
        for refused in (
            eve.list_approvals("assistant", session),
            eve.decide_approval("assistant", session, "call_unknown", "approve"),
            eve.get_tool_output("assistant", session, "call_unknown"),
        ):
            with pytest.raises(SessionNotFound):
                await refused


async def test_a_turn_that_waits_survives_the_stop_of_its_process_and_goes_on_where_it_is_answered() -> None:
    tool, theirs = careful(), careful()
    async with opened([["Shall I?", call()]], tools=[tool]) as here:
        session = await here.session()
        stream = await here.send("go", session)
        (asked,) = await until_asked(stream)
    assert await stream.read() == ()
    async with opened([["Done."]], tools=[theirs]) as there:
        assert (await there.service.get_session("assistant", session)).running_turn == stream.turn_id
        follower = await there.service.follow_turn("assistant", stream.turn_id)
        await there.runtime.recover()
        assert there.runtime.runs == {}
        await decide(there, session, asked)
        late = await there.service.follow_turn("assistant", stream.turn_id)
        whole, again = await events_of(follower), await events_of(late)
        assert whole == again
        assert [each.seq for each in whole] == list(range(1, len(whole) + 1))
        assert (tool.calls, theirs.calls) == ([], [{"what": "it"}])
        assert await there.transcript(session) == [
            ("user", "go", "complete"),
            ("assistant", "Shall I?", "complete"),
            ("tool", "did it", "complete"),
            ("assistant", "Done.", "complete"),
        ]
        done = whole[-1].event
        assert isinstance(done, TurnDone)
        assert done.usage.prompt_tokens > there.model.requests[0].messages[0].tokens
        assert [each.role for each in there.model.requests[0].messages] == ["user", "assistant", "tool"]


async def test_readers_of_a_turn_that_came_from_another_process_get_every_event_once() -> None:
    gate = asyncio.Event()
    async with opened([["Shall ", "I?", call()]], tools=[careful()]) as here:
        session = await here.session()
        stream = await here.send("go", session)
        (asked,) = await until_asked(stream)
    async with opened([["Do", gate, "ne."]], tools=[careful()]) as there:
        await decide(there, session, asked)
        run = there.runtime.runs[stream.turn_id]
        readers = [await there.service.follow_turn("assistant", stream.turn_id, after=seen) for seen in (0, 2, 6)]
        ahead = await there.service.follow_turn("assistant", stream.turn_id, after=500)
        gate.set()
        whole, *parts = [await events_of(reader) for reader in readers]
        assert [each.seq for each in whole] == list(range(1, len(whole) + 1))
        assert parts == [whole[2:], whole[6:]]
        reset, last = await events_of(ahead)
        assert reset.event.text == "Shall I?\n\nDone."  # type: ignore[union-attr]
        assert last == whole[-1]
        await run.finished.wait()


async def test_what_was_decided_before_the_stop_is_told_once() -> None:
    async with opened([[call("1"), call("2")]], tools=[careful()]) as here:
        session = await here.session()
        stream = await here.send("go", session)
        first, second = await until_asked(stream, 2)
        await decide(here, session, first)
        assert isinstance((await stream.read())[0].event, ApprovalDecided)
    async with opened([["Done."]], tools=[careful()]) as there:
        await decide(there, session, second, "deny")
        events = await events_of(await there.service.follow_turn("assistant", stream.turn_id))
        assert [(each.call_id, each.decision) for each in of(ApprovalDecided, events)] == [
            (first.call_id, "approve"),
            (second.call_id, "deny"),
        ]
        assert await results(there, session) == ["did 1", DENIED]


async def test_whoever_is_there_when_the_time_has_passed_goes_on() -> None:
    async with opened([[call()]], tools=[careful(approval_timeout=1)]) as here:
        session = await here.session()
        stream = await here.send("go", session)
        await until_asked(stream)
    async with opened([["So be it."]], tools=[careful()]) as there:
        follower = await there.service.follow_turn("assistant", stream.turn_id)
        assert await text_of(follower) == "So be it."
        assert await results(there, session) == [EXPIRED]


async def test_a_turn_left_waiting_can_be_cancelled() -> None:
    async with opened([["Shall I?", call()]], tools=[careful()]) as here:
        session = await here.session()
        stream = await here.send("go", session)
        await until_asked(stream)
    async with opened([["fine"]], tools=[careful()]) as there:
        turn = await there.service.cancel_turn("assistant", session)
        assert turn is not None
        assert turn.status == "cancelled"
        last = (await events_of(await there.service.follow_turn("assistant", stream.turn_id)))[-1].event
        assert isinstance(last, TurnDone)
        assert await results(there, session) == [NOT_BEGUN]
        assert await text_of(await there.send("again", session)) == "fine"


async def test_a_turn_that_waits_keeps_its_place_before_the_next_message() -> None:
    async with opened([[call()], ["one"], ["two"]], tools=[careful()]) as world:
        session = await world.session()
        first = await world.send("1", session)
        (asked,) = await until_asked(first)
        second = await world.send("2", session)
        await decide(world, session, asked)
        assert await text_of(second) == "two"
        assert [text for role, text, _ in await world.transcript(session) if role == "user"] == ["1", "2"]
        await first.__aexit__(None, None, None)


async def test_a_plain_call_whose_process_stops_is_told_where_to_go_on() -> None:
    async with opened([[call()]], tools=[careful()]) as here:
        stream = await here.send("go", await here.session())
        reading = asyncio.create_task(collect(stream))
        async with await here.service.follow_turn("assistant", stream.turn_id) as other:
            await until_asked(other)
    with pytest.raises(ModelInterrupted):
        await reading


async def test_a_resumed_turn_may_ask_again() -> None:
    async def deed(arguments: Mapping[str, Any], _: Any) -> str:
        return f"did {arguments['what']}"

    async with opened([[call("1")]], tools=[careful()]) as here:
        session = await here.session()
        stream = await here.send("go", session)
        (first,) = await until_asked(stream)
    async with opened([[call("2")], ["Done."]], tools=[careful(deed=deed)]) as there:
        await decide(there, session, first)
        again = await there.service.follow_turn("assistant", stream.turn_id)
        _, second = await until_asked(again, 2)
        assert second.arguments == {"what": "2"}
        await decide(there, session, second)
        assert await text_of(again) == "Done."
        assert await results(there, session) == ["did 1", "did 2"]
