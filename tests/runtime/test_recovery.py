"""Turns of dead processes, with tools: what the one who takes over makes of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hector_nb.approvals import Approval
from hector_nb.events import Event, ModelUsed, TextDelta, ThinkingDelta, TurnDone, TurnFailed
from hector_nb.messages import Message, ToolCall, Usage
from hector_nb.runtime.tool_calls import NOT_BEGUN, STOPPED
from hector_nb.sessions import Lifetime
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import BegunTurn, NewTurn, TurnOutcome
from tests.runtime.world import World, opened, text_of

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def message(number: int, role: str, content: str = "", **more: object) -> Message:
    values = {"message_id": f"msg_{number:03}", "turn_id": "turn_dead", "created_at": NOW, "role": role}
    return Message(**values, content=content, **more)  # type: ignore[arg-type]


def calls(*ids: str) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(call_id=each, name="act", arguments={}) for each in ids)


async def left_behind(
    world: World,
    session: str,
    messages: list[Message],
    events: list[Event],
    *,
    approvals: list[Approval] | None = None,
    agent: str = "assistant",
) -> None:
    """A turn whose process has stored this and then died."""
    store = world.runtime.store
    new = NewTurn(
        turn_id="turn_dead",
        agent=agent,
        user="ada",
        session_id=session,
        message=message(0, "user", "go"),
        holder="node_dead",
    )
    assert isinstance(await store.begin_turn(new, window=Window(), lifetime=Lifetime()), BegunTurn)
    outcome = TurnOutcome(status="waiting") if approvals else None
    await store.write_turn("turn_dead", messages=messages, events=events, approvals=approvals or [], outcome=outcome)
    await store.goodbye("node_dead")


async def test_what_followed_the_last_stored_message_is_what_was_said_last() -> None:
    used = ModelUsed(usage=Usage(prompt_tokens=1, completion_tokens=1))
    events: list[Event] = [ThinkingDelta(text="hm"), TextDelta(text="One."), used]
    events += [ThinkingDelta(text="so"), TextDelta(text="\n\nTw"), TextDelta(text="o")]
    stored = [
        message(1, "assistant", "One.", thinking="hm", tool_calls=calls("a")),
        message(2, "tool", "result", call_id="a"),
    ]
    async with opened([], sessions={"keep_events": 0}) as world:
        session = await world.session()
        await left_behind(world, session, stored, events)
        await world.runtime.recover()
        *_, last = await world.messages(session)
        assert (last.content, last.thinking, last.status) == ("Two", "so", "interrupted")
        assert last == await world.runtime.agents["assistant"].count(last)
        await world.runtime.store.sweep()
        assert not (await world.runtime.store.read_turn("ada", "turn_dead")).events  # type: ignore[union-attr]


async def test_a_long_turn_is_found_whole_behind_messages_that_were_stopped_in_the_queue() -> None:
    stored: list[Message] = []
    for number in range(1, 200, 2):
        stored.append(message(number, "assistant", tool_calls=calls(f"call_{number}")))
        stored.append(message(number + 1, "tool", "result", call_id=f"call_{number}"))
    async with opened([["hi"], ["fine"]]) as world:
        session = await world.session()
        await text_of(await world.send("before", session))
        await left_behind(world, session, stored[:-1], [])
        await world.runtime.recover()
        messages = await world.messages(session)
        assert len(messages) == 2 + 1 + 200 + 1
        assert (messages[-2].content, messages[-2].call_id) == (STOPPED, "call_199")
        assert await text_of(await world.send("again", session)) == "fine"


async def test_a_turn_that_died_before_it_said_anything_is_closed() -> None:
    async with opened([["fine"]]) as world:
        session = await world.session()
        await left_behind(world, session, [], [])
        await world.runtime.recover()
        assert await world.transcript(session) == [("user", "go", "complete"), ("assistant", "", "interrupted")]


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_waiting_turn_that_cannot_go_on_here_is_closed(cancelled: bool) -> None:
    """Somebody wants it cancelled, or its agent is not known to this process and its time has passed."""
    agent = "assistant" if cancelled else "elsewhere"
    deadline = datetime.now(UTC) + timedelta(seconds=300 if cancelled else -1)
    asked = Approval(
        call_id="a",
        turn_id="turn_dead",
        session_id="s",
        name="act",
        arguments={},
        created_at=NOW,
        deadline=deadline,
    )
    stored = [message(1, "assistant", "Shall I?", tool_calls=calls("a"))]
    async with opened([]) as world:
        store = world.runtime.store
        session = await world.service.get_session("assistant", await world.session())
        if not cancelled:
            await store.delete_session("ada", session.session_id)
            await store.create_session(replace(session, agent=agent))
        await left_behind(
            world, session.session_id, stored, [TextDelta(text="Shall I?")], approvals=[asked], agent=agent
        )
        if cancelled:
            await store.request_cancel("turn_dead")
        await world.runtime.recover()
        page = await store.list_messages("ada", session.session_id)
        status = "cancelled" if cancelled else "interrupted"
        assert [(each.content, each.status) for each in page.items[1:]] == [
            ("Shall I?", "complete"),
            (NOT_BEGUN, status),
            ("", status),
        ]
        log = await store.read_turn("ada", "turn_dead")
        assert log is not None
        assert isinstance(log.events[-1].event, TurnDone if cancelled else TurnFailed)
        assert [each.seq for each in log.events] == [1, 2]
        assert log.turn.status == status
