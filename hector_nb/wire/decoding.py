"""From the JSON form back to values, for clients: the other half of `codec.py` and `memory_codec.py`.

What the form leaves out has its default; keys that this version does not know are passed over. A value of another form raises `KeyError`,
`TypeError` or `ValueError`: whoever asked knows whom to blame.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from hector_nb.approvals import Approval
from hector_nb.config.schema import ReasoningConfig, StreamingConfig
from hector_nb.memories import Ledger, LedgerPart, Memory, RecalledMemory, SessionMemory
from hector_nb.messages import Message, ToolCall, Usage
from hector_nb.service import AgentInfo, ToolInfo
from hector_nb.sessions import Page, Session, Turn

T = TypeVar("T")
Json = Mapping[str, Any]


def decode_time(text: str) -> datetime:
    """A moment; it knows its offset."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return moment


def decode_agent(encoded: Json) -> AgentInfo:
    """An agent."""
    return AgentInfo(
        name=encoded["name"],
        description=encoded["description"],
        model=encoded["model"],
        provider=encoded["provider"],
        host=encoded["host"],
        tools=tuple(encoded["tools"]),
        memory=encoded["memory"],
        reasoning=ReasoningConfig.model_validate(_known(encoded["reasoning"], ReasoningConfig)),
        streaming=StreamingConfig.model_validate(_known(encoded["streaming"], StreamingConfig)),
    )


def decode_tool(encoded: Json) -> ToolInfo:
    """A tool of an agent."""
    return ToolInfo(
        name=encoded["name"],
        description=encoded["description"],
        parameters=encoded["parameters"],
        require_approval=encoded["require_approval"],
    )


def decode_session(encoded: Json) -> Session:
    """A session."""
    return Session(
        session_id=encoded["session_id"],
        agent=encoded["agent"],
        user=encoded["user"],
        status=encoded["status"],
        title=encoded["title"],
        metadata=encoded["metadata"],
        created_at=decode_time(encoded["created_at"]),
        last_active_at=decode_time(encoded["last_active_at"]),
        expires_at=_maybe_time(encoded["expires_at"]),
        message_count=encoded["message_count"],
        token_count=encoded["token_count"],
        running_turn=encoded["running_turn"],
        listed=encoded.get("listed", True),
    )


def decode_message(encoded: Json) -> Message:
    """A message of a transcript."""
    return Message(
        message_id=encoded["message_id"],
        turn_id=encoded["turn_id"],
        role=encoded["role"],
        content=encoded["content"],
        created_at=decode_time(encoded["created_at"]),
        status=encoded["status"],
        tokens=encoded["tokens"],
        estimated=encoded.get("estimated", False),
        thinking=encoded.get("thinking", ""),
        tool_calls=tuple(decode_tool_call(each) for each in encoded.get("tool_calls", ())),
        call_id=encoded.get("call_id"),
        is_error=encoded.get("is_error", False),
    )


def decode_tool_call(encoded: Json) -> ToolCall:
    """A tool call."""
    return ToolCall(call_id=encoded["call_id"], name=encoded["name"], arguments=encoded["arguments"])


def decode_approval(encoded: Json) -> Approval:
    """A tool call and a person's word on it."""
    return Approval(
        call_id=encoded["call_id"],
        turn_id=encoded["turn_id"],
        session_id=encoded["session_id"],
        name=encoded["name"],
        arguments=encoded["arguments"],
        created_at=decode_time(encoded["created_at"]),
        deadline=decode_time(encoded["deadline"]),
        decision=encoded["decision"],
        edited=encoded["edited"],
        diff=encoded.get("diff"),
    )


def decode_turn(encoded: Json, *, user: str) -> Turn:
    """A turn of `user`, whom its form does not name."""
    return Turn(
        turn_id=encoded["turn_id"],
        session_id=encoded["session_id"],
        agent=encoded["agent"],
        user=user,
        status=encoded["status"],
        message_id=encoded["message_id"],
        finish_reason=encoded["finish_reason"],
        usage=None if encoded["usage"] is None else decode_usage(encoded["usage"]),
        created_at=decode_time(encoded["created_at"]),
        finished_at=_maybe_time(encoded["finished_at"]),
    )


def decode_usage(encoded: Json) -> Usage:
    """Token counts."""
    return Usage(
        prompt_tokens=encoded["prompt_tokens"],
        completion_tokens=encoded["completion_tokens"],
        estimated=encoded.get("estimated", False),
    )


def decode_page(encoded: Json, name: str, decode: Callable[[Json], T]) -> Page[T]:
    """A page of a listing."""
    return Page(items=tuple(decode(each) for each in encoded[name]), next_cursor=encoded["next_cursor"])


def decode_memory(encoded: Json, *, agent: str) -> Memory:
    """A memory of an agent, which its form does not name."""
    return Memory(
        memory_id=encoded["memory_id"],
        agent=agent,
        user=encoded["user"],
        session_id=encoded["session_id"],
        scope=encoded["scope"],
        kind=encoded["kind"],
        text=encoded["text"],
        tokens=encoded["tokens"],
        message_ids=tuple(encoded["message_ids"]),
        created_at=decode_time(encoded["created_at"]),
        corrected_at=_maybe_time(encoded["corrected_at"]),
        version=encoded["version"],
    )


def decode_recalled(encoded: Json, *, agent: str) -> RecalledMemory:
    """A memory with its scores."""
    return RecalledMemory(
        memory=decode_memory(encoded, agent=agent),
        score=encoded["score"],
        keyword=encoded["keyword_score"],
        vector=encoded["vector_score"],
    )


def decode_ledger(encoded: Json) -> Ledger:
    """A ledger."""
    return Ledger(
        session_id=encoded["session_id"],
        turn_id=encoded["turn_id"],
        agent=encoded["agent"],
        model=encoded["model"],
        strategy=encoded["strategy"],
        budget=encoded["budget"],
        budget_note=encoded["budget_note"],
        estimated=encoded["estimated"],
        parts=tuple(_part(each) for each in encoded["parts"]),
        left_out=encoded["left_out"],
        requests=encoded["requests"],
    )


def decode_session_memory(encoded: Json) -> SessionMemory:
    """What a session remembers."""
    ledger = decode_ledger(encoded["working"])
    longterm = encoded["longterm"]
    if longterm is None:
        return SessionMemory(ledger=ledger, scope=None)
    return SessionMemory(
        ledger=ledger,
        scope=longterm["scope"],
        memories=tuple(decode_memory(each, agent=ledger.agent) for each in longterm["memories"]),
        next_cursor=longterm["next_cursor"],
        pending=longterm["pending"],
    )


def _part(encoded: Json) -> LedgerPart:
    return LedgerPart(
        kind=encoded["kind"],
        tokens=encoded["tokens"],
        text=encoded["text"],
        role=encoded.get("role"),
        source=encoded.get("memory_id", encoded.get("message_id")),
        session_id=encoded.get("session_id"),
        created_at=_maybe_time(encoded.get("created_at")),
        score=encoded.get("score"),
        keyword=encoded.get("keyword_score"),
        vector=encoded.get("vector_score"),
        drops_next=encoded.get("drops_next", False),
    )


def _maybe_time(text: str | None) -> datetime | None:
    return None if text is None else decode_time(text)


def _known(settings: Json, config: type[ReasoningConfig] | type[StreamingConfig]) -> dict[str, Any]:
    """The settings that this version has; a newer server may have more."""
    return {key: value for key, value in settings.items() if key in config.model_fields}
