"""What tools leave behind, in memory: approvals and long outputs."""

from collections.abc import Mapping, Sequence
from typing import Any

from hector_nb.approvals import Approval, Decision
from hector_nb.stores import codec
from hector_nb.stores.base_approvals import decided
from hector_nb.stores.in_memory_records import KeptTurn
from hector_nb.stores.in_memory_state import InMemoryState, utc_now


class InMemoryApprovals(InMemoryState):
    """Approvals live as long as their turn is unfinished, outputs as long as their messages."""

    async def approvals(self, user: str, session_id: str) -> Sequence[Approval]:
        """See `Store`."""
        return [approval for kept in self._asking(user, session_id) for approval in kept.approvals.values()]

    async def decide(
        self, user: str, session_id: str, call_id: str, decision: Decision, *, edited: Mapping[str, Any] | None = None
    ) -> Approval:
        """See `Store`."""
        call_id, edited = codec.clean(call_id), codec.stored_json(edited)
        kept = next((kept for kept in self._asking(user, session_id) if call_id in kept.approvals), None)
        asked = kept.approvals[call_id] if kept else None
        approval = decided(asked, call_id, decision, edited, now=utc_now())
        if kept is not None and approval != asked:
            kept.approvals[call_id] = approval
            self._wake(session_id)
        return approval

    async def get_output(self, user: str, session_id: str, call_id: str) -> str | None:
        """See `Store`."""
        session = self._sessions.get((user, session_id))
        outputs = sorted(session.outputs.items(), reverse=True) if session else []
        return next((text for (_, name), text in outputs if name == codec.clean(call_id)), None)

    def _asking(self, user: str, session_id: str) -> list[KeptTurn]:
        session = self._sessions.get((user, session_id))
        return session.unfinished() if session else []
