"""What is said: messages, and the parts that models and tools add to them. Pure values.

A session's transcript is a list of messages. The roles are `user`, `assistant` and `tool`; a tool message
is the result of one call that the assistant message before it made.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Role = Literal["user", "assistant", "tool"]
MessageStatus = Literal["complete", "cancelled", "failed", "interrupted"]

APART = "\n\n"
"""What stands between the texts of two assistant messages of one turn, where they are read as one answer."""
INVALID_ARGUMENTS = "__invalid_arguments__"
"""The only key of a `ToolCall`'s arguments where the model wrote something that is not a JSON object; its value is that text. Whoever runs tools tells the model so."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolSchema:
    """What a model is told of a tool; `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A model's wish to run a tool. `arguments` is the decoded JSON object."""

    call_id: str
    name: str
    arguments: Mapping[str, Any]


def unreadable(arguments: Mapping[str, Any]) -> str | None:
    """What a model wrote in the place of a call's arguments, as people are shown it; None: it wrote a JSON object."""
    return str(arguments[INVALID_ARGUMENTS]) if set(arguments) == {INVALID_ARGUMENTS} else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """One message of a transcript.

    `tokens` is counted once, when the message is stored; it includes tool calls and thinking. `estimated` tells that the
    count was not made with the model's own vocabulary. `call_id` names the call that a tool message answers. `provider_state` is what
    the model's provider wants back with an answer that calls tools, such as signatures of its thinking: JSON that only the model's
    adapter reads.
    """

    message_id: str
    turn_id: str
    role: Role
    content: str
    created_at: datetime
    status: MessageStatus = "complete"
    tokens: int = 0
    estimated: bool = True
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    call_id: str | None = None
    is_error: bool = False
    provider_state: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens that a model reported, or our own count where it reported none (`estimated`)."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: bool = False

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            estimated=self.estimated or other.estimated,
        )


def joined(texts: Iterable[str]) -> str:
    """What an assistant has said in one turn, in several messages, as one text. It is the text of the turn's events."""
    return APART.join(text for text in texts if text)
