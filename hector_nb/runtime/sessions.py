"""The sessions of one user, in process: `SessionService` over the engine and the store."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hector_nb.errors import InvalidRequest, MessageTooLarge, SessionNotFound, TurnNotFound
from hector_nb.ids import new_id
from hector_nb.messages import Message
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.streams import LiveStream, StoredStream, WholeAnswer
from hector_nb.service import MAX_MESSAGE_BYTES, AgentInfo, SendMessage, SessionService, TurnStream
from hector_nb.sessions import SESSION_ID, Page, Session, SessionStatus, Turn
from hector_nb.stores.base import NewTurn

if TYPE_CHECKING:
    from hector_nb.runtime.runtime import Runtime

_CANCEL_WITHIN = 5.0
"""Seconds to wait for a cancelled turn to be written down."""


class UserSessions(SessionService):
    """What one user can do, in process."""

    def __init__(self, runtime: "Runtime", user: str) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._user = user

    async def list_agents(self) -> Sequence[AgentInfo]:
        """See `SessionService`."""
        return [agent.info for agent in self._runtime.agents.values()]

    async def get_agent(self, agent: str) -> AgentInfo:
        """See `SessionService`."""
        return self._runtime.agent(agent).info

    async def create_session(
        self,
        agent: str,
        *,
        session_id: str | None = None,
        title: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> tuple[Session, bool]:
        """See `SessionService`."""
        found = self._runtime.agent(agent)
        if session_id is not None and not SESSION_ID.fullmatch(session_id):
            raise InvalidRequest(
                "This is not a session id.", hint="Use 1 to 64 letters, digits, '_', '.' or '-', or none: one is made."
            )
        return await self._store.create_session(
            self._new_session(found, session_id or new_id("sess"), title=title or "", metadata=metadata or {})
        )

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
        if agent is not None:
            self._runtime.agent(agent)
        return await self._store.list_sessions(
            self._user, agent=agent, limit=limit, cursor=cursor, status=status, query=query
        )

    async def get_session(self, agent: str, session_id: str) -> Session:
        """See `SessionService`."""
        self._runtime.agent(agent)
        session = await self.find_session(session_id)
        if session.agent != agent:
            raise _no_session(session_id)
        return session

    async def find_session(self, session_id: str) -> Session:
        """See `SessionService`."""
        if session := await self._store.get_session(self._user, session_id):
            return session
        raise _no_session(session_id)

    async def delete_session(self, agent: str, session_id: str, *, forget: bool = False) -> None:
        """See `SessionService`."""
        await self.get_session(agent, session_id)
        for turn in reversed(await self._store.unfinished_turns(self._user, session_id)):
            await self._cancel(turn)
        if not await self._store.delete_session(self._user, session_id):
            raise _no_session(session_id)

    async def list_messages(
        self, agent: str, session_id: str, *, limit: int = 100, cursor: str | None = None
    ) -> Page[Message]:
        """See `SessionService`."""
        await self.get_session(agent, session_id)
        return await self._store.list_messages(self._user, session_id, limit=limit, cursor=cursor)

    async def stream_message(self, agent: str, request: SendMessage) -> TurnStream:
        """See `SessionService`."""
        found = self._runtime.agent(agent)
        _check(request.message)
        turn_id = new_id("turn")
        session_id = request.session_id or new_id("sess")
        if request.session_id is not None and request.if_busy == "interrupt":
            await self.cancel_turn(agent, session_id)
        one_off = None if request.session_id else self._new_session(found, session_id, listed=False)
        new = NewTurn(
            turn_id=turn_id,
            agent=agent,
            user=self._user,
            session_id=session_id,
            message=await found.count(
                Message(
                    message_id=new_id("msg"),
                    turn_id=turn_id,
                    role="user",
                    content=request.message,
                    created_at=datetime.now(UTC),
                )
            ),
            holder=self._runtime.holder,
            if_busy="reject" if request.if_busy == "reject" else "queue",
            create_session=one_off,
        )
        run = self._runtime.start(new, grace=_grace(found, request))
        stream = LiveStream(run)
        try:
            await asyncio.shield(run.placed)
        except BaseException:
            await stream.__aexit__(None, None, None)
            raise
        return _shaped(found, stream)

    async def follow_turn(
        self, agent: str, turn_id: str, *, session_id: str | None = None, after: int = 0
    ) -> TurnStream:
        """See `SessionService`."""
        found = self._runtime.agent(agent)
        turn = await self._store.get_turn(self._user, turn_id)
        if turn is None or turn.agent != agent or session_id not in {None, turn.session_id}:
            raise TurnNotFound(f"There is no turn {turn_id!r}.", hint="Its events may have expired.")
        run = self._runtime.runs.get(turn_id)
        if run is not None and not turn.finished:
            return _shaped(found, LiveStream(run, after=after))
        return _shaped(found, StoredStream(turn, store=self._store, after=after))

    async def cancel_turn(self, agent: str, session_id: str, *, turn_id: str | None = None) -> Turn | None:
        """See `SessionService`."""
        await self.get_session(agent, session_id)
        for turn in await self._store.unfinished_turns(self._user, session_id):
            if turn_id in {None, turn.turn_id}:
                return await self._cancel(turn)
        return None

    async def _cancel(self, turn: Turn) -> Turn | None:
        """Stop a turn wherever it runs, and wait until it is written down."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_CANCEL_WITHIN):
                if run := self._runtime.runs.get(turn.turn_id):
                    run.cancel()
                    await run.finished.wait()
                else:
                    await self._cancel_elsewhere(turn)
        return await self._store.get_turn(self._user, turn.turn_id)

    async def _cancel_elsewhere(self, turn: Turn) -> None:
        async with self._store.watch(turn.session_id) as watch:
            await self._store.request_cancel(turn.turn_id)
            while (now := await self._store.get_turn(self._user, turn.turn_id)) and not now.finished:
                await watch.wait(1.0)

    def _new_session(
        self,
        agent: Agent,
        session_id: str,
        *,
        title: str = "",
        metadata: Mapping[str, Any] | None = None,
        listed: bool = True,
    ) -> Session:
        now = datetime.now(UTC)
        return Session(
            session_id=session_id,
            agent=agent.name,
            user=self._user,
            title=title,
            metadata=metadata or {},
            created_at=now,
            last_active_at=now,
            expires_at=agent.lifetime.expires_at(now, now),
            listed=listed,
        )


def _check(message: str) -> None:
    """Refuse what cannot be a message."""
    if not message.strip():
        raise InvalidRequest("The message is empty.", hint='Send some text, for example {"message": "Hello"}.')
    if len(message.encode("utf-8", "replace")) > MAX_MESSAGE_BYTES:
        raise MessageTooLarge("The message is larger than 1 MiB.", hint="Send it in parts, or put it in a file.")


def _grace(agent: Agent, request: SendMessage) -> float | None:
    """Seconds for which a turn waits for a reader to come back; None: for ever."""
    if (request.on_disconnect or agent.config.streaming.on_disconnect) == "continue":
        return None
    return agent.config.streaming.resume_grace if request.session_id else 0.0


def _shaped(agent: Agent, stream: TurnStream) -> TurnStream:
    return stream if agent.config.reasoning.enable_streaming else WholeAnswer(stream)


def _no_session(session_id: str) -> SessionNotFound:
    return SessionNotFound(f"There is no session {session_id!r}.", hint="Create it first, or list the sessions.")
