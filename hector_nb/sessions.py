"""Sessions and turns: who talks to which agent, and how far a turn has come. Pure values."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, Literal, TypeVar

from hector_nb.messages import Usage

SessionStatus = Literal["active", "ended", "expired"]
STATUSES: tuple[SessionStatus, ...] = ("active", "ended", "expired")
TurnStatus = Literal["queued", "running", "waiting", "complete", "cancelled", "failed", "interrupted"]
FINISHED: frozenset[TurnStatus] = frozenset({"complete", "cancelled", "failed", "interrupted"})
IfBusy = Literal["queue", "reject", "interrupt"]

SESSION_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
LOCAL_USER = "local"
"""The owner of everything where nobody in particular is logged in."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """A conversation between one user and one agent.

    `expires_at` is the earlier of inactivity and maximum age, or None. `running_turn` is the id of the turn
    that runs now. A session that is not `listed` belongs to a one-off turn.
    """

    session_id: str
    agent: str
    user: str
    status: SessionStatus = "active"
    title: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime
    last_active_at: datetime
    expires_at: datetime | None = None
    message_count: int = 0
    token_count: int = 0
    running_turn: str | None = None
    listed: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """One message of the user and all that the agent does about it."""

    turn_id: str
    session_id: str
    agent: str
    user: str
    status: TurnStatus
    message_id: str
    last_seq: int = 0
    finish_reason: str | None = None
    usage: Usage | None = None
    created_at: datetime
    finished_at: datetime | None = None

    @property
    def finished(self) -> bool:
        """Whether no more events will come."""
        return self.status in FINISHED


@dataclass(frozen=True, kw_only=True, slots=True)
class Lifetime:
    """How long a session lives: seconds without a message, and seconds in all; None: for ever."""

    timeout: float | None = None
    max_duration: float | None = None

    def expires_at(self, created_at: datetime, last_active_at: datetime) -> datetime | None:
        """When a session ends by itself."""
        ends = []
        if self.timeout is not None:
            ends.append(last_active_at + timedelta(seconds=self.timeout))
        if self.max_duration is not None:
            ends.append(created_at + timedelta(seconds=self.max_duration))
        return min(ends, default=None)


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Page(Generic[T]):
    """One page of a listing; `next_cursor` is None on the last page."""

    items: Sequence[T]
    next_cursor: str | None = None
