"""`SessionService` over gRPC, made of the generated client alone: the engine's behaviours run through it, too.

A message becomes the JSON form that has the same names, so that `wire/decoding.py` reads both.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message as AnyMessage
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_status import rpc_status

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import HectorError, SessionEnded
from hector_nb.events import LoggedEvent, TurnDone, TurnFailed, TurnReset, decode
from hector_nb.memories import Ledger, Memory, RecalledMemory, SessionMemory
from hector_nb.messages import Message
from hector_nb.service import AgentInfo, SendMessage, SessionFeed, SessionService, ToolInfo, TurnStream
from hector_nb.sessions import Page, Session, SessionStatus, Turn
from hector_nb.wire import decoding
from hector_nb.wire import hector_pb2 as pb
from hector_nb.wire.frames import START, Cursor
from hector_nb.wire.hector_pb2_grpc import A2AServiceStub
from hector_nb.wire.status import decode_error

T = TypeVar("T")
_JSON = {"metadata", "arguments", "memory", "reasoning", "streaming", "parameters", "edited"}
_MAYBE = {
    "expires_at", "running_turn", "next_cursor", "call_id", "host", "decision", "edited", "finish_reason", "finished_at", "usage",
    "turn_id", "budget_note", "corrected_at", "longterm", "text", "keyword_score", "vector_score", "score",
}  # fmt: skip
"""Where what is not set is None; in a message, the optional ones of a part of a ledger are left out."""


def plain(message: AnyMessage) -> dict[str, Any]:
    """The JSON form."""
    found: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        name, value = field.name, getattr(message, field.name)
        if field.is_repeated:
            found[name] = [plain(each) if isinstance(each, AnyMessage) else each for each in value]
        elif field.has_presence and not message.HasField(name):
            found[name] = None
        elif isinstance(value, Timestamp):
            found[name] = value.ToJsonString()
        elif isinstance(value, AnyMessage):
            found[name] = plain(value)
        elif name in _JSON:
            found[name] = json.loads(value) if value else None
        else:
            found[name] = None if name in _MAYBE and value == "" else value
    return found


class GrpcSessions(SessionService):
    """The sessions of the token's user on a server. Imports are for HTTP alone: `imported` carries them out."""

    def __init__(self, channel: grpc.aio.Channel, token: str, imported: SessionService) -> None:
        self._stub: Any = A2AServiceStub(channel)  # type: ignore[no-untyped-call]
        self._metadata = (("authorization", f"Bearer {token}"),)
        self.import_session = imported.import_session  # type: ignore[method-assign]

    def call(self, method: str, request: AnyMessage) -> Any:
        return getattr(self._stub, method)(request, metadata=self._metadata)

    async def ask(self, method: str, request: AnyMessage, decode: Callable[[Mapping[str, Any]], T]) -> T:
        return await self.answer(self.call(method, request), decode)

    async def answer(self, call: Any, decode: Callable[[Mapping[str, Any]], T]) -> T:
        try:
            return decode(plain(await call))
        except grpc.aio.AioRpcError as error:
            raise told(error) from error

    async def list_agents(self) -> Sequence[AgentInfo]:
        return await self.ask(
            "ListAgents", pb.ListAgentsRequest(), lambda json: [decoding.decode_agent(each) for each in json["agents"]]
        )

    async def get_agent(self, agent: str) -> AgentInfo:
        return next(each for each in await self.list_agents() if each.name == agent)

    async def list_tools(self, agent: str) -> Sequence[ToolInfo]:
        request = pb.ListToolsRequest(agent=agent)
        return await self.ask("ListTools", request, lambda json: [decoding.decode_tool(each) for each in json["tools"]])

    async def create_session(
        self,
        agent: str,
        *,
        session_id: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> tuple[Session, bool]:
        request = pb.CreateSessionRequest(
            agent=agent,
            session_id=session_id or "",
            title=title or "",
            metadata="" if metadata is None else json.dumps(metadata),
            idempotency_key=idempotency_key or "",
        )
        call = self.call("CreateSession", request)
        session = await self.answer(call, decode_session)
        return session, dict(await call.initial_metadata())["hector-created"] == "true"

    async def list_sessions(
        self,
        agent: str | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
        status: SessionStatus | None = None,
        query: str | None = None,
    ) -> Page[Session]:
        request = pb.ListSessionsRequest(
            agent=agent or "", limit=min(limit, 200), cursor=cursor or "", status=status or "", q=query or ""
        )
        return await self.ask("ListSessions", request, lambda json: page_of(json, "sessions", decode_session))

    async def get_session(self, agent: str, session_id: str) -> Session:
        return await self.ask("GetSession", pb.GetSessionRequest(agent=agent, session_id=session_id), decode_session)

    async def find_session(self, session_id: str) -> Session:
        return await self.ask("GetSession", pb.GetSessionRequest(session_id=session_id), decode_session)

    async def delete_session(self, agent: str, session_id: str, *, forget: bool = False) -> None:
        request = pb.DeleteSessionRequest(agent=agent, session_id=session_id, forget=forget)
        await self.ask("DeleteSession", request, dict)

    async def update_session(
        self, agent: str, session_id: str, *, title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Session:
        written = None if metadata is None else json.dumps(metadata)
        request = pb.UpdateSessionRequest(agent=agent, session_id=session_id, title=title, metadata=written)
        return await self.ask("UpdateSession", request, decode_session)

    async def end_session(self, agent: str, session_id: str) -> Session:
        return await self.ask("EndSession", pb.EndSessionRequest(agent=agent, session_id=session_id), decode_session)

    async def fork_session(self, agent: str, session_id: str, *, after: str | None = None) -> Session:
        request = pb.ForkSessionRequest(agent=agent, session_id=session_id, after=after or "")
        return await self.ask("ForkSession", request, decode_session)

    async def rewind_session(self, agent: str, session_id: str, *, after: str | None = None) -> Session:
        request = pb.RewindSessionRequest(agent=agent, session_id=session_id, after=after or "")
        return await self.ask("RewindSession", request, decode_session)

    async def list_messages(
        self, agent: str, session_id: str, *, limit: int = 100, cursor: str | None = None, newest: bool = False
    ) -> Page[Message]:
        request = pb.ListMessagesRequest(
            agent=agent, session_id=session_id, limit=limit, cursor=cursor or "", order="newest" if newest else ""
        )
        return await self.ask("ListMessages", request, lambda json: page_of(json, "messages", decoding.decode_message))

    async def stream_message(self, agent: str, request: SendMessage) -> TurnStream:
        sent = pb.SendMessageRequest(
            agent=agent,
            message=request.message,
            session_id=request.session_id or "",
            if_busy=request.if_busy,
            idempotency_key=request.idempotency_key or "",
            events=["log"],
            on_disconnect=request.on_disconnect or "",
        )
        return await GrpcStream.opened(self.call("StreamMessage", sent))

    async def follow_turn(
        self, agent: str, turn_id: str, *, session_id: str | None = None, after: int = 0
    ) -> TurnStream:
        request = pb.ResumeTurnRequest(
            agent=agent, last_id=f"{turn_id}:{after}", session_id=session_id or "", events=["log"]
        )
        return await GrpcStream.opened(self.call("ResumeTurn", request))

    async def follow_session(self, agent: str, session_id: str, *, after: str | None = None) -> SessionFeed:
        position = f"{after}:0" if after not in {None, START} else after or ""
        feed = GrpcFeed(self, agent, session_id, position, known=after or "")
        await feed.begin()
        if after is None or (await self.get_session(agent, session_id)).status == "active":
            return feed
        if await feed.next_turn() is None:
            raise SessionEnded
        later = GrpcFeed(self, agent, session_id, position, known=after)
        await later.begin()
        return later

    async def get_memory(
        self, agent: str, session_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> SessionMemory:
        request = pb.GetMemoryRequest(agent=agent, session_id=session_id, limit=limit, cursor=cursor or "")
        return await self.ask(
            "GetMemory",
            request,
            lambda json: decoding.decode_session_memory({**json, "working": _ledger(json["working"])}),
        )

    async def search_memory(
        self, agent: str, session_id: str, query: str, *, limit: int = 10
    ) -> Sequence[RecalledMemory]:
        request = pb.SearchMemoryRequest(agent=agent, session_id=session_id, q=query, limit=limit)
        return await self.ask(
            "SearchMemory",
            request,
            lambda json: [
                decoding.decode_recalled({**each, **each["memory"]}, agent=agent) for each in json["memories"]
            ],
        )

    async def correct_memory(self, agent: str, session_id: str, memory_id: str, text: str) -> Memory:
        request = pb.CorrectMemoryRequest(agent=agent, session_id=session_id, memory_id=memory_id, text=text)
        return await self.ask("CorrectMemory", request, partial(decoding.decode_memory, agent=agent))

    async def forget_memory(self, agent: str, session_id: str, memory_id: str) -> None:
        request = pb.ForgetMemoryRequest(agent=agent, session_id=session_id, memory_id=memory_id)
        await self.ask("ForgetMemory", request, dict)

    async def restore_memory(self, agent: str, session_id: str, memory_id: str) -> Memory:
        request = pb.RestoreMemoryRequest(agent=agent, session_id=session_id, memory_id=memory_id)
        return await self.ask("RestoreMemory", request, partial(decoding.decode_memory, agent=agent))

    async def get_context(self, agent: str, turn_id: str, *, session_id: str | None = None) -> Ledger:
        request = pb.GetContextRequest(agent=agent, turn_id=turn_id, session_id=session_id or "")
        return await self.ask("GetContext", request, lambda json: decoding.decode_ledger(_ledger(json)))

    async def list_approvals(self, agent: str, session_id: str) -> Sequence[Approval]:
        request = pb.ListApprovalsRequest(agent=agent, session_id=session_id)
        return await self.ask(
            "ListApprovals", request, lambda json: [decoding.decode_approval(each) for each in json["approvals"]]
        )

    async def decide_approval(
        self,
        agent: str,
        session_id: str,
        call_id: str,
        decision: Decision,
        *,
        edited: Mapping[str, Any] | None = None,
    ) -> Approval:
        request = pb.DecideApprovalRequest(
            agent=agent,
            session_id=session_id,
            call_id=call_id,
            decision=decision,
            arguments="" if edited is None else json.dumps(edited),
        )
        return await self.ask("DecideApproval", request, decoding.decode_approval)

    async def get_tool_output(self, agent: str, session_id: str, call_id: str) -> str:
        request = pb.GetToolOutputRequest(agent=agent, session_id=session_id, call_id=call_id)
        return await self.ask("GetToolOutput", request, lambda json: str(json["output"]))

    async def cancel_turn(self, agent: str, session_id: str, *, turn_id: str | None = None) -> Turn | None:
        session = await self.get_session(agent, session_id)
        request = pb.CancelTurnRequest(agent=agent, session_id=session_id, turn_id=turn_id or "")
        return await self.ask(
            "CancelTurn",
            request,
            lambda json: decoding.decode_turn(json["turn"], user=session.user) if json["cancelled"] else None,
        )


class GrpcStream(TurnStream):
    """One call as the reader of a turn."""

    def __init__(self, call: Any, metadata: Mapping[str, str]) -> None:
        self.session_id, self.turn_id = metadata["hector-session-id"], metadata["hector-turn-id"]
        last = metadata.get("hector-last-id")
        self.last_seq = Cursor.parse(last).seq if last else None
        self._call = call
        self._over = False

    @classmethod
    async def opened(cls, call: Any) -> "GrpcStream":
        """The stream, once its turn has begun."""
        metadata = dict(await call.initial_metadata())
        if "hector-turn-id" not in metadata:
            try:
                await call.read()
            except grpc.aio.AioRpcError as error:
                raise told(error) from error
        return cls(call, metadata)

    async def read(self) -> Sequence[LoggedEvent]:
        """A line that is cut, or closed with its channel, is the end."""
        if self._over:
            return ()
        try:
            chunk = await self._call.read()
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return ()
        except grpc.aio.AioRpcError as error:
            self._over = True
            last_id = dict(error.trailing_metadata() or ()).get("hector-last-id")
            if last_id is None and error.code() is grpc.StatusCode.UNAVAILABLE:
                return ()
            if last_id is None:
                raise told(error) from error
            return [LoggedEvent(Cursor.parse(str(last_id)).seq, failed(details(error)))]
        if chunk is grpc.aio.EOF:
            return ()
        return [event_of(chunk)]

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over = True
        self._call.cancel()


class GrpcFeed(SessionFeed):
    """The turns of a session, each joined by a call of its own."""

    def __init__(self, sessions: GrpcSessions, agent: str, session_id: str, after: str, *, known: str) -> None:
        self.position = after
        self._sessions = sessions
        self._agent = agent
        self._session_id = session_id
        self._known = known
        self._call: Any = None

    async def begin(self) -> None:
        """See from where."""
        request = pb.FollowSessionRequest(
            agent=self._agent, session_id=self._session_id, last_id=self.position, events=["log"]
        )
        self._call = self._sessions.call("FollowSession", request)
        metadata = dict(await self._call.initial_metadata())
        if "hector-last-id" in metadata:
            self.position = metadata["hector-last-id"]
        elif await self._turn() is None:
            raise SessionEnded

    async def next_turn(self) -> TurnStream | None:
        turn_id = await self._turn()
        if turn_id is None:
            return None
        self._known = turn_id
        return await self._sessions.follow_turn(self._agent, turn_id, session_id=self._session_id)

    async def _turn(self) -> str | None:
        """The next turn that is told of."""
        try:
            while (chunk := await self._call.read()) is not grpc.aio.EOF:
                if (turn_id := Cursor.parse(chunk.id).turn_id) != self._known:
                    return turn_id
        except grpc.aio.AioRpcError as error:
            raise told(error) from error
        return None


def page_of(encoded: Mapping[str, Any], name: str, decode: Callable[[Mapping[str, Any]], T]) -> Page[T]:
    page = decoding.decode_page(encoded, name, decode)
    return Page(items=list(page.items), next_cursor=page.next_cursor)


def decode_session(encoded: Mapping[str, Any]) -> Session:
    return decoding.decode_session({**encoded, "listed": not encoded["unlisted"]})


def event_of(chunk: pb.MessageChunk) -> LoggedEvent:
    """The event of the log that a chunk is."""
    seq = Cursor.parse(chunk.id).seq
    match chunk.WhichOneof("other"):
        case "event":
            return LoggedEvent(seq, decode(json.loads(chunk.event.data)))
        case "reset":
            return LoggedEvent(seq, TurnReset(turn_id=chunk.reset.turn_id, text=chunk.reset.text))
        case "done":
            done = plain(chunk.done)
            usage = decoding.decode_usage(done.pop("usage"))
            return LoggedEvent(seq, TurnDone(**{**done, "usage": usage, "message_id": done["message_id"] or None}))
    raise AssertionError(chunk)


def failed(error: pb.Error) -> TurnFailed:
    return TurnFailed(code=error.code, message=error.message, hint=error.hint or None, retryable=error.retryable)


def details(error: grpc.aio.AioRpcError) -> pb.Error:
    """What a failed call's status says."""
    found = pb.Error()
    status = rpc_status.from_call(error)
    assert status is not None, error
    assert status.details[0].Unpack(found)
    return found


def told(error: grpc.aio.AioRpcError) -> HectorError:
    """The error of ours that a call ended with."""
    found = details(error)
    known = decode_error(
        {
            "code": found.code,
            "message": found.message,
            "hint": found.hint or None,
            "details": json.loads(found.details) if found.details else None,
        }
    )
    assert known is not None
    return known


def _ledger(encoded: Mapping[str, Any]) -> dict[str, Any]:
    """What a part has not is left out there."""
    parts = [
        {name: value for name, value in part.items() if name == "text" or (value is not None and value != "")}
        for part in encoded["parts"]
    ]
    return {**encoded, "parts": parts}
