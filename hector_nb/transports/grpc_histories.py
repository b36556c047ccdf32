"""gRPC: what becomes of a session's title and history. Changed, forked, rewound."""

from hector_nb.service import SessionService
from hector_nb.transports.bodies import SessionChange, shaped
from hector_nb.transports.grpc_calls import Calls, agent_of, answering, object_of, session_of
from hector_nb.transports.grpc_stream import Context
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.proto import session_message


class HistoryCalls(Calls):
    """The methods that change a session."""

    @answering("write")
    async def UpdateSession(self, request: pb.UpdateSessionRequest, service: SessionService, _: Context) -> pb.Session:
        """Change title or metadata."""
        agent, session_id = agent_of(request.agent), session_of(request.session_id)
        await service.get_session(agent, session_id)
        title = request.title if request.HasField("title") else None
        metadata = object_of("metadata", request.metadata) if request.HasField("metadata") else None
        body = shaped({"title": title}, SessionChange)
        return session_message(await service.update_session(agent, session_id, title=body.title, metadata=metadata))

    @answering("write")
    async def ForkSession(self, request: pb.ForkSessionRequest, service: SessionService, _: Context) -> pb.Session:
        """A new session that shares the history."""
        forked = await service.fork_session(
            agent_of(request.agent), session_of(request.session_id), after=request.after or None
        )
        return session_message(forked)

    @answering("write")
    async def RewindSession(self, request: pb.RewindSessionRequest, service: SessionService, _: Context) -> pb.Session:
        """The same session, shortened."""
        rewound = await service.rewind_session(
            agent_of(request.agent), session_of(request.session_id), after=request.after or None
        )
        return session_message(rewound)
