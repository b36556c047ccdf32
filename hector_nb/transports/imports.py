"""A conversation that comes back: the JSON that `wire/export.py` writes, or one written by hand with `role` and `content` alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, FailFast, Field

from hector_nb.errors import InvalidRequest
from hector_nb.ids import new_id
from hector_nb.messages import Message, MessageStatus, Role, ToolCall
from hector_nb.sessions import SessionStatus
from hector_nb.transports.bodies import Body, Id, Title, read_body
from hector_nb.wire.export import FORMAT, VERSION

MAX_IMPORT_BYTES = 64 * 1024 * 1024
Count = Annotated[int, Field(ge=0, le=2**53)]


def _time(value: object) -> object:
    """RFC 3339; without an offset it is UTC."""
    if not isinstance(value, str):
        raise ValueError("must be a time such as 2026-11-22T19:15:22.250Z")
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("must be a time such as 2026-11-22T19:15:22.250Z") from None


Time = Annotated[datetime, BeforeValidator(_time)]


class ImportedCall(Body):
    """A tool call."""

    call_id: Annotated[str, Field(min_length=1, max_length=256)]
    name: Annotated[str, Field(min_length=1, max_length=256)]
    arguments: dict[str, Any]


class ImportedMessage(Body):
    """A message. What is not given is made up: ids, the time of the import, a count of its tokens."""

    role: Role
    content: str
    message_id: Id | None = None
    turn_id: Id | None = None
    created_at: Time | None = None
    status: MessageStatus = "complete"
    tokens: Count = 0
    estimated: bool = True
    thinking: str = ""
    tool_calls: Annotated[list[ImportedCall], FailFast()] = Field(default_factory=list)
    call_id: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    is_error: bool = False


class ImportedSession(Body):
    """What an export tells of its session. Title and metadata are kept; the rest is for whoever reads the file."""

    title: Title = ""
    metadata: dict[str, Any] = Field(default_factory=dict)
    session_id: str | None = None
    agent: str | None = None
    user: str | None = None
    status: SessionStatus | None = None
    created_at: Time | None = None
    last_active_at: Time | None = None
    expires_at: Time | None = None
    message_count: Count | None = None
    token_count: Count | None = None
    running_turn: str | None = None


class Import(Body):
    """`POST /agents/{agent}/sessions/import`."""

    messages: Annotated[list[ImportedMessage], FailFast()]
    session: ImportedSession = ImportedSession()
    format: Literal["hector_nb.session"] = FORMAT
    version: Literal[1] = VERSION


@dataclass(frozen=True, kw_only=True, slots=True)
class Conversation:
    """What is to be stored."""

    title: str
    metadata: Mapping[str, Any]
    messages: Sequence[Message]


def read_import(raw: bytes, content_type: str | None) -> Conversation:
    """The conversation in a body.

    Raises:
        UnsupportedMediaType, MalformedRequest, InvalidRequest: it is none.
    """
    body = read_body(raw, content_type, Import)
    _check(body.messages)
    now = datetime.now(UTC)
    turn_id = new_id("turn")
    messages = []
    for each in body.messages:
        if each.turn_id is not None:
            turn_id = each.turn_id
        elif each.role == "user":
            turn_id = new_id("turn")
        messages.append(_message(each, turn_id, now))
    return Conversation(title=body.session.title, metadata=body.session.metadata, messages=messages)


def _message(imported: ImportedMessage, turn_id: str, now: datetime) -> Message:
    return Message(
        message_id=imported.message_id or new_id("msg"),
        turn_id=turn_id,
        role=imported.role,
        content=imported.content,
        created_at=imported.created_at or now,
        status=imported.status,
        tokens=imported.tokens,
        estimated=imported.estimated,
        thinking=imported.thinking,
        tool_calls=tuple(
            ToolCall(call_id=call.call_id, name=call.name, arguments=call.arguments) for call in imported.tool_calls
        ),
        call_id=imported.call_id,
        is_error=imported.is_error,
    )


def _check(messages: Sequence[ImportedMessage]) -> None:
    """Refuse what no conversation can be: a model would refuse it, too."""
    seen: set[str] = set()
    called: set[str] = set()
    for number, message in enumerate(messages):
        where = f"messages.{number}"
        if message.message_id is not None:
            if message.message_id in seen:
                raise InvalidRequest(f"`{where}.message_id` is there twice.")
            seen.add(message.message_id)
        if message.role != "assistant" and (message.tool_calls or message.thinking):
            raise InvalidRequest(f"`{where}` is no message of the assistant: it cannot have tool_calls or thinking.")
        if message.role == "tool":
            if message.call_id not in called:
                raise InvalidRequest(f"`{where}.call_id` must be that of a call in `tool_calls` before it.")
        elif message.call_id is not None or message.is_error:
            raise InvalidRequest(f"`{where}` is no message of a tool: it cannot have call_id or is_error.")
        called |= {call.call_id for call in message.tool_calls}
