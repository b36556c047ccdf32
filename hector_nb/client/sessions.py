"""The sessions of one user on a server: `SessionService` over HTTP and server-sent events.

The server decides by the token whose sessions they are. Errors are those that the service raises in the server's process.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from hector_nb.approvals import Approval, Decision
from hector_nb.client.address import Address
from hector_nb.client.connection import Call, Connection, Cut, path_of
from hector_nb.client.streams import RemoteFeed, RemoteStream, follow, persist, position_of, turns_path
from hector_nb.errors import (
    AgentNotFound,
    ApprovalNotFound,
    HectorError,
    MemoryNotFound,
    MessageNotFound,
    NotFound,
    SessionEnded,
    SessionNotFound,
    TurnNotFound,
)
from hector_nb.memories import Ledger, Memory, RecalledMemory, SessionMemory
from hector_nb.messages import Message
from hector_nb.service import AgentInfo, SendMessage, SessionFeed, SessionService, ToolInfo, TurnStream
from hector_nb.sessions import Page, Session, SessionStatus, Turn
from hector_nb.wire import decoding
from hector_nb.wire.export import encode_message_whole
from hector_nb.wire.frames import START

T = TypeVar("T")
_MOST = 200
"""Items that a server gives on one page; of messages 1,000."""
_MOST_MESSAGES = 1000


@asynccontextmanager
async def open_sessions(
    url: str, *, token: str | None = None, otherwise: str | None = None
) -> AsyncIterator[SessionService]:
    """The sessions on a server, once it has been heard. The token is `token`, the one in the URL, or `otherwise`.

    Raises:
        InvalidRequest: this is no address.
        Unavailable: nobody is there.
        Unauthenticated: the token is wrong, or there is none.
    """
    address = Address.parse(url, token)
    connection = Connection(replace(address, token=address.token or otherwise))
    try:
        sessions = RemoteSessions(connection)
        await _hear(sessions, address)
        yield sessions
    finally:
        await connection.aclose()


async def _hear(sessions: SessionService, address: Address) -> None:
    """Ask for what every server has."""
    try:
        await sessions.list_agents()
    except NotFound as error:
        raise NotFound(f"There is no Hector at {address.base}.", hint="Check the address and its path.") from error


class RemoteSessions(SessionService):
    """What one user can do on a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list_agents(self) -> Sequence[AgentInfo]:
        """See `SessionService`. A model in the server's process has the server's host: there the text goes."""
        call = Call(verb="GET", path="/agents")
        agents = await self._ask(call, lambda json: [decoding.decode_agent(each) for each in json["agents"]])
        return [replace(agent, host=agent.host or self._connection.address.host) for agent in agents]

    async def get_agent(self, agent: str) -> AgentInfo:
        """See `SessionService`."""
        agents = {each.name: each for each in await self.list_agents()}
        if agent in agents:
            return agents[agent]
        raise AgentNotFound.among(agent, agents)

    async def list_tools(self, agent: str) -> Sequence[ToolInfo]:
        """See `SessionService`."""
        call = Call(verb="GET", path=_agent(agent, "tools"))
        return await self._ask(call, lambda json: [decoding.decode_tool(each) for each in json["tools"]])

    async def create_session(
        self,
        agent: str,
        *,
        session_id: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> tuple[Session, bool]:
        """See `SessionService`."""
        body = {"session_id": session_id, "title": title, "metadata": metadata}
        key = uuid4().hex if idempotency_key is None else idempotency_key
        status, encoded = await self._connection.ask(
            Call(verb="POST", path=_agent(agent, "sessions"), body=body, key=key)
        )
        return self._decoded(encoded, decoding.decode_session), status == 201

    async def list_sessions(
        self,
        agent: str | None = None,
        *,
        limit: int = 50,
        cursor: str | None = None,
        status: SessionStatus | None = None,
        query: str | None = None,
    ) -> Page[Session]:
        """See `SessionService`."""
        path = "/hector/sessions" if agent is None else _agent(agent, "sessions")

        async def page(limit: int, cursor: str | None) -> Page[Session]:
            asked = {"limit": limit, "cursor": cursor, "status": status, "q": query}
            call = Call(verb="GET", path=path, query=asked)
            return await self._ask(call, lambda json: decoding.decode_page(json, "sessions", decoding.decode_session))

        return await _paged(page, limit, cursor, most=_MOST)

    async def get_session(self, agent: str, session_id: str) -> Session:
        """See `SessionService`."""
        return await self._session("GET", _session(agent, session_id))

    async def find_session(self, session_id: str) -> Session:
        """See `SessionService`."""
        return await self._session("GET", path_of("hector", "sessions", _named(session_id, SessionNotFound)))

    async def delete_session(self, agent: str, session_id: str, *, forget: bool = False) -> None:
        """See `SessionService`."""
        call = Call(verb="DELETE", path=_session(agent, session_id), query={"forget": forget})
        await self._connection.ask(call)

    async def update_session(
        self, agent: str, session_id: str, *, title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Session:
        """See `SessionService`."""
        return await self._session("PATCH", _session(agent, session_id), {"title": title, "metadata": metadata})

    async def end_session(self, agent: str, session_id: str) -> Session:
        """See `SessionService`."""
        return await self._session("POST", _session(agent, session_id, "end"), {})

    async def fork_session(self, agent: str, session_id: str, *, after: str | None = None) -> Session:
        """See `SessionService`."""
        return await self._session("POST", _session(agent, session_id, "fork"), {"after": after})

    async def rewind_session(self, agent: str, session_id: str, *, after: str | None = None) -> Session:
        """See `SessionService`."""
        return await self._session("POST", _session(agent, session_id, "rewind"), {"after": after})

    async def import_session(
        self,
        agent: str,
        messages: Sequence[Message],
        *,
        title: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> Session:
        """See `SessionService`."""
        body = {
            "messages": [encode_message_whole(message) for message in messages],
            "session": {"title": title, "metadata": dict(metadata or {})},
        }
        return await self._session("POST", _agent(agent, "sessions", "import"), body)

    async def list_messages(
        self, agent: str, session_id: str, *, limit: int = 100, cursor: str | None = None, newest: bool = False
    ) -> Page[Message]:
        """See `SessionService`."""
        order = "newest" if newest else None

        async def page(limit: int, cursor: str | None) -> Page[Message]:
            asked = {"limit": limit, "cursor": cursor, "order": order}
            call = Call(verb="GET", path=_session(agent, session_id, "messages"), query=asked)
            return await self._ask(call, lambda json: decoding.decode_page(json, "messages", decoding.decode_message))

        return await _paged(page, limit, cursor, most=_MOST_MESSAGES, backwards=newest)

    async def stream_message(self, agent: str, request: SendMessage) -> TurnStream:
        """See `SessionService`. It is stored once, also where the line breaks before the server's answer."""
        _agent(agent)
        if request.session_id is not None:
            _session(agent, request.session_id)
        path = turns_path(agent, request.session_id)
        call = Call(
            verb="POST",
            path=path,
            query={"events": "log"},
            body={
                "message": request.message,
                "if_busy": request.if_busy,
                **({} if request.on_disconnect is None else {"on_disconnect": request.on_disconnect}),
            },
            key=uuid4().hex if request.idempotency_key is None else request.idempotency_key,
        )

        async def send() -> RemoteStream:
            return RemoteStream(self._connection, path, await self._connection.open(call))

        if request.if_busy != "interrupt":
            return await persist(send)
        try:
            return await send()
        except Cut as cut:  # sent again, it would stop its own turn
            raise cut.error from cut.__cause__

    async def follow_turn(
        self, agent: str, turn_id: str, *, session_id: str | None = None, after: int = 0
    ) -> TurnStream:
        """See `SessionService`."""
        _agent(agent)
        path = turns_path(agent, session_id)
        return await persist(lambda: follow(self._connection, path, _named(turn_id, TurnNotFound), after=after))

    async def follow_session(self, agent: str, session_id: str, *, after: str | None = None) -> SessionFeed:
        """See `SessionService`."""
        feed = partial(RemoteFeed, self._connection, agent, session_id)
        if after is not None:
            session = await self.get_session(agent, session_id)
            later = feed(position=START) if after == START else feed(position=f"{after}:0", known=after)
            if session.status != "active" and not await later.has_next():
                raise SessionEnded(f"The session {session_id!r} has {session.status}.", hint="Fork it to go on.")
            return later
        _session(agent, session_id)
        call = Call(verb="GET", path=turns_path(agent, session_id), query={"events": "log"})
        try:
            return feed(position=await position_of(await self._connection.open(call)))
        except Cut as cut:
            raise cut.error from cut.__cause__

    async def get_memory(
        self, agent: str, session_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> SessionMemory:
        """See `SessionService`."""
        path = _session(agent, session_id, "memory")
        memories: list[Memory] = []
        while True:
            asked = {"limit": min(limit - len(memories), _MOST), "cursor": cursor}
            page = await self._ask(Call(verb="GET", path=path, query=asked), decoding.decode_session_memory)
            memories += page.memories
            cursor = page.next_cursor
            if cursor is None or len(memories) >= limit:
                return replace(page, memories=memories)

    async def search_memory(
        self, agent: str, session_id: str, query: str, *, limit: int = 10
    ) -> Sequence[RecalledMemory]:
        """See `SessionService`. A server gives the best 200 at most."""
        path = _session(agent, session_id, "memory", "search")
        decode = partial(decoding.decode_recalled, agent=agent)
        call = Call(verb="GET", path=path, query={"q": query, "limit": min(limit, _MOST)})
        return await self._ask(call, lambda json: [decode(each) for each in json["memories"]])

    async def correct_memory(self, agent: str, session_id: str, memory_id: str, text: str) -> Memory:
        """See `SessionService`."""
        path = _session(agent, session_id, "memory", _named(memory_id, MemoryNotFound))
        call = Call(verb="PATCH", path=path, body={"text": text})
        return await self._ask(call, partial(decoding.decode_memory, agent=agent))

    async def forget_memory(self, agent: str, session_id: str, memory_id: str) -> None:
        """See `SessionService`."""
        path = _session(agent, session_id, "memory", _named(memory_id, MemoryNotFound))
        await self._connection.ask(Call(verb="DELETE", path=path))

    async def restore_memory(self, agent: str, session_id: str, memory_id: str) -> Memory:
        """See `SessionService`."""
        path = _session(agent, session_id, "memory", _named(memory_id, MemoryNotFound), "restore")
        return await self._ask(Call(verb="POST", path=path, body={}), partial(decoding.decode_memory, agent=agent))

    async def get_context(self, agent: str, turn_id: str, *, session_id: str | None = None) -> Ledger:
        """See `SessionService`."""
        under = ("turns", _named(turn_id, TurnNotFound), "context")
        path = _agent(agent, *under) if session_id is None else _session(agent, session_id, *under)
        return await self._ask(Call(verb="GET", path=path), decoding.decode_ledger)

    async def list_approvals(self, agent: str, session_id: str) -> Sequence[Approval]:
        """See `SessionService`."""
        call = Call(verb="GET", path=_session(agent, session_id, "approvals"))
        return await self._ask(call, lambda json: [decoding.decode_approval(each) for each in json["approvals"]])

    async def decide_approval(
        self,
        agent: str,
        session_id: str,
        call_id: str,
        decision: Decision,
        *,
        edited: Mapping[str, Any] | None = None,
    ) -> Approval:
        """See `SessionService`."""
        path = _session(agent, session_id, "approvals", _named(call_id, ApprovalNotFound))
        body = {"decision": decision, "arguments": edited}
        return await self._ask(Call(verb="POST", path=path, body=body), decoding.decode_approval)

    async def get_tool_output(self, agent: str, session_id: str, call_id: str) -> str:
        """See `SessionService`."""
        path = _session(agent, session_id, "outputs", _named(call_id, MessageNotFound))
        return await self._ask(Call(verb="GET", path=path), lambda json: str(json["output"]))

    async def cancel_turn(self, agent: str, session_id: str, *, turn_id: str | None = None) -> Turn | None:
        """See `SessionService`."""
        session = await self.get_session(agent, session_id)
        call = Call(verb="POST", path=_session(agent, session_id, "cancel"), body={"turn_id": turn_id})
        return await self._ask(
            call, lambda json: decoding.decode_turn(json["turn"], user=session.user) if json["turn"] else None
        )

    async def _session(self, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Session:
        return await self._ask(Call(verb=verb, path=path, body=body), decoding.decode_session)

    async def _ask(self, call: Call, decode: Callable[[Any], T]) -> T:
        _, encoded = await self._connection.ask(call)
        return self._decoded(encoded, decode)

    def _decoded(self, encoded: Any, decode: Callable[[Any], T]) -> T:
        try:
            return decode(encoded)
        except (KeyError, TypeError, ValueError) as error:
            raise self._connection.strange() from error


def _agent(agent: str, *under: str) -> str:
    return path_of("agents", _named(agent, AgentNotFound), *under)


def _session(agent: str, session_id: str, *under: str) -> str:
    return _agent(agent, "sessions", _named(session_id, SessionNotFound), *under)


def _named(name: str, error: type[HectorError]) -> str:
    """A name that can stand in a path: no name is no thing's."""
    if not name:
        raise error
    return name


async def _paged(
    fetch: Callable[[int, str | None], Awaitable[Page[T]]],
    limit: int,
    cursor: str | None,
    *,
    most: int,
    backwards: bool = False,
) -> Page[T]:
    """One page of `limit` items from as many of the server's as it takes; `backwards`: each of them precedes the one before it."""
    items: list[T] = []
    while True:
        page = await fetch(min(limit - len(items), most), cursor)
        items = [*page.items, *items] if backwards else [*items, *page.items]
        cursor = page.next_cursor
        if cursor is None or len(items) >= limit:
            return Page(items=items, next_cursor=cursor)
