"""The protobuf form of what travels over gRPC: the values that `codec.py` encodes as JSON, under the same names.

What is free in form (metadata, arguments, an event's data) travels as JSON text: exactly, and as deep as over HTTP. Nothing here
waits; `transports/grpc.py` is above.
"""

from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from hector_nb.approvals import Approval
from hector_nb.events import TurnDone
from hector_nb.messages import Message, ToolCall, Usage
from hector_nb.service import AgentInfo, Reply, ToolInfo
from hector_nb.sessions import Page, Session, Turn
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.codec import dumps, without_surrogates
from hector_nb.wire.frames import Chunk, Cursor, Done, Failed, Frame, Named
from hector_nb.wire.status import encode_failure


def agent_message(agent: AgentInfo) -> pb.Agent:
    """An agent."""
    return pb.Agent(
        name=agent.name,
        description=agent.description,
        model=agent.model,
        provider=agent.provider,
        host=agent.host or "",
        tools=agent.tools,
        memory=_json(agent.memory),
        reasoning=_json(agent.reasoning.model_dump(mode="json")),
        streaming=_json(agent.streaming.model_dump(mode="json")),
    )


def tool_message(tool: ToolInfo) -> pb.Tool:
    """A tool of an agent."""
    return pb.Tool(
        name=tool.name,
        description=_text(tool.description),
        parameters=_json(tool.parameters),
        require_approval=tool.require_approval,
    )


def approval_message(approval: Approval) -> pb.Approval:
    """A tool call and a person's word on it."""
    return pb.Approval(
        call_id=_text(approval.call_id),
        turn_id=approval.turn_id,
        session_id=approval.session_id,
        name=_text(approval.name),
        arguments=_json(approval.arguments),
        created_at=_time(approval.created_at),
        deadline=_time(approval.deadline),
        decision=approval.decision or "",
        edited="" if approval.edited is None else _json(approval.edited),
    )


def session_message(session: Session) -> pb.Session:
    """A session."""
    return pb.Session(
        session_id=session.session_id,
        agent=session.agent,
        user=_text(session.user),
        status=session.status,
        title=_text(session.title),
        metadata=_json(session.metadata),
        created_at=_time(session.created_at),
        last_active_at=_time(session.last_active_at),
        expires_at=_time(session.expires_at),
        message_count=session.message_count,
        token_count=session.token_count,
        running_turn=session.running_turn or "",
        unlisted=not session.listed,
    )


def sessions_message(page: Page[Session]) -> pb.ListSessionsResponse:
    """A page of sessions."""
    return pb.ListSessionsResponse(
        sessions=[session_message(each) for each in page.items], next_cursor=page.next_cursor or ""
    )


def message_message(message: Message) -> pb.Message:
    """A message of a transcript."""
    return pb.Message(
        message_id=message.message_id,
        turn_id=message.turn_id,
        role=message.role,
        content=_text(message.content),
        status=message.status,
        tokens=message.tokens,
        created_at=_time(message.created_at),
        tool_calls=[_call(each) for each in message.tool_calls],
        thinking=_text(message.thinking),
        call_id=_text(message.call_id or ""),
        is_error=message.is_error,
        estimated=message.estimated,
    )


def messages_message(page: Page[Message]) -> pb.ListMessagesResponse:
    """A page of a transcript."""
    return pb.ListMessagesResponse(
        messages=[message_message(each) for each in page.items], next_cursor=page.next_cursor or ""
    )


def reply_message(reply: Reply) -> pb.MessageResponse:
    """A whole answer."""
    return pb.MessageResponse(
        session_id=reply.session_id,
        turn_id=reply.turn_id,
        message_id=reply.message_id or "",
        response=_text(reply.response),
        finish_reason=reply.finish_reason,
        usage=_usage(reply.usage),
        tool_calls=[_call(each) for each in reply.tool_calls],
    )


def cancelled_message(turn: Turn | None) -> pb.CancelTurnResponse:
    """The turn that was stopped, if one ran."""
    if turn is None:
        return pb.CancelTurnResponse()
    stopped = pb.Turn(
        turn_id=turn.turn_id,
        session_id=turn.session_id,
        agent=turn.agent,
        status=turn.status,
        message_id=turn.message_id,
        finish_reason=turn.finish_reason or "",
        usage=_usage(turn.usage) if turn.usage else None,
        created_at=_time(turn.created_at),
        finished_at=_time(turn.finished_at),
    )
    return pb.CancelTurnResponse(cancelled=True, turn=stopped)


def chunk_message(turn_id: str, frame: Frame) -> pb.MessageChunk | None:
    """A frame of a stream; None for a named `done`, which its end says."""
    match frame:
        case Chunk(seq, offset, text):
            return pb.MessageChunk(content=_text(text), id=str(Cursor(turn_id=turn_id, seq=seq, offset=offset)))
        case Named(_, _, "done", _):
            return None
        case Named(seq, offset, name, data):
            place = str(Cursor(turn_id=turn_id, seq=seq, offset=offset))
            if name == "reset":
                return pb.MessageChunk(id=place, reset=pb.Reset(turn_id=turn_id, text=_text(data["text"])))
            return pb.MessageChunk(id=place, event=pb.NamedEvent(name=name, data=_json(data)))
        case Done(seq, event):
            return pb.MessageChunk(id=f"{turn_id}:{seq}", done=_done(event))
        case Failed(seq, event):
            error = error_message(encode_failure(event)["error"], retryable=event.retryable)
            return pb.MessageChunk(id=f"{turn_id}:{seq}", error=error)


def error_message(error: dict[str, Any], *, retryable: bool) -> pb.Error:
    """An error, from the inner object of its JSON form."""
    return pb.Error(
        code=error["code"],
        message=_text(error["message"]),
        hint=_text(error.get("hint") or ""),
        retryable=retryable,
        details=_json(error["details"]) if "details" in error else "",
    )


def _done(event: TurnDone) -> pb.Done:
    return pb.Done(
        turn_id=event.turn_id,
        message_id=event.message_id or "",
        finish_reason=event.finish_reason,
        usage=_usage(event.usage),
    )


def _call(call: ToolCall) -> pb.ToolCall:
    return pb.ToolCall(call_id=_text(call.call_id), name=_text(call.name), arguments=_json(call.arguments))


def _usage(usage: Usage) -> pb.Usage:
    return pb.Usage(
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        estimated=usage.estimated,
    )


def _time(when: datetime | None) -> Timestamp | None:
    if when is None:
        return None
    stamp = Timestamp()
    stamp.FromDatetime(when)
    return stamp


def _json(value: object) -> str:
    return _text(dumps(value))


def _text(text: str) -> str:
    """Protobuf's strings hold what UTF-8 holds."""
    return text if text.isascii() else without_surrogates(text)
