"""What happens in a turn, as values. A turn's event log is a numbered list of these; every way in is a reader of it.

The first event is `TurnStarted`, the last is `TurnDone` (finished or cancelled) or `TurnFailed`. `seq` counts from 1
without gaps, but for one before the last event of a turn whose process died. `TurnReset` is never logged: readers get it in
place of events that are gone. `encode` and `decode` are the one JSON form of an event, used by the store and by named wire events.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from hector_nb.approvals import Decision
from hector_nb.messages import Usage

FinishReason = Literal["stop", "length", "content_filter", "tool_calls", "max_iterations", "cancelled"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnStarted:
    """The turn holds the session and its context is built. `message_number` counts the session's user messages from 1.

    `context` is what the turn's first request shows, in the form of `ContextBuilt`.
    """

    session_id: str
    turn_id: str
    message_id: str
    message_number: int
    memory_tokens: int
    context: Mapping[str, Any] | None = None
    type: Literal["session"] = "session"


@dataclass(frozen=True, kw_only=True, slots=True)
class TextDelta:
    """A piece of the answer."""

    text: str
    type: Literal["text"] = "text"


@dataclass(frozen=True, kw_only=True, slots=True)
class ThinkingDelta:
    """A piece of the model's reasoning; never part of the answer."""

    text: str
    type: Literal["thinking"] = "thinking"


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCalled:
    """The model called a tool."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]
    type: Literal["tool_call"] = "tool_call"


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolReturned:
    """A tool answered, or failed (`is_error`)."""

    call_id: str
    name: str
    output: str
    is_error: bool = False
    type: Literal["tool_result"] = "tool_result"


@dataclass(frozen=True, kw_only=True, slots=True)
class NestedDelta:
    """A piece of the answer of an agent that this turn has called (`call_id`); the answer's own session and turn are named."""

    call_id: str
    agent: str
    session_id: str
    turn_id: str
    text: str
    type: Literal["nested"] = "nested"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalAsked:
    """A tool call waits for a person's word until `deadline` (RFC 3339)."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]
    deadline: str
    type: Literal["approval"] = "approval"


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalDecided:
    """The word has been given, or its time has passed (`expired`: that means no). `edited` are the arguments put in place of the model's."""

    call_id: str
    decision: Decision
    expired: bool = False
    edited: Mapping[str, Any] | None = None
    type: Literal["approval_decided"] = "approval_decided"


@dataclass(frozen=True, kw_only=True, slots=True)
class ContextBuilt:
    """What a model is about to see in a later request of the turn, without its texts: `context` is the ledger as JSON, memories and messages by id, tokens and score."""

    context: Mapping[str, Any]
    type: Literal["context"] = "context"


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelUsed:
    """One request to the model is over; these are its tokens."""

    usage: Usage
    type: Literal["usage"] = "usage"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnDone:
    """The turn is over: answered, or stopped by somebody (`finish_reason` `cancelled`)."""

    turn_id: str
    message_id: str | None
    finish_reason: FinishReason
    usage: Usage
    type: Literal["done"] = "done"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnFailed:
    """The turn is over and did not succeed; `code` is that of the error class.

    `kept_until` is set where the turn's process died: the `seq` of the last event that is known; later ones may have been delivered.
    """

    code: str
    message: str
    hint: str | None = None
    retryable: bool = False
    kept_until: int | None = None
    type: Literal["error"] = "error"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnReset:
    """What a reader has of this turn is to be replaced by `text`: the events after its cursor are not to be had."""

    turn_id: str
    text: str
    type: Literal["reset"] = "reset"


Event: TypeAlias = (
    TurnStarted
    | TextDelta
    | ThinkingDelta
    | ToolCalled
    | ToolReturned
    | NestedDelta
    | ApprovalAsked
    | ApprovalDecided
    | ContextBuilt
    | ModelUsed
    | TurnDone
    | TurnFailed
    | TurnReset
)
_BY_TYPE: dict[str, type[Event]] = {get_args(cls.__dataclass_fields__["type"].type)[0]: cls for cls in get_args(Event)}


class LoggedEvent(NamedTuple):
    """An event and its place in the turn's log."""

    seq: int
    event: Event


def is_last(event: Event) -> bool:
    """Whether this event ends its turn."""
    return isinstance(event, TurnDone | TurnFailed)


def encode(event: Event) -> dict[str, Any]:
    """The event as a JSON object, `type` included."""
    encoded = {field.name: getattr(event, field.name) for field in fields(event)}
    if "usage" in encoded:
        encoded["usage"] = encode_usage(encoded["usage"])
    return encoded


def decode(encoded: Mapping[str, Any]) -> Event:
    """The event that `encode` encoded; keys that this version does not know are left out."""
    cls = _BY_TYPE[encoded["type"]]
    known = {field.name for field in fields(cls)}
    values = {name: value for name, value in encoded.items() if name in known}
    if "usage" in values:
        values["usage"] = Usage(**{k: v for k, v in values["usage"].items() if k != "total_tokens"})
    return cls(**values)


def encode_usage(usage: Usage) -> dict[str, Any]:
    """Token counts as a JSON object; `estimated` only where it is true."""
    encoded: dict[str, Any] = {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.total_tokens,
    }
    return {**encoded, "estimated": True} if usage.estimated else encoded
