"""The sessions of one user, in process: `SessionService` over the engine and the store."""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import (
    InvalidRequest,
    MessageNotFound,
    MessageTooLarge,
    SessionEnded,
    SessionNotFound,
    TurnNotFound,
)
from hector_nb.ids import new_id
from hector_nb.memories import Ledger, Memory, RecalledMemory, SessionMemory
from hector_nb.messages import Message
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.nested import all_called_from
from hector_nb.runtime.requests import (
    DECISIONS,
    check_after,
    check_choice,
    check_limit,
    check_message,
    check_session,
    check_status,
    idempotency_of,
)
from hector_nb.runtime.session_approvals import SessionApprovals
from hector_nb.runtime.session_memory import SessionMemories
from hector_nb.runtime.streams import LiveStream, StoredFeed, open_turn, shaped
from hector_nb.service import (
    AgentInfo,
    SendMessage,
    SessionFeed,
    SessionService,
    ToolInfo,
    TurnStream,
)
from hector_nb.sessions import Page, Session, SessionStatus, Turn
from hector_nb.stores.base_turns import NewTurn

if TYPE_CHECKING:
    from hector_nb.runtime.runtime import Runtime

_BEFORE = "before-"
"""What the cursors of a transcript that is read from its end begin with; a position follows."""
_CANCEL_WITHIN = 5.0
"""Seconds to wait for a cancelled turn to be written down."""


class UserSessions(SessionService):
    """What one user can do, in process."""

    def __init__(self, runtime: "Runtime", user: str, *, above: Sequence[str] = ()) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._memories = SessionMemories(runtime, user)
        self._approvals = SessionApprovals(runtime, user)
        self._user = user
        self._above = above

    async def list_agents(self) -> Sequence[AgentInfo]:
        """See `SessionService`."""
        return [agent.info for agent in self._runtime.agents.values()]

    async def get_agent(self, agent: str) -> AgentInfo:
        """See `SessionService`."""
        return self._runtime.agent(agent).info

    async def list_tools(self, agent: str) -> Sequence[ToolInfo]:
        """See `SessionService`."""
        return await self._runtime.agent(agent).toolbox.infos()

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
        found = self._runtime.agent(agent)
        check_session(session_id=session_id, title=title, metadata=metadata)
        return await self._store.create_session(
            self._new_session(found, session_id or new_id("sess"), title=title or "", metadata=metadata or {}),
            idempotency=idempotency_of(idempotency_key, "session", agent, session_id, title, metadata),
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
        check_status(status)
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
        if not await self._delete(session_id, forget=forget):
            raise _no_session(session_id)

    async def _delete(self, session_id: str, *, forget: bool) -> bool:
        """Erase a session, and those of the agents that it has called; whether it was there."""
        await self._cancel_all(session_id)
        for called in await all_called_from(self._store, self._user, session_id):
            await self._delete(called.session_id, forget=forget)
        return await self._store.delete_session(self._user, session_id, forget=forget)

    async def update_session(
        self, agent: str, session_id: str, *, title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Session:
        """See `SessionService`."""
        await self.get_session(agent, session_id)
        check_session(title=title, metadata=metadata)
        return await self._store.update_session(self._user, session_id, title=title, metadata=metadata)

    async def end_session(self, agent: str, session_id: str) -> Session:
        """See `SessionService`."""
        session = await self.get_session(agent, session_id)
        await self._cancel_all(session_id)
        ended = await self._store.end_session(self._user, session_id)
        if session.status == "active":
            await self._runtime.remembering.finish(self._runtime.agent(agent), ended)
        return ended

    async def fork_session(self, agent: str, session_id: str, *, after: str | None = None) -> Session:
        """See `SessionService`."""
        found = self._runtime.agent(agent)
        source = await self.get_session(agent, session_id)
        new = self._new_session(
            found,
            new_id("sess"),
            title=source.title,
            metadata={**source.metadata, "forked_from": session_id},
        )
        fork = await self._store.fork_session(session_id, new, after=after, take_in=_takes_copies(found))
        self._runtime.remembering.take_in(found, fork)
        return fork

    async def rewind_session(self, agent: str, session_id: str, *, after: str | None = None) -> Session:
        """See `SessionService`."""
        await self.get_session(agent, session_id)
        return await self._store.rewind_session(self._user, session_id, after=after)

    async def import_session(
        self,
        agent: str,
        messages: Sequence[Message],
        *,
        title: str = "",
        metadata: Mapping[str, Any] | None = None,
    ) -> Session:
        """See `SessionService`."""
        found = self._runtime.agent(agent)
        check_session(title=title, metadata=metadata)
        new = self._new_session(found, new_id("sess"), title=title, metadata=metadata)
        counted = [message if message.tokens else await found.count(message) for message in messages]
        imported = await self._store.import_session(new, counted, take_in=found.longterm is not None)
        self._runtime.remembering.take_in(found, imported)
        return imported

    async def list_messages(
        self, agent: str, session_id: str, *, limit: int = 100, cursor: str | None = None, newest: bool = False
    ) -> Page[Message]:
        """See `SessionService`."""
        session = await self.get_session(agent, session_id)
        if not newest:
            return await self._store.list_messages(self._user, session_id, limit=limit, cursor=cursor)
        upto = min(_position(cursor), session.message_count)
        after = max(0, upto - limit)
        found = await self._store.messages_between(self._user, session_id, after=after, upto=upto, limit=limit)
        return Page(items=found, next_cursor=f"{_BEFORE}{after}" if after else None)

    async def stream_message(self, agent: str, request: SendMessage) -> TurnStream:
        """See `SessionService`."""
        found = self._runtime.agent(agent)
        check_message(request)
        turn_id = new_id("turn")
        message = await _message(found, turn_id, request.message)
        session_id = request.session_id or new_id("sess")
        if request.session_id is not None and request.if_busy == "interrupt":
            await self.cancel_turn(agent, session_id)
        one_off = None if request.session_id else self._new_session(found, session_id, listed=False)
        new = NewTurn(
            turn_id=turn_id,
            agent=agent,
            user=self._user,
            session_id=session_id,
            message=message,
            holder=self._runtime.holder,
            if_busy="reject" if request.if_busy == "reject" else "queue",
            create_session=one_off,
            idempotency=idempotency_of(request.idempotency_key, "turn", agent, request.session_id, request.message),
        )
        grace = found.grace(one_off=request.session_id is None, on_disconnect=request.on_disconnect)
        run = self._runtime.start(new, grace=grace, above=self._above)
        stream = LiveStream(run)
        try:
            await asyncio.shield(run.placed)
        except BaseException as error:
            await stream.__aexit__(None, None, None)
            if isinstance(error, SessionNotFound):
                raise _no_session(session_id) from error
            raise
        if run.repeats is not None:
            await stream.__aexit__(None, None, None)
            return open_turn(self._runtime, run.repeats)
        return shaped(self._runtime, agent, stream)

    async def follow_turn(
        self, agent: str, turn_id: str, *, session_id: str | None = None, after: int = 0
    ) -> TurnStream:
        """See `SessionService`."""
        check_after(after)
        return open_turn(self._runtime, await self._turn(agent, turn_id, session_id), after=after)

    async def follow_session(self, agent: str, session_id: str, *, after: str | None = None) -> SessionFeed:
        """See `SessionService`."""
        session = await self.get_session(agent, session_id)
        running = await self._store.unfinished_turns(self._user, session_id)
        if session.status != "active" and not running and not await self._is_followed(session_id, after):
            raise SessionEnded(f"The session {session_id!r} has {session.status}.", hint="Fork it to go on.")
        if after is not None:
            return StoredFeed(self._runtime, session, after=_turn(after))
        if running:
            return StoredFeed(self._runtime, session, first=running[0], position=f"{running[0].turn_id}:0")
        if last := await self._store.last_turn(self._user, session_id):
            return StoredFeed(self._runtime, session, after=last.turn_id, position=f"{last.turn_id}:{last.last_seq}")
        return StoredFeed(self._runtime, session)

    async def _is_followed(self, session_id: str, after: str | None) -> bool:
        """Whether there are turns after this one; None: only those to come count."""
        return after is not None and await self._store.next_turn(self._user, session_id, after=_turn(after)) is not None

    async def get_memory(
        self, agent: str, session_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> SessionMemory:
        """See `SessionService`."""
        session = await self.get_session(agent, session_id)
        return await self._memories.get(self._runtime.agent(agent), session, limit=limit, cursor=cursor)

    async def search_memory(
        self, agent: str, session_id: str, query: str, *, limit: int = 10
    ) -> Sequence[RecalledMemory]:
        """See `SessionService`."""
        session = await self.get_session(agent, session_id)
        check_limit(limit)
        return await self._memories.search(self._runtime.agent(agent), session, query, limit=limit)

    async def correct_memory(self, agent: str, session_id: str, memory_id: str, text: str) -> Memory:
        """See `SessionService`."""
        session = await self.get_session(agent, session_id)
        return await self._memories.correct(self._runtime.agent(agent), session, memory_id, text)

    async def forget_memory(self, agent: str, session_id: str, memory_id: str) -> None:
        """See `SessionService`."""
        session = await self.get_session(agent, session_id)
        await self._memories.forget(self._runtime.agent(agent), session, memory_id)

    async def restore_memory(self, agent: str, session_id: str, memory_id: str) -> Memory:
        """See `SessionService`."""
        session = await self.get_session(agent, session_id)
        return await self._memories.restore(self._runtime.agent(agent), session, memory_id)

    async def get_context(self, agent: str, turn_id: str, *, session_id: str | None = None) -> Ledger:
        """See `SessionService`."""
        return await self._memories.context(await self._turn(agent, turn_id, session_id))

    async def cancel_turn(self, agent: str, session_id: str, *, turn_id: str | None = None) -> Turn | None:
        """See `SessionService`."""
        await self.get_session(agent, session_id)
        for turn in await self._store.unfinished_turns(self._user, session_id):
            if turn_id in {None, turn.turn_id}:
                return await self._cancel(turn)
        return None

    async def list_approvals(self, agent: str, session_id: str) -> Sequence[Approval]:
        """See `SessionService`."""
        return await self._approvals.waiting(await self.get_session(agent, session_id))

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
        session = await self.get_session(agent, session_id)
        check_choice("decision", decision, DECISIONS)
        return await self._approvals.decide(session, call_id, decision, edited=edited)

    async def get_tool_output(self, agent: str, session_id: str, call_id: str) -> str:
        """See `SessionService`."""
        await self.get_session(agent, session_id)
        if (whole := await self._store.get_output(self._user, session_id, call_id)) is not None:
            return whole
        cursor: str | None = None
        while True:
            page = await self._store.list_messages(self._user, session_id, limit=1000, cursor=cursor)
            for message in page.items:
                if message.call_id == call_id:
                    return message.content
            cursor = page.next_cursor
            if cursor is None:
                raise MessageNotFound("No tool of this session has answered a call with this id.")

    async def _turn(self, agent: str, turn_id: str, session_id: str | None) -> Turn:
        self._runtime.agent(agent)
        turn = await self._store.get_turn(self._user, turn_id)
        if turn is None or turn.agent != agent or session_id not in {None, turn.session_id}:
            raise TurnNotFound(f"There is no turn {turn_id!r}.", hint="Its session may have been deleted.")
        return turn

    async def _cancel_all(self, session_id: str) -> None:
        """Stop what runs, the queued turns first, so that none of them begins in between."""
        for turn in reversed(await self._store.unfinished_turns(self._user, session_id)):
            await self._cancel(turn)

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
            await self._runtime.recover()  # its process may be dead and will not hear us
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


def _position(cursor: str | None) -> int:
    """Where a page ends that is read from the end of a transcript."""
    if cursor is None:
        return sys.maxsize
    number = cursor.removeprefix(_BEFORE)
    if number == cursor or not number.isdecimal() or len(number) > 9:
        raise InvalidRequest("This cursor is not one of ours.", hint="Leave it out to begin at the end.")
    return int(number)


def _takes_copies(agent: Agent) -> bool:
    """Whether long-term memory takes in what a fork copies: where sessions are blind to one another, for else it has it already."""
    return agent.longterm is not None and agent.longterm.scope == "session"


async def _message(agent: Agent, turn_id: str, text: str) -> Message:
    """The user's message, counted.

    Raises:
        MessageTooLarge: the agent's model is known not to be able to read it.
    """
    message = await agent.count(
        Message(message_id=new_id("msg"), turn_id=turn_id, role="user", content=text, created_at=datetime.now(UTC))
    )
    if agent.window is None:
        return message
    room = max(0, agent.window - await agent.instruction_tokens())
    if message.tokens > room:
        raise MessageTooLarge(
            f"The message has {message.tokens} tokens, and `{agent.model.name}` can read {room} beside the system prompt.",
            hint=f"Send it in parts. If the model can read more than {agent.window} tokens, set its `context_window`.",
        )
    return message


def _turn(after: str) -> str | None:
    """The turn that a feed begins after; None: none."""
    return None if after == "start" else after


def _no_session(session_id: str) -> SessionNotFound:
    return SessionNotFound(f"There is no session {session_id!r}.", hint="Create it first, or list the sessions.")
