"""gRPC: the service of `wire/hector.proto`. It translates; callers, bodies and streams have the rules that they have over HTTP.

A stream's chunks are the frames of server-sent events, each with its id; `done` is in its last chunk, and a turn that fails ends the
call with its error. The client's cancelling, its deadline and its going away are one thing here: the call's task is cancelled,
and the reader leaves the turn.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, TypeVar, cast

from tornado.web import Application

from hector_nb.errors import HectorError, InvalidRequest
from hector_nb.service import SendMessage, SessionService, collect
from hector_nb.sessions import SessionStatus
from hector_nb.transports.bodies import (
    Metadata,
    NewMessage,
    NewSession,
    check_metadata,
    read_choice,
    read_events,
    read_json,
    read_limit,
    shaped,
)
from hector_nb.transports.grpc_caller import Action, owner_of
from hector_nb.transports.grpc_errors import Ended, abort
from hector_nb.transports.grpc_stream import Context, Joined, Line, joined
from hector_nb.transports.handlers import ENGINE, Engine, check_session_id
from hector_nb.transports.reader import Reader, cursor_at, is_over
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.frames import View
from hector_nb.wire.hector_pb2_grpc import A2AServiceServicer
from hector_nb.wire.proto import (
    cancelled_message,
    messages_message,
    reply_message,
    session_message,
    sessions_message,
)
from hector_nb.wire.status import status_of

Response = TypeVar("Response")
Listing = TypeVar("Listing", pb.ListSessionsResponse, pb.ListMessagesResponse)
_MOST_PAGE_BYTES = 3 * 1024 * 1024
"""Of a page's messages: clients take 4 MiB by default."""
_log = logging.getLogger("hector_nb.transports")


def answering(
    action: Action,
) -> Callable[[Callable[..., Coroutine[Any, Any, Response]]], Callable[..., Coroutine[Any, Any, Response]]]:
    """A method that is carried out for those who may, with their own sessions, and whose errors end the call."""

    def wrap(method: Callable[..., Coroutine[Any, Any, Response]]) -> Callable[..., Coroutine[Any, Any, Response]]:
        @wraps(method)
        async def answer(self: "A2AService", request: Any, context: Context) -> Response:
            self.count(context)
            try:
                service = await self.service(context, method.__name__, action)
                return await method(self, request, service, context)
            except Exception as error:
                if context.cancelled():
                    raise asyncio.CancelledError from error
                _report(error)
                await abort(context, error)

        return answer

    return wrap


def _report(error: Exception) -> None:
    """Log what is ours to mend."""
    if not isinstance(error, HectorError | Ended):
        _log.error("A call failed for a reason that is ours", exc_info=error)
    elif isinstance(error, HectorError) and status_of(error).http >= 500:
        _log.warning("%s: %s", error.code, error.message)


class A2AService(A2AServiceServicer):
    """The methods.

    Args:
        application: the server's, which knows the engine and the callers.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def count(self, context: Context) -> None:
        """A call is under way, until its end has been sent."""
        self._calls += 1
        self._idle.clear()
        context.add_done_callback(cast("Any", self._count_end))

    def _count_end(self, _: Context) -> None:
        self._calls -= 1
        if not self._calls:
            self._idle.set()

    async def idle(self) -> None:
        """Wait until no call is under way."""
        await self._idle.wait()

    async def service(self, context: Context, method: str, action: Action) -> SessionService:
        """The caller's sessions.

        Raises:
            HectorError: the caller is not let in, or the engine cannot work.
        """
        owner = await self.owner(context, method, action)
        engine: Engine = self._application.settings[ENGINE]
        return await engine.service(owner)

    async def owner(self, context: Context, method: str, action: Action) -> str:
        """Whose sessions.

        Raises:
            HectorError: the caller is not let in.
        """
        shown = next((value for key, value in context.invocation_metadata() or () if key == "authorization"), None)
        authorization = shown.decode(errors="replace") if isinstance(shown, bytes) else shown
        return await owner_of(self._application, authorization, f"/hector.v1.A2AService/{method}", action)

    @answering("write")
    async def CreateSession(self, request: pb.CreateSessionRequest, service: SessionService, _: Context) -> pb.Session:
        """See the .proto, as for all."""
        await service.get_agent(_agent(request.agent))
        metadata = read_json(request.metadata.encode(), Metadata).model_extra if request.metadata else None
        check_metadata(metadata)
        body = shaped(_given(session_id=request.session_id, title=request.title), NewSession)
        session, _created = await service.create_session(
            request.agent,
            session_id=body.session_id,
            title=body.title,
            metadata=metadata,
            idempotency_key=request.idempotency_key or None,
        )
        return session_message(session)

    @answering("read")
    async def GetSession(self, request: pb.GetSessionRequest, service: SessionService, _: Context) -> pb.Session:
        """One session."""
        return session_message(await service.get_session(_agent(request.agent), _session(request.session_id)))

    @answering("read")
    async def ListSessions(
        self, request: pb.ListSessionsRequest, service: SessionService, _: Context
    ) -> pb.ListSessionsResponse:
        """One page of the caller's sessions."""
        status = read_choice("status", request.status or None, ("active", "ended", "expired"))

        async def page(limit: int) -> pb.ListSessionsResponse:
            found = await service.list_sessions(
                request.agent or None,
                limit=limit,
                cursor=request.cursor or None,
                status=cast("SessionStatus | None", status),
                query=request.q or None,
            )
            return sessions_message(found)

        return await _fitting(page, _limit(request.limit, default=50))

    @answering("write")
    async def DeleteSession(
        self, request: pb.DeleteSessionRequest, service: SessionService, _: Context
    ) -> pb.DeleteSessionResponse:
        """Erase a session."""
        await service.delete_session(_agent(request.agent), _session(request.session_id), forget=request.forget)
        return pb.DeleteSessionResponse()

    @answering("write")
    async def EndSession(self, request: pb.EndSessionRequest, service: SessionService, _: Context) -> pb.Session:
        """Mark a session complete."""
        return session_message(await service.end_session(_agent(request.agent), _session(request.session_id)))

    @answering("read")
    async def ListMessages(
        self, request: pb.ListMessagesRequest, service: SessionService, _: Context
    ) -> pb.ListMessagesResponse:
        """One page of a transcript."""
        agent, session_id = _agent(request.agent), _session(request.session_id)

        async def page(limit: int) -> pb.ListMessagesResponse:
            found = await service.list_messages(agent, session_id, limit=limit, cursor=request.cursor or None)
            return messages_message(found)

        return await _fitting(page, _limit(request.limit, default=100, most=1000))

    @answering("execute")
    async def CancelTurn(
        self, request: pb.CancelTurnRequest, service: SessionService, _: Context
    ) -> pb.CancelTurnResponse:
        """Stop a turn."""
        turn = await service.cancel_turn(
            _agent(request.agent), _session(request.session_id), turn_id=request.turn_id or None
        )
        return cancelled_message(turn)

    @answering("execute")
    async def SendMessage(
        self, request: pb.SendMessageRequest, service: SessionService, context: Context
    ) -> pb.MessageResponse:
        """Wait for the whole answer."""
        if request.events or request.HasField("debug"):
            raise InvalidRequest("`events` and `debug` are for streams.", hint="Call StreamMessage.")
        await service.get_agent(_agent(request.agent))
        async with joined(service.stream_message(request.agent, _message(request))) as stream:
            return reply_message(await collect(Joined(stream)))

    @answering("execute")
    async def StreamMessage(self, request: pb.SendMessageRequest, service: SessionService, context: Context) -> None:
        """Stream the answer."""
        reader = await _reader(service, request)
        async with joined(service.stream_message(request.agent, _message(request))) as stream:
            await Line(context, stream, reader.info.streaming).relay(reader.framer())

    @answering("execute")
    async def ResumeTurn(self, request: pb.ResumeTurnRequest, service: SessionService, context: Context) -> None:
        """Go on in a turn."""
        reader = await _reader(service, request)
        if not request.turn_id and not request.last_id:
            raise InvalidRequest("`turn_id` or `last_id` is missing.")
        cursor = cursor_at(request.turn_id or None, request.last_id or None)
        session_id = _session(request.session_id) if request.session_id else None
        async with joined(reader.resume(cursor, session_id)) as stream:
            if not is_over(stream, cursor):
                await Line(context, stream, reader.info.streaming).relay(reader.framer(cursor))


async def _reader(service: SessionService, request: pb.SendMessageRequest | pb.ResumeTurnRequest) -> Reader:
    info = await service.get_agent(_agent(request.agent))
    events = read_events(",".join(request.events) if request.events else None)
    debug = request.debug if request.HasField("debug") else None
    return Reader(service=service, info=info, view=View.choose(info.reasoning, events=events, debug=debug))


async def _fitting(page: Callable[[int], Awaitable[Listing]], limit: int) -> Listing:
    """A page of at most `limit` items, of fewer where they would not fit into a gRPC message."""
    while (found := await page(limit)).ByteSize() > _MOST_PAGE_BYTES and limit > 1:
        limit //= 2
    return found


def _message(request: pb.SendMessageRequest) -> SendMessage:
    body = shaped(_given(message=request.message, if_busy=request.if_busy), NewMessage)
    return SendMessage(
        message=body.message,
        session_id=_session(request.session_id) if request.session_id else None,
        if_busy=body.if_busy,
        idempotency_key=request.idempotency_key or None,
    )


def _given(**fields: str) -> dict[str, Any]:
    """The fields that are set."""
    return {name: value for name, value in fields.items() if value}


def _agent(name: str) -> str:
    if not name:
        raise InvalidRequest("`agent` is missing.")
    return name


def _session(session_id: str) -> str:
    if not session_id:
        raise InvalidRequest("`session_id` is missing.")
    return check_session_id(session_id)


def _limit(limit: int, *, default: int, most: int = 200) -> int:
    return read_limit(str(limit) if limit else None, default=default, most=most)
