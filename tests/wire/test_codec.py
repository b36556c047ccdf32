"""The JSON form of what travels."""

import json
from datetime import UTC, datetime, timedelta, timezone

from hector_nb.messages import Message, ToolCall, Usage
from hector_nb.service import Reply
from hector_nb.sessions import Page, Session
from hector_nb.wire.codec import dumps, encode_message, encode_page, encode_reply, encode_session, encode_time

NOON = datetime(2026, 11, 22, 12, 0, 0, 250_000, tzinfo=UTC)


def test_times_are_rfc_3339_in_utc() -> None:
    assert encode_time(NOON) == "2026-11-22T12:00:00.250Z"
    assert encode_time(NOON.astimezone(timezone(timedelta(hours=5)))) == "2026-11-22T12:00:00.250Z"
    assert encode_time(None) is None


def test_a_session_shows_what_the_contract_lists() -> None:
    session = Session(session_id="sess_1", agent="assistant", user="ada", created_at=NOON, last_active_at=NOON)
    assert set(encode_session(session)) == {
        "session_id", "agent", "user", "status", "title", "metadata", "created_at", "last_active_at", "expires_at",
        "message_count", "token_count", "running_turn",
    }  # fmt: skip


def test_a_message_leaves_out_what_it_does_not_have() -> None:
    message = Message(
        message_id="msg_1", turn_id="turn_1", role="user", content="Hi", created_at=NOON, tokens=5, estimated=False
    )
    assert encode_message(message) == {
        "message_id": "msg_1",
        "turn_id": "turn_1",
        "role": "user",
        "content": "Hi",
        "status": "complete",
        "tokens": 5,
        "created_at": "2026-11-22T12:00:00.250Z",
    }


def test_tool_calls_thinking_and_results_are_shown() -> None:
    call = ToolCall(call_id="call_1", name="search", arguments={"q": "x"})
    said = Message(
        message_id="msg_1",
        turn_id="turn_1",
        role="assistant",
        content="",
        created_at=NOON,
        tool_calls=(call,),
        thinking="hm",
    )
    encoded = encode_message(said)
    assert encoded["tool_calls"] == [{"call_id": "call_1", "name": "search", "arguments": {"q": "x"}}]
    assert encoded["thinking"] == "hm"
    result = Message(
        message_id="msg_2",
        turn_id="turn_1",
        role="tool",
        content="no",
        created_at=NOON,
        call_id="call_1",
        is_error=True,
    )
    assert encode_message(result)["is_error"] is True


def test_a_page_names_its_items_and_the_next() -> None:
    assert encode_page(Page(items=[1, 2], next_cursor="x"), "numbers", lambda n: {"n": n}) == {
        "numbers": [{"n": 1}, {"n": 2}],
        "next_cursor": "x",
    }


def test_a_reply_is_the_whole_answer() -> None:
    reply = Reply(
        session_id="sess_1",
        turn_id="turn_1",
        message_id="msg_2",
        response="Hello",
        finish_reason="stop",
        usage=Usage(prompt_tokens=1, completion_tokens=2, estimated=True),
    )
    assert json.loads(dumps(encode_reply(reply))) == {
        "session_id": "sess_1",
        "turn_id": "turn_1",
        "message_id": "msg_2",
        "response": "Hello",
        "finish_reason": "stop",
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "estimated": True},
        "tool_calls": [],
    }
