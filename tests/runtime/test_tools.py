"""Turns whose model calls tools: what the model gets back, what stands in the transcript, what readers see."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from hector_nb.errors import MessageNotFound, ModelError, ModelTimeout, ToolUnavailable
from hector_nb.events import (
    ModelUsed,
    NestedDelta,
    TextDelta,
    ToolCalled,
    ToolReturned,
    TurnDone,
    TurnFailed,
    TurnReset,
)
from hector_nb.messages import INVALID_ARGUMENTS, Message, ToolCall, Usage
from hector_nb.models.base import ModelFinished
from hector_nb.service import collect
from hector_nb.tools.base import CallContext, ToolError
from hector_nb.tools.toolbox import Toolbox
from tests.runtime.fake_tools import FakeSource, FakeTool, call
from tests.runtime.world import events_of, first_text, opened, text_of

pytestmark = pytest.mark.anyio


def told(messages: list[Message] | Any) -> list[tuple[str, str]]:
    """Role and text; of an assistant that calls, the names it calls too."""
    return [(each.role, each.content + "".join(f" ->{c.name}" for c in each.tool_calls)) for each in messages]


async def test_the_model_gets_the_result_of_its_call_and_goes_on() -> None:
    tool = FakeTool()
    async with opened([["Let me see.", call("this")], ["It is done."]], tools=[tool]) as world:
        session = await world.session()
        reply = await collect(await world.send("Do it", session))
        assert reply.response == "Let me see.\n\nIt is done."
        assert reply.finish_reason == "stop"
        assert [(each.name, each.arguments) for each in reply.tool_calls] == [("act", {"what": "this"})]
        assert tool.calls == [{"what": "this"}]
        expected = [
            ("user", "Do it"),
            ("assistant", "Let me see. ->act"),
            ("tool", "did this"),
            ("assistant", "It is done."),
        ]
        messages = await world.messages(session)
        assert told(messages) == expected
        assert told(world.model.requests[1].messages) == expected[:-1]
        assert messages[1].tool_calls[0].call_id == messages[2].call_id
        assert reply.message_id == messages[3].message_id
        assert all(each.tokens > 0 and each.turn_id == reply.turn_id for each in messages)


async def test_every_request_offers_the_tools_and_their_schemas_count() -> None:
    tool = FakeTool()
    async with opened([[call()], ["done"]], tools=[tool]) as world, opened([["done"]]) as without:
        with_tools = await events_of(await world.send("go"))
        plain = await events_of(await without.send("go"))
        assert [request.tools for request in world.model.requests] == [[tool.schema]] * 2
        assert with_tools[0].event.memory_tokens > plain[0].event.memory_tokens + 10  # type: ignore[union-attr]


async def test_arguments_are_shown_in_the_order_of_the_schema() -> None:
    async with opened([[call("x", how="y")], ["done"]], tools=[FakeTool()]) as world:
        events = [each.event for each in await events_of(await world.send("go"))]
        (called,) = [each for each in events if isinstance(each, ToolCalled)]
        assert list(called.arguments.items()) == [("how", "y"), ("what", "x")]
        returned = ToolReturned(call_id=called.call_id, name="act", output="did x")
        assert events.index(returned) == events.index(called) + 1


async def test_calls_of_one_message_run_side_by_side_and_their_results_keep_the_order() -> None:
    both = asyncio.Barrier(2)
    first_may_end = asyncio.Event()

    async def deed(arguments: Mapping[str, Any], context: CallContext) -> str:
        await both.wait()
        if arguments["what"] == "first":
            await first_may_end.wait()
        else:
            first_may_end.set()
        return f"did {arguments['what']}"

    async with opened([[call("first"), call("second")], ["done"]], tools=[FakeTool(deed=deed)]) as world:
        session = await world.session()
        events = [each.event for each in await events_of(await world.send("go", session))]
        assert [each.output for each in events if isinstance(each, ToolReturned)] == ["did second", "did first"]
        assert told(await world.messages(session))[2:4] == [("tool", "did first"), ("tool", "did second")]


async def test_a_call_is_stored_before_it_is_made() -> None:
    stored: list[Message] = []

    async def deed(arguments: Mapping[str, Any], context: CallContext) -> str:
        stored.extend(await world.messages(context.session_id))
        return ""

    async with opened([["Now.", call()], ["done"]], tools=[FakeTool(deed=deed)]) as world:
        session = await world.session()
        await text_of(await world.send("go", session))
        assert told(stored) == [("user", "go"), ("assistant", "Now. ->act")]
        assert ("tool", "") in told(world.model.requests[1].messages)


async def test_wrong_calls_go_back_to_the_model_and_readers_see_why() -> None:
    tool = FakeTool()
    unknown, unreadable = call(name="atc"), ToolCall(call_id="", name="act", arguments={INVALID_ARGUMENTS: "{what"})
    wrong = ToolCall(call_id="", name="act", arguments={"what": 1})
    async with opened([[unknown, unreadable, wrong], [call("right")], ["done"]], tools=[tool]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        reply = await collect(stream)
        assert reply.response == "done"
        assert tool.calls == [{"what": "right"}]
        made = [call for each in await world.messages(session) for call in each.tool_calls]
        assert reply.tool_calls == tuple(made)
        results = [each for each in await world.messages(session) if each.role == "tool"]
        events = [each.event for each in await events_of(await world.service.follow_turn("assistant", stream.turn_id))]
        shown = [(each.call_id, each.output) for each in events if isinstance(each, ToolReturned) and each.is_error]
        assert shown == [(each.call_id, each.content) for each in results[:3]]
        assert [each.is_error for each in results] == [True, True, True, False]
        assert "act" in results[0].content
        assert "JSON object" in results[1].content
        assert "what" in results[2].content


async def test_an_agent_without_tools_survives_a_call() -> None:
    async with opened([["Hm.", call()], ["I cannot."]]) as world:
        session = await world.session()
        assert await text_of(await world.send("go", session)) == "Hm.\n\nI cannot."
        (result,) = [each for each in await world.messages(session) if each.role == "tool"]
        assert result.is_error


async def test_a_tool_that_fails_tells_the_model_why() -> None:
    async def deed(arguments: Mapping[str, Any], context: CallContext) -> str:
        if arguments["what"] == "known":
            raise ToolError("There is no room.")
        raise KeyError("inside")

    async with opened([[call("known"), call("unknown")], ["So be it."]], tools=[FakeTool(deed=deed)]) as world:
        session = await world.session()
        events = [each.event for each in await events_of(await world.send("go", session))]
        returned = [each for each in events if isinstance(each, ToolReturned)]
        assert all(each.is_error for each in returned)
        assert {each.output for each in returned} == {"There is no room.", "KeyError: 'inside'"}
        assert told(await world.messages(session))[-1] == ("assistant", "So be it.")


async def test_after_its_last_request_the_model_has_to_close() -> None:
    replies = [[call("1")], [call("2")], ["That is what I found.", call("3")]]
    tool = FakeTool()
    async with opened(replies, tools=[tool], reasoning={"max_iterations": 3}, instruction="Be brief.") as world:
        session = await world.session()
        reply = await collect(await world.send("go", session))
        assert (reply.response, reply.finish_reason) == ("That is what I found.", "max_iterations")
        assert len(tool.calls) == 2
        last = world.model.requests[-1]
        assert last.tools == ()
        assert last.system.startswith("Be brief.\n\n")
        assert "Close with a message" in last.system
        assert (await world.messages(session))[-1].tool_calls == ()


async def test_a_model_that_does_not_close_is_closed() -> None:
    async with opened([[call()], [call()]], tools=[FakeTool()], reasoning={"max_iterations": 2}) as world:
        reply = await collect(await world.send("go"))
        assert "stopped after 2 requests" in reply.response


async def test_one_request_is_enough_for_an_agent_without_tools() -> None:
    async with opened([["Hi."]], reasoning={"max_iterations": 1}) as world:
        reply = await collect(await world.send("go"))
        assert (reply.response, reply.finish_reason) == ("Hi.", "stop")
        assert "Close" not in world.model.requests[0].system


async def test_the_usage_is_that_of_all_requests() -> None:
    def used(prompt: int, completion: int) -> ModelFinished:
        usage = Usage(prompt_tokens=prompt, completion_tokens=completion)
        return ModelFinished(finish_reason="stop", usage=usage)

    async with opened([[call(), used(10, 1)], ["done", used(20, 2)]], tools=[FakeTool()]) as world:
        events = [each.event for each in await events_of(await world.send("go"))]
        assert [each.usage.prompt_tokens for each in events if isinstance(each, ModelUsed)] == [10, 20]
        assert isinstance(events[-1], TurnDone)
        assert events[-1].usage == Usage(prompt_tokens=30, completion_tokens=3)


async def test_a_model_that_fails_after_its_tools_leaves_a_valid_session() -> None:
    async with opened([[call()], ["so ", ModelTimeout()], ["fine"]], tools=[FakeTool()]) as world:
        session = await world.session()
        with pytest.raises(ModelTimeout):
            await collect(await world.send("go", session))
        assert await text_of(await world.send("again", session)) == "fine"
        assert told(world.model.requests[-1].messages) == [
            ("user", "go"),
            ("assistant", " ->act"),
            ("tool", "did it"),
            ("assistant", "so "),
            ("user", "again"),
        ]


async def test_tools_that_cannot_be_used_fail_the_turn_and_nothing_more() -> None:
    class Broken(FakeTool):
        @property
        def schema(self) -> Any:
            raise ToolUnavailable("The server does not start.", hint="Look at its command.")

        @schema.setter
        def schema(self, _: Any) -> None:
            """What `FakeTool` sets."""

    async with opened([["fine"]], tools=[Broken()]) as world:
        session = await world.session()
        last = (await events_of(await world.send("go", session)))[-1].event
        assert isinstance(last, TurnFailed)
        assert (last.code, last.retryable) == ("tool_unavailable", True)
        assert await world.transcript(session) == [("user", "go", "complete"), ("assistant", "", "failed")]


async def test_a_turn_stopped_while_a_tool_runs_keeps_what_is_there_and_closes_the_rest() -> None:
    never, ended = asyncio.Event(), asyncio.Event()

    async def deed(arguments: Mapping[str, Any], context: CallContext) -> str:
        if arguments["what"] == "quick":
            return "quick result"
        context.emit(NestedDelta(call_id=context.call_id, agent="a", session_id="s", turn_id="t", text="hm"))
        try:
            await never.wait()
        finally:
            ended.set()
            context.emit(NestedDelta(call_id=context.call_id, agent="a", session_id="s", turn_id="t", text="late"))
        return ""

    replies = [["On it.", call("slow"), call("quick")], ["fine"]]
    async with opened(replies, tools=[FakeTool(deed=deed)]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        async with stream:
            async for _, event in stream:
                if isinstance(event, ToolReturned):
                    break
        await world.service.cancel_turn("assistant", session)
        assert ended.is_set()
        events = [each.event for each in await events_of(await world.service.follow_turn("assistant", stream.turn_id))]
        assert sum(isinstance(each, NestedDelta) for each in events) <= 2
        assert isinstance(events[-1], TurnDone)
        assert events[-1].finish_reason == "cancelled"
        stopped = "The turn was stopped before this call returned; it may have taken effect."
        assert await world.transcript(session) == [
            ("user", "go", "complete"),
            ("assistant", "On it.", "complete"),
            ("tool", stopped, "cancelled"),
            ("tool", "quick result", "complete"),
            ("assistant", "", "cancelled"),
        ]
        assert await text_of(await world.send("again", session)) == "fine"
        assert [role for role, _ in told(world.model.requests[-1].messages)] == [
            "user",
            "assistant",
            "tool",
            "tool",
            "user",
        ]


async def test_a_turn_stopped_in_its_second_message_keeps_both() -> None:
    never = asyncio.Event()
    async with opened([["One.", call()], ["Two", never], ["fine"]], tools=[FakeTool()]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        async with stream:
            async for _, event in stream:
                if isinstance(event, TextDelta) and "Two" in event.text:
                    break
        await world.service.cancel_turn("assistant", session)
        assert await world.transcript(session) == [
            ("user", "go", "complete"),
            ("assistant", "One.", "complete"),
            ("tool", "did it", "complete"),
            ("assistant", "Two", "cancelled"),
        ]
        assert await world.runtime.store.answer("ada", stream.turn_id) == "One.\n\nTwo"


async def test_a_message_stopped_in_the_queue_does_not_come_between_a_call_and_its_result() -> None:
    gate, begun = asyncio.Event(), asyncio.Event()

    async def deed(arguments: Mapping[str, Any], context: CallContext) -> str:
        begun.set()
        await gate.wait()
        return "done"

    async with opened([[call()], ["one"], ["three"]], tools=[FakeTool(deed=deed)]) as world:
        session = await world.session()
        first = await world.send("1", session)
        second = await world.send("2", session)
        await begun.wait()
        await world.service.cancel_turn("assistant", session, turn_id=second.turn_id)
        gate.set()
        assert await text_of(first) == "one"
        assert await text_of(await world.send("3", session)) == "three"
        assert told(world.model.requests[-1].messages) == [
            ("user", "1"),
            ("assistant", " ->act"),
            ("tool", "done"),
            ("assistant", "one"),
            ("user", "2\n\n3"),
        ]
        await second.__aexit__(None, None, None)


async def test_a_fork_between_a_call_and_its_result_can_go_on() -> None:
    async with opened([["Hm.", call()], ["one"], ["two"]], tools=[FakeTool()]) as world:
        session = await world.session()
        await text_of(await world.send("1", session))
        calling = (await world.messages(session))[1]
        fork = await world.service.fork_session("assistant", session, after=calling.message_id)
        assert await text_of(await world.send("2", fork.session_id)) == "two"
        roles = [(each.role, each.is_error) for each in world.model.requests[-1].messages]
        assert roles == [("user", False), ("assistant", False), ("tool", True), ("user", False)]


async def test_a_reader_ahead_of_its_turn_gets_the_whole_answer_set_apart() -> None:
    async with opened([["One.", call()], ["Two."]], tools=[FakeTool()], sessions={"keep_events": 0}) as world:
        stream = await world.send("go", await world.session())
        assert await text_of(stream) == "One.\n\nTwo."
        await world.runtime.store.sweep()
        reset, _ = await events_of(await world.service.follow_turn("assistant", stream.turn_id))
        assert reset.event == TurnReset(turn_id=stream.turn_id, text="One.\n\nTwo.")


async def test_a_tool_knows_who_calls() -> None:
    tool = FakeTool()
    async with opened([[call()], ["done"]], tools=[tool]) as world:
        session = await world.session()
        stream = await world.send("go", session)
        await text_of(stream)
        (context,) = tool.contexts
        assert (context.user, context.agent, context.session_id) == ("ada", "assistant", session)
        assert (context.turn_id, context.depth, tuple(context.callers)) == (stream.turn_id, 0, ("assistant",))


async def test_calls_have_ids_of_ours_however_the_model_names_them() -> None:
    async with opened([[call("1"), call("2")], [call("3")], ["done"]], tools=[FakeTool()]) as world:
        session = await world.session()
        reply = await collect(await world.send("go", session))
        ids = [each.call_id for each in reply.tool_calls]
        assert len(set(ids)) == 3
        assert all(each.startswith("call_") for each in ids)
        assert [each.call_id for each in await world.messages(session) if each.role == "tool"] == ids


async def test_what_a_provider_wants_back_is_kept_with_its_calls() -> None:
    state = {"by": "some", "ids": ["a", "b"], "signature": None}
    finish = ModelFinished(finish_reason="tool_calls", provider_state=state)
    async with opened([["Hm.", call("1"), call("2"), finish], ["done"]], tools=[FakeTool()]) as world:
        session = await world.session()
        await text_of(await world.send("go", session))
        assert world.model.requests[1].messages[1].provider_state == state
        stored = await world.runtime.for_user("ada").list_messages("assistant", session)
        assert [each.provider_state for each in stored.items] == [None, state, None, None, None]


async def test_a_tool_that_is_slow_to_start_does_not_keep_the_message_from_being_stored() -> None:
    started = asyncio.Event()

    class Slow(FakeSource):
        async def tools(self) -> Any:
            await started.wait()
            return await super().tools()

    async with opened([["done"]]) as world:
        agent = world.runtime.agents["assistant"]
        world.runtime.agents["assistant"] = replace(agent, toolbox=Toolbox([Slow([])]))
        session = await world.session()
        stream = await world.send("go", session)
        assert await world.transcript(session) == [("user", "go", "complete")]
        started.set()
        assert await text_of(stream) == "done"


async def test_the_tools_are_closed_with_the_engine() -> None:
    async with opened([]) as world:
        sources = world.runtime.agents["assistant"].toolbox._sources
    assert [source.closed for source in sources] == [1]  # type: ignore[attr-defined]


async def test_all_of_a_long_output_can_be_had() -> None:
    async def deed(arguments: Mapping[str, Any], context: CallContext) -> str:
        return "x" * 50_000 if arguments["what"] == "long" else "short"

    async with opened([[call("long"), call("short")], ["done"]], tools=[FakeTool(deed=deed)], shown=100) as world:
        session = await world.session()
        reply = await collect(await world.send("go", session))
        long, short = (each.call_id for each in reply.tool_calls)
        results = [each for each in await world.messages(session) if each.role == "tool"]
        assert len(results[0].content) < 500
        assert await world.service.get_tool_output("assistant", session, long) == "x" * 50_000
        assert await world.service.get_tool_output("assistant", session, short) == "short"
        assert [each.name for each in world.model.requests[1].tools] == ["act", "read_output"]
        with pytest.raises(MessageNotFound):
            await world.service.get_tool_output("assistant", session, "call_unknown")


async def test_a_call_that_cannot_be_stored_is_not_made() -> None:
    from tests.runtime.test_refusing_store import Refusal

    tool = FakeTool()
    gate = asyncio.Event()
    async with opened([["Now.", gate, call()], ["fine"]], tools=[tool]) as world:
        store = Refusal(world.runtime.store)
        session = await world.session()
        stream = await world.send("go", session)
        await first_text(stream)
        store.full = True
        gate.set()
        async with stream:
            last = [each.event async for each in stream][-1]
        assert isinstance(last, TurnFailed)
        run = world.runtime.runs[stream.turn_id]
        store.full = False
        await run.finished.wait()
        assert tool.calls == []
        assert [(role, status) for role, _, status in await world.transcript(session)] == [
            ("user", "complete"),
            ("assistant", "complete"),
            ("tool", "failed"),
            ("assistant", "failed"),
        ]
        assert await text_of(await world.send("again", session)) == "fine"


async def test_a_model_that_fails_at_once_is_no_call(caplog: pytest.LogCaptureFixture) -> None:
    async with opened([[ModelError("no")], ["fine"]], tools=[FakeTool()]) as world:
        session = await world.session()
        with pytest.raises(ModelError, match="no"):
            await collect(await world.send("go", session))
        assert await text_of(await world.send("again", session)) == "fine"
