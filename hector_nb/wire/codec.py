"""The one JSON form of what travels: agents, sessions, messages, turns, pages, replies. Times are RFC 3339 in UTC.

Below are the vocabulary's values; above every transport and client: `decoding.py` reads what is written here. Errors are in `status.py`,
a turn's events in `frames.py`.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from hector_nb.approvals import Approval
from hector_nb.events import encode_usage
from hector_nb.messages import Message, ToolCall
from hector_nb.service import AgentInfo, Reply, ToolInfo
from hector_nb.sessions import Page, Session, Turn

T = TypeVar("T")
_SURROGATE = re.compile("[\ud800-\udfff]")
quote: Callable[[str], str] = json.encoder.encode_basestring
"""A string as JSON, printable text left as it is."""


def without_surrogates(text: str) -> str:
    """The same text, of the same length, with U+FFFD for what UTF-8 cannot hold."""
    return _SURROGATE.sub("\ufffd", text)


def to_bytes(text: str) -> bytes:
    """UTF-8, whatever the text holds."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return without_surrogates(text).encode()


def dumps(value: object) -> str:
    """JSON on one line, printable text left as it is."""
    return json.dumps(value, ensure_ascii=False, default=dict)


def encode_time(when: datetime | None) -> str | None:
    """For example `2026-11-22T19:15:22.250Z`."""
    if when is None:
        return None
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode_agent(agent: AgentInfo) -> dict[str, Any]:
    """An agent, with its model, tools and memory settings."""
    return {
        "name": agent.name,
        "description": agent.description,
        "model": agent.model,
        "provider": agent.provider,
        "host": agent.host,
        "tools": list(agent.tools),
        "memory": dict(agent.memory),
        "reasoning": agent.reasoning.model_dump(mode="json"),
        "streaming": agent.streaming.model_dump(mode="json"),
    }


def encode_tool(tool: ToolInfo) -> dict[str, Any]:
    """A tool of an agent."""
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": dict(tool.parameters),
        "require_approval": tool.require_approval,
    }


def encode_session(session: Session) -> dict[str, Any]:
    """A session; `listed` only where it is not."""
    unlisted = {} if session.listed else {"listed": False}
    return {
        "session_id": session.session_id,
        "agent": session.agent,
        "user": session.user,
        "status": session.status,
        "title": session.title,
        "metadata": dict(session.metadata),
        "created_at": encode_time(session.created_at),
        "last_active_at": encode_time(session.last_active_at),
        "expires_at": encode_time(session.expires_at),
        "message_count": session.message_count,
        "token_count": session.token_count,
        "running_turn": session.running_turn,
        **unlisted,
    }


def encode_tool_call(call: ToolCall) -> dict[str, Any]:
    """A tool call."""
    return {"call_id": call.call_id, "name": call.name, "arguments": dict(call.arguments)}


def encode_approval(approval: Approval) -> dict[str, Any]:
    """A tool call and a person's word on it; `decision` is null while it waits."""
    encoded = {
        "call_id": approval.call_id,
        "turn_id": approval.turn_id,
        "session_id": approval.session_id,
        "name": approval.name,
        "arguments": dict(approval.arguments),
        "created_at": encode_time(approval.created_at),
        "deadline": encode_time(approval.deadline),
        "decision": approval.decision,
        "edited": None if approval.edited is None else dict(approval.edited),
    }
    return encoded if approval.diff is None else {**encoded, "diff": approval.diff}


def encode_message(message: Message) -> dict[str, Any]:
    """A message of a transcript; what it does not have is left out."""
    encoded: dict[str, Any] = {
        "message_id": message.message_id,
        "turn_id": message.turn_id,
        "role": message.role,
        "content": message.content,
        "status": message.status,
        "tokens": message.tokens,
        "created_at": encode_time(message.created_at),
    }
    if message.estimated:
        encoded["estimated"] = True
    if message.tool_calls:
        encoded["tool_calls"] = [encode_tool_call(call) for call in message.tool_calls]
    if message.thinking:
        encoded["thinking"] = message.thinking
    if message.call_id is not None:
        encoded["call_id"] = message.call_id
        encoded["is_error"] = message.is_error
    return encoded


def encode_turn(turn: Turn) -> dict[str, Any]:
    """A turn."""
    return {
        "turn_id": turn.turn_id,
        "session_id": turn.session_id,
        "agent": turn.agent,
        "status": turn.status,
        "message_id": turn.message_id,
        "finish_reason": turn.finish_reason,
        "usage": encode_usage(turn.usage) if turn.usage else None,
        "created_at": encode_time(turn.created_at),
        "finished_at": encode_time(turn.finished_at),
    }


def encode_page(page: Page[T], name: str, encode: Callable[[T], dict[str, Any]]) -> dict[str, Any]:
    """A page of a listing under its `name`, and the cursor of the next one."""
    return {name: [encode(item) for item in page.items], "next_cursor": page.next_cursor}


def encode_reply(reply: Reply) -> dict[str, Any]:
    """A whole answer."""
    return {
        "session_id": reply.session_id,
        "turn_id": reply.turn_id,
        "message_id": reply.message_id,
        "response": reply.response,
        "finish_reason": reply.finish_reason,
        "usage": encode_usage(reply.usage),
        "tool_calls": [encode_tool_call(call) for call in reply.tool_calls],
    }
