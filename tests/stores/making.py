"""Sessions, messages and turns for the store's tests."""

from datetime import UTC, datetime, timedelta

from hector_nb.approvals import Approval
from hector_nb.events import TextDelta, TurnDone
from hector_nb.ids import new_id
from hector_nb.messages import Message, ToolCall, Usage
from hector_nb.sessions import Lifetime, Session
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import BegunTurn, NewTurn, TurnOutcome

USER = "ann"
AGENT = "assistant"
EVERYTHING = Window()
FOR_EVER = Lifetime()
COMPLETE = TurnOutcome(status="complete", finish_reason="stop", usage=Usage(prompt_tokens=5, completion_tokens=2))
WAITING = TurnOutcome(status="waiting")
OVER = TurnOutcome(status="complete", keep_events=0)
"""A turn whose events may be erased at once."""


def ago(seconds=0.0):
    return datetime.now(UTC) - timedelta(seconds=seconds)


def make_session(session_id="s", **changes):
    now = ago()
    return Session(
        **{
            "session_id": session_id,
            "agent": AGENT,
            "user": USER,
            "created_at": now,
            "last_active_at": now,
            **changes,
        }
    )


def make_message(content="hello", turn_id="t", role="user", tokens=1, **changes):
    return Message(
        message_id=new_id("msg"),
        turn_id=turn_id,
        role=role,
        content=content,
        created_at=ago(),
        tokens=tokens,
        **changes,
    )


def make_approval(call_id="call", turn_id="t1", *, seconds=60, session_id="s", **changes):
    """An approval that is asked now and waited for so many seconds."""
    return Approval(
        **{
            "call_id": call_id,
            "turn_id": turn_id,
            "session_id": session_id,
            "name": "write_file",
            "arguments": {"path": "a.txt", "content": "text"},
            "created_at": ago(),
            "deadline": ago(-seconds),
            **changes,
        }
    )


def make_turn(turn_id, content="hello", session_id="s", **changes):
    return NewTurn(
        **{
            "turn_id": turn_id,
            "agent": AGENT,
            "user": USER,
            "session_id": session_id,
            "message": make_message(content, turn_id),
            "holder": "holder-1",
            **changes,
        }
    )


async def begin(store, turn_id, content="hello", *, window=EVERYTHING, lifetime=FOR_EVER, **changes):
    return await store.begin_turn(make_turn(turn_id, content, **changes), window=window, lifetime=lifetime)


async def finish(store, turn_id, answer="hi", *, outcome=COMPLETE):
    return await store.write_turn(
        turn_id,
        events=[
            TextDelta(text=answer),
            TurnDone(turn_id=turn_id, message_id=None, finish_reason="stop", usage=Usage()),
        ],
        messages=[make_message(answer, turn_id, "assistant", tokens=2)],
        outcome=outcome,
    )


async def wait(store, turn_id="t1", *call_ids, seconds=60, session_id="s"):
    """Let a turn that has begun call tools and wait for approvals of the calls."""
    calls = tuple(ToolCall(call_id=call_id, name="write_file", arguments={"path": "a.txt"}) for call_id in call_ids)
    said = make_message("Let me write.", turn_id, "assistant", tool_calls=calls)
    approvals = [make_approval(call_id, turn_id, seconds=seconds, session_id=session_id) for call_id in call_ids]
    await store.write_turn(turn_id, messages=[said], approvals=approvals, outcome=WAITING)
    return approvals


async def exchange(store, turn_id, content="hello", answer="hi", *, outcome=COMPLETE, **changes):
    begun = await begin(store, turn_id, content, **changes)
    assert isinstance(begun, BegunTurn)
    return await finish(store, turn_id, answer, outcome=outcome)


async def one_off(store, turn_id, *, outcome=COMPLETE):
    """A one-off turn in a session `once-…` of its own."""
    session = make_session(f"once-{turn_id}", listed=False)
    begun = await begin(store, turn_id, session_id=session.session_id, create_session=session)
    if outcome is not None:
        await finish(store, turn_id, outcome=outcome)
    return begun


async def transcript(store, session_id="s", user=USER):
    return [message.content for message in (await store.list_messages(user, session_id)).items]
