"""A person's consent to a tool call, as values. A turn that waits for it keeps its session, whatever becomes of its process."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Decision = Literal["approve", "deny"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """A tool call that waits, or waited, for a person's word.

    No word until `deadline` means no. `edited` are the arguments that the person wants instead; None: those that the model wrote.
    `diff` is what the call would change in a file that is there, as a unified diff; it is made when somebody looks, and never stored.
    """

    call_id: str
    turn_id: str
    session_id: str
    name: str
    arguments: Mapping[str, Any]
    created_at: datetime
    deadline: datetime
    decision: Decision | None = None
    edited: Mapping[str, Any] | None = None
    diff: str | None = None
