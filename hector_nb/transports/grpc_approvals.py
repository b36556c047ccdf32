"""gRPC: agents, and what their tools need of people. Their word on calls that wait for it, and outputs too long for a message."""

from hector_nb.service import SessionService
from hector_nb.transports.bodies import ApprovalWord, shaped
from hector_nb.transports.grpc_calls import Calls, agent_of, answering, given, object_of, session_of
from hector_nb.transports.grpc_stream import Context
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.codec import without_surrogates
from hector_nb.wire.proto import agent_message, approval_message, tool_message


class ApprovalCalls(Calls):
    """The methods for agents, tools and approvals."""

    @answering("read")
    async def ListAgents(
        self, request: pb.ListAgentsRequest, service: SessionService, _: Context
    ) -> pb.ListAgentsResponse:
        """The agents, with model, tools and memory settings."""
        return pb.ListAgentsResponse(agents=[agent_message(each) for each in await service.list_agents()])

    @answering("read")
    async def ListTools(
        self, request: pb.ListToolsRequest, service: SessionService, _: Context
    ) -> pb.ListToolsResponse:
        """What the agent can call now."""
        tools = await service.list_tools(agent_of(request.agent))
        return pb.ListToolsResponse(tools=[tool_message(each) for each in tools])

    @answering("read")
    async def ListApprovals(
        self, request: pb.ListApprovalsRequest, service: SessionService, _: Context
    ) -> pb.ListApprovalsResponse:
        """The calls that wait for somebody's word."""
        found = await service.list_approvals(agent_of(request.agent), session_of(request.session_id))
        return pb.ListApprovalsResponse(approvals=[approval_message(each) for each in found])

    @answering("execute")
    async def DecideApproval(
        self, request: pb.DecideApprovalRequest, service: SessionService, _: Context
    ) -> pb.Approval:
        """Approve or deny a call."""
        agent, session_id = agent_of(request.agent), session_of(request.session_id)
        await service.get_session(agent, session_id)
        word = shaped(
            {**given(decision=request.decision), "arguments": object_of("arguments", request.arguments)}, ApprovalWord
        )
        approval = await service.decide_approval(
            agent, session_id, request.call_id, word.decision, edited=word.arguments
        )
        return approval_message(approval)

    @answering("read")
    async def GetToolOutput(
        self, request: pb.GetToolOutputRequest, service: SessionService, _: Context
    ) -> pb.ToolOutput:
        """All that a tool said."""
        output = await service.get_tool_output(agent_of(request.agent), session_of(request.session_id), request.call_id)
        return pb.ToolOutput(call_id=request.call_id, output=without_surrogates(output))
