"""gRPC: the service of `wire/hector.proto`. It translates; callers, bodies and streams have the rules that they have over HTTP.

A stream's chunks are the frames of server-sent events, each with its id; `done` is in its last chunk, and a turn that fails ends the
call with its error. The client's cancelling, its deadline and its going away are one thing here: the call's task is cancelled,
and the reader leaves the turn.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from hector_nb.errors import InvalidRequest
from hector_nb.service import SendMessage, SessionService, collect
from hector_nb.sessions import STATUSES
from hector_nb.transports.bodies import NewMessage, NewSession, read_choice, read_events, shaped
from hector_nb.transports.grpc_approvals import ApprovalCalls
from hector_nb.transports.grpc_calls import agent_of, answering, given, limit_of, object_of, session_of
from hector_nb.transports.grpc_histories import HistoryCalls
from hector_nb.transports.grpc_memory import MemoryCalls
from hector_nb.transports.grpc_stream import Context, Joined, Line, joined
from hector_nb.transports.reader import Reader, cursor_at, is_over
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.frames import View
from hector_nb.wire.hector_pb2_grpc import A2AServiceServicer
from hector_nb.wire.proto import cancelled_message, messages_message, reply_message, session_message, sessions_message

Listing = TypeVar("Listing", pb.ListSessionsResponse, pb.ListMessagesResponse)
_MOST_PAGE_BYTES = 3 * 1024 * 1024
"""Of a page's messages: clients take 4 MiB by default."""


class A2AService(HistoryCalls, ApprovalCalls, MemoryCalls, A2AServiceServicer):
    """The methods for sessions and turns; those for the rest are inherited."""

    @answering("write")
    async def CreateSession(
        self, request: pb.CreateSessionRequest, service: SessionService, context: Context
    ) -> pb.Session:
        """See the .proto, as for all."""
        await service.get_agent(agent_of(request.agent))
        metadata = object_of("metadata", request.metadata)
        body = shaped(given(session_id=request.session_id, title=request.title), NewSession)
        session, created = await service.create_session(
            request.agent,
            session_id=body.session_id,
            title=body.title,
            metadata=metadata,
            idempotency_key=request.idempotency_key or None,
        )
        await context.send_initial_metadata((("hector-created", "true" if created else "false"),))
        return session_message(session)

    @answering("read")
    async def GetSession(self, request: pb.GetSessionRequest, service: SessionService, _: Context) -> pb.Session:
        """One session."""
        session_id = session_of(request.session_id)
        if not request.agent:
            return session_message(await service.find_session(session_id))
        return session_message(await service.get_session(request.agent, session_id))

    @answering("read")
    async def ListSessions(
        self, request: pb.ListSessionsRequest, service: SessionService, _: Context
    ) -> pb.ListSessionsResponse:
        """One page of the caller's sessions."""
        status = read_choice("status", request.status or None, STATUSES)

        async def page(limit: int) -> pb.ListSessionsResponse:
            found = await service.list_sessions(
                request.agent or None,
                limit=limit,
                cursor=request.cursor or None,
                status=status,
                query=request.q or None,
            )
            return sessions_message(found)

        return await _fitting(page, limit_of(request.limit, default=50))

    @answering("write")
    async def DeleteSession(
        self, request: pb.DeleteSessionRequest, service: SessionService, _: Context
    ) -> pb.DeleteSessionResponse:
        """Erase a session."""
        await service.delete_session(agent_of(request.agent), session_of(request.session_id), forget=request.forget)
        return pb.DeleteSessionResponse()

    @answering("write")
    async def EndSession(self, request: pb.EndSessionRequest, service: SessionService, _: Context) -> pb.Session:
        """Mark a session complete."""
        return session_message(await service.end_session(agent_of(request.agent), session_of(request.session_id)))

    @answering("read")
    async def ListMessages(
        self, request: pb.ListMessagesRequest, service: SessionService, _: Context
    ) -> pb.ListMessagesResponse:
        """One page of a transcript."""
        agent, session_id = agent_of(request.agent), session_of(request.session_id)
        newest = read_choice("order", request.order or None, ("oldest", "newest")) == "newest"

        async def page(limit: int) -> pb.ListMessagesResponse:
            cursor = request.cursor or None
            found = await service.list_messages(agent, session_id, limit=limit, cursor=cursor, newest=newest)
            return messages_message(found)

        return await _fitting(page, limit_of(request.limit, default=100, most=1000))

    @answering("execute")
    async def CancelTurn(
        self, request: pb.CancelTurnRequest, service: SessionService, _: Context
    ) -> pb.CancelTurnResponse:
        """Stop a turn."""
        turn = await service.cancel_turn(
            agent_of(request.agent), session_of(request.session_id), turn_id=request.turn_id or None
        )
        return cancelled_message(turn)

    @answering("execute")
    async def SendMessage(
        self, request: pb.SendMessageRequest, service: SessionService, context: Context
    ) -> pb.MessageResponse:
        """Wait for the whole answer."""
        if request.events or request.HasField("debug"):
            raise InvalidRequest("`events` and `debug` are for streams.", hint="Call StreamMessage.")
        await service.get_agent(agent_of(request.agent))
        async with joined(service.stream_message(request.agent, _message(request))) as stream:
            with self.telemetry.reading("grpc"):
                return reply_message(await collect(Joined(stream)))

    @answering("execute")
    async def StreamMessage(self, request: pb.SendMessageRequest, service: SessionService, context: Context) -> None:
        """Stream the answer."""
        reader = await _reader(service, request)
        async with joined(service.stream_message(request.agent, _message(request))) as stream:
            await Line(context, reader.info.streaming, self.telemetry).turn(stream, reader.framer())

    @answering("execute")
    async def ResumeTurn(self, request: pb.ResumeTurnRequest, service: SessionService, context: Context) -> None:
        """Go on in a turn."""
        reader = await _reader(service, request)
        if not request.turn_id and not request.last_id:
            raise InvalidRequest("`turn_id` or `last_id` is missing.")
        cursor = cursor_at(request.turn_id or None, request.last_id or None)
        session_id = session_of(request.session_id) if request.session_id else None
        if cursor.seq:
            self.telemetry.resumed("grpc")
        async with joined(reader.resume(cursor, session_id)) as stream:
            line = Line(context, reader.info.streaming, self.telemetry)
            if is_over(stream, cursor):
                await line.name(stream)
            else:
                await line.turn(stream, reader.framer(cursor))

    @answering("execute")
    async def FollowSession(self, request: pb.FollowSessionRequest, service: SessionService, context: Context) -> None:
        """Follow a session."""
        reader = await _reader(service, request)
        session_id = session_of(request.session_id)
        following = await reader.follow(session_id, request.last_id or None)
        if request.last_id:
            self.telemetry.resumed("grpc")
        if following is not None:
            await Line(context, reader.info.streaming, self.telemetry).session(session_id, following, reader)


async def _reader(
    service: SessionService, request: pb.SendMessageRequest | pb.ResumeTurnRequest | pb.FollowSessionRequest
) -> Reader:
    info = await service.get_agent(agent_of(request.agent))
    events = read_events(",".join(request.events) if request.events else None)
    debug = request.debug if request.HasField("debug") else None
    return Reader(service=service, info=info, view=View.choose(info.reasoning, events=events, debug=debug))


async def _fitting(page: Callable[[int], Awaitable[Listing]], limit: int) -> Listing:
    """A page of at most `limit` items, of fewer where they would not fit into a gRPC message."""
    while (found := await page(limit)).ByteSize() > _MOST_PAGE_BYTES and limit > 1:
        limit //= 2
    return found


def _message(request: pb.SendMessageRequest) -> SendMessage:
    fields = given(message=request.message, if_busy=request.if_busy, on_disconnect=request.on_disconnect)
    body = shaped(fields, NewMessage)
    return SendMessage(
        message=body.message,
        session_id=session_of(request.session_id) if request.session_id else None,
        if_busy=body.if_busy,
        idempotency_key=request.idempotency_key or None,
        on_disconnect=body.on_disconnect,
    )
