"""The port to what tools leave behind: calls that wait for a person's word, and outputs too long for the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import ApprovalNotFound, Conflict

if TYPE_CHECKING:
    from hector_nb.stores.base_sessions import Window
    from hector_nb.stores.base_turns import BegunTurn


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolOutput:
    """All that a tool said, where its message holds only a part of it. It lives as long as that message."""

    call_id: str
    text: str


def decided(
    asked: Approval | None, call_id: str, decision: Decision, edited: Mapping[str, Any] | None, *, now: datetime
) -> Approval:
    """The approval after a person's word; `asked` is that of an unfinished turn, or None where there is none.

    Raises:
        ApprovalNotFound: nothing is asked, or it is too late.
        Conflict: it was decided otherwise before.
    """
    if asked is None or (asked.decision is None and asked.deadline <= now):
        raise ApprovalNotFound(f"No call {call_id!r} waits for an approval in this session.")
    if asked.decision is not None and (asked.decision, asked.edited) != (decision, edited):
        raise Conflict(f"The call {call_id!r} was decided before.", details={"decision": asked.decision})
    return replace(asked, decision=decision, edited=edited)


class ApprovalStore(Protocol):
    """What a `Store` keeps of tool calls."""

    async def approvals(self, user: str, session_id: str) -> Sequence[Approval]:
        """The approvals of the session's unfinished turns, decided or not, in the order in which they were asked for."""
        ...

    async def decide(
        self, user: str, session_id: str, call_id: str, decision: Decision, *, edited: Mapping[str, Any] | None = None
    ) -> Approval:
        """Store a person's word on a call. The same word again, edited arguments included, changes nothing as long as the turn goes on.

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
        """All that a tool said, where `write_turn` was given it; None where there is nothing more than its message.

        Where a session has several calls of this id, the last one's. A fork has the outputs of the messages that it shares.
        """
        ...
