"""Agents that call agents: nested turns, their answers, their questions and their ends."""

import asyncio
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest

from hector_nb.errors import ApprovalNotFound, InvalidRequest, ModelRefused, SessionNotFound
from hector_nb.events import ApprovalAsked, ApprovalDecided, NestedDelta, TextDelta, ToolCalled, ToolReturned, TurnDone
from hector_nb.messages import Message
from hector_nb.service import SendMessage, collect
from hector_nb.sessions import Session
from hector_nb.stores.sqlite import SQLiteStore
from hector_nb.tools import toolbox
from tests.runtime import world
from tests.runtime.agents import Agents, ask, opened_agents
from tests.runtime.fake_tools import FakeTool, call
from tests.runtime.test_approvals import of, until_asked
from tests.runtime.test_killed import ROOT
from tests.runtime.world import events_of, left

pytestmark = pytest.mark.anyio


def careful(**more: Any) -> FakeTool:
    return FakeTool(require_approval="always", **more)


async def nested_of(here: Agents, agent: str = "helper") -> Session:
    """The only session that an agent was called in."""
    (session,) = (await here.service.list_sessions(agent)).items
    return session


async def messages_of(here: Agents, session: Session) -> list[tuple[str, str, str]]:
    page = await here.service.list_messages(session.agent, session.session_id)
    return [(each.role, each.content, each.status) for each in page.items]


async def results(here: Agents, session_id: str) -> list[Message]:
    return [each for each in await here.messages(session_id) if each.role == "tool"]


async def until_nested(stream: Any) -> NestedDelta:
    while True:
        for logged in await stream.read():
            if isinstance(logged.event, NestedDelta):
                return logged.event


# answers


async def test_the_answer_of_another_agent_is_streamed_and_is_the_result_of_the_call() -> None:
    replies = {
        "assistant": [["One moment.", ask("helper", "What is it?")], ["It is done."]],
        "helper": [["It ", "works."]],
    }
    async with opened_agents(replies) as here:
        session = await here.session()
        events = await events_of(await here.send("go", session))
        nested = await nested_of(here)
        deltas = of(NestedDelta, events)
        assert "".join(each.text for each in deltas) == "It works."
        (called,), (returned,) = of(ToolCalled, events), of(ToolReturned, events)
        assert {each.call_id for each in deltas} == {called.call_id} == {returned.call_id}
        assert {(each.agent, each.session_id) for each in deltas} == {("helper", nested.session_id)}
        assert (returned.output, returned.is_error) == ("It works.", False)
        assert "".join(each.text for each in of(TextDelta, events)) == "One moment.\n\nIt is done."
        own = await here.service.follow_turn("helper", deltas[0].turn_id)
        assert (await collect(own)).response == "It works."


async def test_the_nested_session_is_linked_to_its_call_and_people_may_go_on_with_it() -> None:
    replies = {"assistant": [[ask("helper", "What is it?")], ["Done."]], "helper": [["It works."], ["Indeed."]]}
    async with opened_agents(replies) as here:
        session = await here.session()
        stream = await here.send("go", session)
        (called,) = of(ToolCalled, await events_of(stream))
        nested = await nested_of(here)
        assert nested.metadata == {
            "called_by": {
                "agent": "assistant", "session_id": session, "turn_id": stream.turn_id, "call_id": called.call_id,
            }
        }  # fmt: skip
        assert await messages_of(here, nested) == [
            ("user", "What is it?", "complete"), ("assistant", "It works.", "complete"),
        ]  # fmt: skip
        reply = await collect(
            await here.service.stream_message("helper", SendMessage(message="Sure?", session_id=nested.session_id))
        )
        assert reply.response == "Indeed."


async def test_the_other_agent_belongs_to_the_same_user() -> None:
    async with opened_agents({"assistant": [[ask("helper")], ["Done."]], "helper": [["It works."]]}) as here:
        await collect(await here.send("go", await here.session()))
        assert (await nested_of(here)).user == "ada"
        assert (await here.of("bob").list_sessions("helper")).items == []


async def test_what_a_one_off_turn_calls_is_not_listed_either() -> None:
    async with opened_agents({"assistant": [[ask("helper")], ["Done."]], "helper": [["It works."]]}) as here:
        events = await events_of(await here.send("go"))
        (delta,) = of(NestedDelta, events)
        assert (await here.service.list_sessions("helper")).items == []
        assert not (await here.service.get_session("helper", delta.session_id)).listed


async def test_several_agents_answer_side_by_side() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    replies: Any = {
        "assistant": [[ask("a"), ask("b")], ["Done."]],
        "a": [["A1", second, "A2"]],
        "b": [["B", first]],
    }
    async with opened_agents(replies) as here:
        session = await here.session()
        stream = await here.send("go", session)
        seen = {(await until_nested(stream)).agent}
        if len(seen) == 1:
            first.set()
        second.set()
        await collect(stream)
        assert [each.content for each in await results(here, session)] == ["A1A2", "B"]


async def test_agents_call_agents_that_call_agents() -> None:
    replies = {"assistant": [[ask("b")], ["Top."]], "b": [[ask("c")], ["Middle."]], "c": [["Bottom."]]}
    async with opened_agents(replies) as here:
        session = await here.session()
        events = await events_of(await here.send("go", session))
        assert [each.text for each in of(NestedDelta, events)] == ["Middle."]
        middle = await nested_of(here, "b")
        assert (await messages_of(here, middle))[-2:] == [
            ("tool", "Bottom.", "complete"),
            ("assistant", "Middle.", "complete"),
        ]


async def test_a_long_answer_is_cut_and_can_be_read_on() -> None:
    replies: Any = {"assistant": [[ask("helper")], ["Done."]], "helper": [["x" * 5000]]}
    async with opened_agents(replies, shown=100) as here:
        session = await here.session()
        await collect(await here.send("go", session))
        (result,) = await results(here, session)
        assert "4,900 of 5,000 characters left out; read_output(call_id=" in result.content
        assert result.call_id
        assert await here.service.get_tool_output("assistant", session, result.call_id) == "x" * 5000


async def test_an_agent_that_says_nothing_is_said_to() -> None:
    async with opened_agents({"assistant": [[ask("helper")], ["Done."]], "helper": [[]]}) as here:
        session = await here.session()
        await collect(await here.send("go", session))
        assert [each.content for each in await results(here, session)] == ["(The agent gave no answer.)"]


# what does not work


async def said_of(here: Agents) -> tuple[str, bool]:
    session = await here.session()
    await collect(await here.send("go", session))
    (result,) = await results(here, session)
    return result.content, result.is_error


async def test_an_unknown_agent_is_refused_with_the_nearest_name() -> None:
    async with opened_agents({"assistant": [[ask("hepler")], ["Done."]], "helper": []}) as here:
        text, is_error = await said_of(here)
        assert is_error
        assert "'hepler' is not one of those that there are; did you mean 'helper'?" in text


async def test_an_agent_cannot_call_itself() -> None:
    async with opened_agents({"assistant": [[ask("assistant")], ["Done."]], "helper": []}) as here:
        text, is_error = await said_of(here)
        assert is_error
        assert "known values: helper" in text


@pytest.mark.parametrize("message", ["", None])
async def test_a_call_without_a_message_is_refused(message: Any) -> None:
    async with opened_agents({"assistant": [[ask("helper", message)], ["Done."]], "helper": []}) as here:
        assert (await said_of(here))[1]


async def test_circles_are_refused() -> None:
    replies = {"assistant": [[ask("b")], ["Done."]], "b": [[ask("assistant")], ["I cannot."]]}
    async with opened_agents(replies) as here:
        assert await said_of(here) == ("I cannot.", False)
        told = (await messages_of(here, await nested_of(here, "b")))[2][1]
        assert (
            told
            == "The agent assistant waits for this answer itself (assistant → b → assistant). Do it without asking it."
        )


async def test_calls_are_only_so_deep() -> None:
    replies = {"assistant": [[ask("b")], ["Done."]], "b": [[ask("c")], ["B."]], "c": [[ask("d")], ["C."]], "d": []}
    async with opened_agents(replies, max_depth=2) as here:
        assert await said_of(here) == ("B.", False)
        told = (await messages_of(here, await nested_of(here, "c")))[2][1]
        assert told == "Agents may call one another only 2 deep. Do it without another agent."
        assert (await here.service.list_sessions("d")).items == []


async def test_the_failure_of_the_other_agent_is_told_to_the_model() -> None:
    replies: Any = {"assistant": [[ask("helper")], ["Done."]], "helper": [["It", ModelRefused("No key.")]]}
    async with opened_agents(replies) as here:
        assert await said_of(here) == ("The agent helper has failed: No key.\nIt had said: It", True)


async def test_stopping_the_other_agent_is_told_to_the_model() -> None:
    replies: Any = {"assistant": [[ask("helper")], ["Done."]], "helper": [["It", asyncio.Event()]]}
    async with opened_agents(replies) as here:
        session = await here.session()
        stream = await here.send("go", session)
        delta = await until_nested(stream)
        await here.service.cancel_turn("helper", delta.session_id)
        await collect(stream)
        (result,) = await results(here, session)
        assert (result.content, result.is_error) == (
            "The agent helper was stopped before it had answered.\nIt had said: It", True,
        )  # fmt: skip


# ends


async def test_the_other_agent_is_cancelled_with_its_caller() -> None:
    replies: Any = {"assistant": [[ask("b")]], "b": [[ask("c")]], "c": [["It", asyncio.Event()]]}
    async with opened_agents(replies) as here:
        session = await here.session()
        stream = await here.send("go", session)
        while not (found := (await here.service.list_sessions("c")).items) or not found[0].running_turn:
            await asyncio.sleep(0)
        inner = await here.service.follow_turn("c", found[0].running_turn)
        await world.first_text(inner)
        await here.service.cancel_turn("assistant", session)
        assert (await collect(stream)).finish_reason == "cancelled"
        assert here.models["c"].closed == 1
        for agent, last in (("b", ("assistant", "", "cancelled")), ("c", ("assistant", "It", "cancelled"))):
            assert (await messages_of(here, await nested_of(here, agent)))[-1] == last
        assert here.runtime.runs == {}


class Passing(asyncio.Event):
    """A step at which these time limits pass, however fast the machine is."""

    def __init__(self, limits: list[asyncio.Timeout]) -> None:
        super().__init__()
        self._limits = limits

    async def wait(self) -> Literal[True]:
        for limit in self._limits:
            limit.reschedule(asyncio.get_running_loop().time())
        return await super().wait()


async def test_a_time_limit_stops_the_other_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[asyncio.Timeout] = []

    def timeout(seconds: float | None) -> asyncio.Timeout:
        limits.append(asyncio.timeout(None))
        return limits[-1]

    monkeypatch.setattr(toolbox, "asyncio", SimpleNamespace(**{**vars(asyncio), "timeout": timeout}))
    replies: Any = {"assistant": [[ask("helper")], ["Done."]], "helper": [["It", Passing(limits)]]}
    async with opened_agents(replies) as here:
        (tool,) = [
            each for each in (await here.runtime.agent("assistant").toolbox._tools()).values() if each.timeout is None
        ]
        monkeypatch.setattr(tool, "timeout", 0.5)
        assert await said_of(here) == ("The tool took longer than 0.5 s and was stopped.", True)
        assert (await messages_of(here, await nested_of(here)))[-1] == ("assistant", "It", "cancelled")


async def test_the_other_agent_does_not_depend_on_readers_of_its_own() -> None:
    go_on = asyncio.Event()
    replies: Any = {"assistant": [[ask("helper")], ["Done."]], "helper": [["It ", go_on, "works."]]}
    async with opened_agents(replies, streaming={"resume_grace": "0s"}) as here:
        stream = await here.send("go", await here.session())
        delta = await until_nested(stream)
        async with await here.service.follow_turn("helper", delta.turn_id) as reader:
            await reader.read()
        go_on.set()
        (returned,) = of(ToolReturned, await events_of(stream))
        assert returned.output == "It works."


async def test_deleting_a_session_deletes_what_it_has_called() -> None:
    replies = {"assistant": [[ask("b")], ["Done."]], "b": [[ask("c")], ["B."]], "c": [["C."]]}
    async with opened_agents(replies) as here:
        session = await here.session()
        await collect(await here.send("go", session))
        fork = await here.service.fork_session("assistant", session)
        await here.service.delete_session("assistant", fork.session_id)
        b, c = await nested_of(here, "b"), await nested_of(here, "c")
        await here.service.delete_session("assistant", session)
        for nested in (b, c):
            with pytest.raises(SessionNotFound):
                await here.service.get_session(nested.agent, nested.session_id)


# questions


async def test_the_question_of_the_other_agent_is_asked_and_answered_in_the_caller_s_session() -> None:
    tool = careful()
    replies = {"assistant": [[ask("helper")], ["Done."]], "helper": [["Shall I?", call()], ["I did."]]}
    async with opened_agents(replies, tools={"helper": [tool]}) as here:
        session = await here.session()
        stream = await here.send("go", session)
        (asked,) = await until_asked(stream)
        nested = await nested_of(here)
        for agent, session_id in (("assistant", session), ("helper", nested.session_id)):
            (waiting,) = await here.service.list_approvals(agent, session_id)
            assert (waiting.call_id, waiting.session_id, waiting.name) == (asked.call_id, nested.session_id, "act")
        with pytest.raises(InvalidRequest):
            await here.service.decide_approval("assistant", session, asked.call_id, "approve", edited={"who": 1})
        await here.service.decide_approval("assistant", session, asked.call_id, "approve", edited={"what": "less"})
        rest = await events_of(stream)
        assert [(each.call_id, each.decision) for each in of(ApprovalDecided, rest)] == [(asked.call_id, "approve")]
        assert of(TurnDone, rest)
        assert tool.calls == [{"what": "less"}]
        assert [each.content for each in await results(here, session)] == ["Shall I?\n\nI did."]
        assert await here.service.list_approvals("assistant", session) == []
        with pytest.raises(ApprovalNotFound):
            await here.service.decide_approval("assistant", session, asked.call_id, "approve")


async def test_a_question_may_come_from_far_below_and_be_answered_from_another_process() -> None:
    tool = careful()
    replies = {"assistant": [[ask("b")], ["Done."]], "b": [[ask("c")], ["B."]], "c": [[call()], ["C."]]}
    async with (
        opened_agents(replies, tools={"c": [tool]}) as here,
        opened_agents({"assistant": [], "b": [], "c": []}) as there,
    ):
        session = await here.session()
        stream = await here.send("go", session)
        (asked,) = await until_asked(stream)
        assert [each.call_id for each in await there.service.list_approvals("assistant", session)] == [asked.call_id]
        await there.service.decide_approval("assistant", session, asked.call_id, "deny")
        await collect(stream)
        assert tool.calls == []
        assert [each.content for each in await results(here, session)] == ["B."]


async def test_nobody_else_can_answer() -> None:
    replies = {"assistant": [[ask("helper")], ["Done."]], "helper": [[call()], ["I did."]]}
    async with opened_agents(replies, tools={"helper": [careful()]}) as here:
        session, other = await here.session(), await here.session()
        (asked,) = await until_asked(await here.send("go", session))
        with pytest.raises(ApprovalNotFound):
            await here.service.decide_approval("assistant", other, asked.call_id, "approve")
        with pytest.raises(SessionNotFound):
            await here.of("bob").decide_approval("assistant", session, asked.call_id, "approve")


async def test_a_turn_whose_agent_waits_for_a_person_is_not_cut_when_its_readers_leave() -> None:
    tool = careful()
    replies = {"assistant": [[ask("helper")], ["Done."]], "helper": [[call()], ["I did."]]}
    async with opened_agents(replies, tools={"helper": [tool]}, streaming={"resume_grace": "0s"}) as here:
        session = await here.session()
        stream = await here.send("go", session)
        async with stream:
            (asked,) = await until_asked(stream)
        await left(here, stream.turn_id)
        await here.service.decide_approval("assistant", session, asked.call_id, "approve")
        again = await here.service.follow_turn("assistant", stream.turn_id)
        assert (await collect(again)).response == "Done."
        assert len(tool.calls) == 1


async def test_no_answer_in_time_means_no() -> None:
    tool = careful(approval_timeout=0.05)
    replies = {"assistant": [[ask("helper")], ["Done."]], "helper": [[call()], ["As you wish."]]}
    async with opened_agents(replies, tools={"helper": [tool]}) as here:
        events = await events_of(await here.send("go", await here.session()))
        (decided,) = of(ApprovalDecided, events)
        assert (decided.decision, decided.expired) == ("deny", True)
        assert len(of(ApprovalAsked, events)) == 1
        assert tool.calls == []


# processes that stop and die


async def test_where_the_process_stops_a_waiting_agent_stops_with_its_caller(new_store: None) -> None:
    tool = careful()
    replies = {"assistant": [[ask("helper")]], "helper": [["Shall I?", call()]]}
    async with opened_agents(replies, tools={"helper": [tool]}) as here:
        session = await here.session()
        await until_asked(await here.send("go", session))
        nested = await nested_of(here)
        store = here.runtime.store
        await here.runtime.aclose()
        await store.aopen()
        turns = [await store.last_turn("ada", each) for each in (session, nested.session_id)]
        assert [each and each.status for each in turns] == ["interrupted", "interrupted"]


async def test_where_the_process_dies_a_waiting_agent_does_not_linger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "killed.db"
    monkeypatch.setattr(world, "new_store", lambda: SQLiteStore(path))
    tool = careful()
    replies = {"assistant": [["What now?"]], "helper": [["Yes?"]]}
    async with opened_agents(replies, tools={"helper": [tool]}, within=60) as here:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.runtime.nested_worker", str(path), stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        assert process.stdout is not None
        (session,) = json.loads(await process.stdout.readline())
        assert await process.stdout.readline() == b'"waiting"\n'
        (asked,) = await here.service.list_approvals("assistant", session)
        process.kill()
        await process.wait()
        await here.runtime.recover()
        nested = await nested_of(here)
        statuses = [await here.runtime.store.last_turn("ada", each) for each in (session, nested.session_id)]
        assert [each and each.status for each in statuses] == ["interrupted", "interrupted"]
        assert (await messages_of(here, nested))[-1][2] == "interrupted"
        for agent, session_id in (("assistant", session), ("helper", nested.session_id)):
            with pytest.raises(ApprovalNotFound):
                await here.service.decide_approval(agent, session_id, asked.call_id, "approve")
        assert tool.calls == []
        assert (await collect(await here.send("go on", session))).response == "What now?"
        again = await collect(
            await here.service.stream_message("helper", SendMessage(message="Hello", session_id=nested.session_id))
        )
        assert again.response == "Yes?"
