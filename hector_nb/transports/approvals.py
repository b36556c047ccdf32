"""REST: what tools need of people. Their word on calls that wait for it, and outputs too long for a message."""

from hector_nb.transports.bodies import ApprovalWord
from hector_nb.transports.handlers import RestHandler, check_session_id, guarded
from hector_nb.wire.codec import encode_approval


class ApprovalsHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/approvals`."""

    @guarded("read")
    async def get(self, agent: str, session_id: str) -> None:
        """The calls that wait for somebody's word."""
        found = await (await self.service()).list_approvals(agent, check_session_id(session_id))
        self.reply({"approvals": [encode_approval(each) for each in found]})


class OneApprovalHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/approvals/{call_id}`."""

    @guarded("execute")
    async def post(self, agent: str, session_id: str, call_id: str) -> None:
        """Approve or deny a call; the turn goes on, wherever it runs."""
        service = await self.service()
        await service.get_session(agent, check_session_id(session_id))
        word = self.body(ApprovalWord)
        approval = await service.decide_approval(agent, session_id, call_id, word.decision, edited=word.arguments)
        self.reply(encode_approval(approval))


class OutputHandler(RestHandler):
    """`/agents/{agent}/sessions/{id}/outputs/{call_id}`."""

    @guarded("read")
    async def get(self, agent: str, session_id: str, call_id: str) -> None:
        """All that a tool said, also what its message leaves out."""
        output = await (await self.service()).get_tool_output(agent, check_session_id(session_id), call_id)
        self.reply({"call_id": call_id, "output": output})
