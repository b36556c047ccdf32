"""The port to what tools leave behind: calls that wait for a person's word, and outputs too long for the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from hector_nb.approvals import Approval, Decision

if TYPE_CHECKING:
    from hector_nb.stores.base import BegunTurn, Window


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolOutput:
    """All that a tool said, where its message holds only a part of it."""

    call_id: str
    text: str


class ApprovalStore(Protocol):
    """What a `Store` keeps of tool calls."""

    async def approvals(self, user: str, session_id: str) -> Sequence[Approval]:
        """The approvals of the session's unfinished turns, decided or not, in the order in which they were asked for."""
        ...

    async def decide(
        self, user: str, session_id: str, call_id: str, decision: Decision, *, edited: Mapping[str, Any] | None = None
    ) -> Approval:
        """Store a person's word on a call. The same word again changes nothing.

        Raises:
            ApprovalNotFound: no such call waits in this session, or it is past its deadline, or its turn is over.
            Conflict: it was decided otherwise before.
        """
        ...

    async def resume_turn(self, turn_id: str, holder: str, *, window: "Window") -> "BegunTurn | None":
        """Go on with a waiting turn that this holder has taken over: it is running from now on.

        None where it is not waiting, or not held by `holder`. `so_far` of the answer holds what the turn has added to the transcript.
        """
        ...

    async def get_output(self, user: str, session_id: str, call_id: str) -> str | None:
        """All that a tool said, where `write_turn` was given it; None where there is nothing more than its message."""
        ...
