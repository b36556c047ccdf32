"""The sessions of one user, in process: `SessionService` over the engine and the store."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hector_nb.approvals import Approval, Decision
from hector_nb.errors import InvalidRequest, MessageNotFound
from hector_nb.ids import new_id
from hector_nb.memories import Ledger, Memory, RecalledMemory, SessionMemory
from hector_nb.messages import Message
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.nested import all_called_from
from hector_nb.runtime.requests import DECISIONS, check_choice, check_limit, check_session, check_status, idempotency_of
from hector_nb.runtime.session_approvals import SessionApprovals
from hector_nb.runtime.session_memory import SessionMemories
from hector_nb.runtime.session_turns import SessionTurns, no_session
from hector_nb.service import AgentInfo, SendMessage, SessionFeed, SessionService, ToolInfo, TurnStream, every
from hector_nb.sessions import Page, Session, SessionStatus, Turn

if TYPE_CHECKING:
    from hector_nb.runtime.runtime import Runtime

_BEFORE = "before-"
"""What the cursors of a transcript that is read from its end begin with; a position follows."""


class UserSessions(SessionService):
    """What one user can do, in process."""

    def __init__(self, runtime: "Runtime", user: str, *, above: Sequence[str] = ()) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._turns = SessionTurns(runtime, user, above=above)
        self._memories = SessionMemories(runtime, user)
        self._approvals = SessionApprovals(runtime, user)
        self._user = user

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
            found.new_session(self._user, session_id or new_id("sess"), title=title or "", metadata=metadata or {}),
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
            raise no_session(session_id)
        return session

    async def find_session(self, session_id: str) -> Session:
        """See `SessionService`."""
        if session := await self._store.get_session(self._user, session_id):
            return session
        raise no_session(session_id)

    async def delete_session(self, agent: str, session_id: str, *, forget: bool = False) -> None:
        """See `SessionService`."""
        await self.get_session(agent, session_id)
        if not await self._delete(session_id, forget=forget):
            raise no_session(session_id)

    async def _delete(self, session_id: str, *, forget: bool) -> bool:
        """Erase a session, and those of the agents that it has called; whether it was there."""
        await self._turns.cancel_all(session_id)
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
        await self._turns.cancel_all(session_id)
        ended = await self._store.end_session(self._user, session_id)
        if session.status == "active":
            await self._runtime.remembering.finish(self._runtime.agent(agent), ended)
        return ended

    async def fork_session(self, agent: str, session_id: str, *, after: str | None = None) -> Session:
        """See `SessionService`."""
        found = self._runtime.agent(agent)
        source = await self.get_session(agent, session_id)
        new = found.new_session(
            self._user,
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
        new = found.new_session(self._user, new_id("sess"), title=title, metadata=metadata)
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
        return await self._turns.start(self._runtime.agent(agent), request)

    async def follow_turn(
        self, agent: str, turn_id: str, *, session_id: str | None = None, after: int = 0
    ) -> TurnStream:
        """See `SessionService`."""
        return await self._turns.follow(agent, turn_id, session_id, after=after)

    async def follow_session(self, agent: str, session_id: str, *, after: str | None = None) -> SessionFeed:
        """See `SessionService`."""
        return await self._turns.feed(await self.get_session(agent, session_id), after=after)

    async def cancel_turn(self, agent: str, session_id: str, *, turn_id: str | None = None) -> Turn | None:
        """See `SessionService`."""
        return await self._turns.cancel(await self.get_session(agent, session_id), turn_id=turn_id)

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
        return await self._memories.context(await self._turns.find(agent, turn_id, session_id))

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
        stored = every(lambda cursor: self._store.list_messages(self._user, session_id, limit=1000, cursor=cursor))
        async for message in stored:
            if message.call_id == call_id:
                return message.content
        raise MessageNotFound("No tool of this session has answered a call with this id.")


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
