"""The calls of a session that wait for a person's word, those of the agents that it has called among them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import InvalidRequest
from hector_nb.messages import ToolCall
from hector_nb.runtime.nested import called_from
from hector_nb.sessions import Session
from hector_nb.tools.toolbox import ToolOutcome

if TYPE_CHECKING:
    from hector_nb.runtime.runtime import Runtime


class SessionApprovals:
    """What one user can say to the calls of a session.

    A question of an agent that the session has called is told in the session's own log too, and may be answered in either session.
    """

    def __init__(self, runtime: "Runtime", user: str) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._user = user

    async def waiting(self, session: Session) -> Sequence[Approval]:
        """See `SessionService.list_approvals`."""
        now = datetime.now(UTC)
        return [
            replace(approval, diff=await self._diff(asking.agent, approval))
            for asking, approvals in await self._asked(session)
            for approval in approvals
            if approval.decision is None and approval.deadline > now
        ]

    async def _diff(self, agent: str, approval: Approval) -> str | None:
        if agent not in self._runtime.agents:
            return None
        call = ToolCall(call_id=approval.call_id, name=approval.name, arguments=approval.arguments)
        return await self._runtime.agent(agent).toolbox.preview(call)

    async def decide(
        self, session: Session, call_id: str, decision: Decision, *, edited: Mapping[str, Any] | None
    ) -> Approval:
        """See `SessionService.decide_approval`."""
        for asking, approvals in await self._asked(session):
            for approval in approvals:
                if approval.call_id == call_id:
                    session = asking
                    await self._check(asking.agent, approval, decision, edited)
        decided = await self._store.decide(self._user, session.session_id, call_id, decision, edited=edited)
        if decided.turn_id not in self._runtime.runs:
            await self._runtime.recover()  # its process may be gone: then the turn goes on here
        return decided

    async def _asked(self, session: Session) -> Sequence[tuple[Session, Sequence[Approval]]]:
        """The approvals of the session and of those called from it."""
        sessions = [session, *await called_from(self._store, self._user, session.session_id)]
        return [(each, await self._store.approvals(self._user, each.session_id)) for each in sessions]

    async def _check(
        self, agent: str, approval: Approval, decision: Decision, edited: Mapping[str, Any] | None
    ) -> None:
        """Refuse arguments that the tool would not take."""
        if edited is None:
            return
        if decision == "deny":
            raise InvalidRequest("A call that is denied has no arguments.", hint="Leave the arguments out, or approve.")
        call = ToolCall(call_id=approval.call_id, name=approval.name, arguments=edited)
        checked = await self._runtime.agent(agent).toolbox.check(call)
        if isinstance(checked, ToolOutcome):
            raise InvalidRequest(checked.text)
