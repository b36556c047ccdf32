"""Tool calls that wait for a person's word, in the chat."""

from contextlib import suppress
from typing import TYPE_CHECKING

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import ApprovalNotFound, Conflict
from hector_nb.frontends.cell_approvals import Allowed
from hector_nb.frontends.widget.reading import TurnReader

if TYPE_CHECKING:
    from hector_nb.frontends.widget.conversation import Conversation


class Approvals:
    """The words on the calls of a chat's session; `allowed` are the tools that need none, by session."""

    def __init__(self, chat: "Conversation", allowed: Allowed) -> None:
        self._chat = chat
        self._allowed = allowed

    async def asked(self, reader: TurnReader, call_id: str) -> None:
        """Find out more of a call: who makes it, what it would change, and whether it is always allowed."""
        approval = await self._find(call_id)
        if approval is None or not reader.is_shown:
            return
        if (approval.session_id, approval.name) in self._allowed:
            await self.decide(call_id, "approve")
            return
        reader.show_diff(call_id, approval.diff)
        if approval.session_id != self._chat.here().session_id:
            asking = await self._chat.service.find_session(approval.session_id)
            if reader.is_shown:
                reader.name_asker(call_id, asking.agent)

    async def decide(self, call_id: str, decision: Decision, *, always: bool = False) -> None:
        """Give the word on a call; one that was given elsewhere meanwhile counts. `always`: also on later calls of the tool in the session."""
        session = self._chat.here()
        if always and (approval := await self._find(call_id)) is not None:
            self._allowed.add((approval.session_id, approval.name))
        with suppress(ApprovalNotFound, Conflict):
            await self._chat.service.decide_approval(session.agent, session.session_id, call_id, decision)

    async def _find(self, call_id: str) -> Approval | None:
        session = self._chat.here()
        waiting = await self._chat.service.list_approvals(session.agent, session.session_id)
        return next((approval for approval in waiting if approval.call_id == call_id), None)
