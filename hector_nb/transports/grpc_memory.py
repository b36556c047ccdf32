"""gRPC: the memory of sessions. What is remembered, what a model saw, correcting, forgetting, and putting back."""

from hector_nb.errors import InvalidRequest
from hector_nb.service import SessionService
from hector_nb.transports.grpc_calls import Calls, agent_of, answering, limit_of, session_of
from hector_nb.transports.grpc_stream import Context
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.memory_proto import ledger_message, memory_message, recalled_message, session_memory_message


class MemoryCalls(Calls):
    """The methods for memory."""

    @answering("read")
    async def GetMemory(self, request: pb.GetMemoryRequest, service: SessionService, _: Context) -> pb.SessionMemory:
        """What the model would see now, and one page of the memories that the session may recall."""
        memory = await service.get_memory(
            agent_of(request.agent),
            session_of(request.session_id),
            limit=limit_of(request.limit, default=50),
            cursor=request.cursor or None,
        )
        return session_memory_message(memory)

    @answering("read")
    async def SearchMemory(
        self, request: pb.SearchMemoryRequest, service: SessionService, _: Context
    ) -> pb.SearchMemoryResponse:
        """The memories that a text would recall."""
        agent, session_id = agent_of(request.agent), session_of(request.session_id)
        if not request.q:
            raise InvalidRequest("`q` is missing.", hint="Say what to look for.")
        found = await service.search_memory(agent, session_id, request.q, limit=limit_of(request.limit, default=10))
        return pb.SearchMemoryResponse(memories=[recalled_message(each) for each in found])

    @answering("write")
    async def CorrectMemory(self, request: pb.CorrectMemoryRequest, service: SessionService, _: Context) -> pb.Memory:
        """Correct a memory."""
        agent, session_id = agent_of(request.agent), session_of(request.session_id)
        return memory_message(await service.correct_memory(agent, session_id, request.memory_id, request.text))

    @answering("write")
    async def ForgetMemory(
        self, request: pb.ForgetMemoryRequest, service: SessionService, _: Context
    ) -> pb.ForgetMemoryResponse:
        """Erase a memory."""
        await service.forget_memory(agent_of(request.agent), session_of(request.session_id), request.memory_id)
        return pb.ForgetMemoryResponse()

    @answering("write")
    async def RestoreMemory(self, request: pb.RestoreMemoryRequest, service: SessionService, _: Context) -> pb.Memory:
        """Put back a memory that was forgotten a moment ago."""
        agent, session_id = agent_of(request.agent), session_of(request.session_id)
        return memory_message(await service.restore_memory(agent, session_id, request.memory_id))

    @answering("read")
    async def GetContext(self, request: pb.GetContextRequest, service: SessionService, _: Context) -> pb.Ledger:
        """What a turn's model saw."""
        session_id = session_of(request.session_id) if request.session_id else None
        return ledger_message(
            await service.get_context(agent_of(request.agent), request.turn_id, session_id=session_id)
        )
