"""One user's look into the memory of sessions: what is remembered, what a model saw, and setting it right."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hector_nb.errors import InvalidRequest, TurnNotFound
from hector_nb.memories import Ledger, Memory, RecalledMemory, SessionMemory
from hector_nb.memory.longterm import LongTermMemory
from hector_nb.messages import Message
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.context import build_context, room_of, window_of
from hector_nb.runtime.ledger import present_ledger, stored_ledger
from hector_nb.sessions import Session, Turn
from hector_nb.stores.base_turns import BegunTurn

if TYPE_CHECKING:
    from hector_nb.runtime.runtime import Runtime

_NOBODY = Message(message_id="", turn_id="", role="user", content="", created_at=datetime.fromtimestamp(0, UTC))
"""Stands for the message that has not been written yet."""


class SessionMemories:
    """What one user can see and change of memory, in process. Sessions are checked by the caller."""

    def __init__(self, runtime: "Runtime", user: str) -> None:
        self._store = runtime.store
        self._remembering = runtime.remembering
        self._forgotten = runtime.forgotten
        self._user = user

    async def get(self, agent: Agent, session: Session, *, limit: int, cursor: str | None) -> SessionMemory:
        """See `SessionService.get_memory`."""
        await self._remembering.settle(agent, self._user)
        ledger = await self._present(agent, session)
        if agent.longterm is None:
            return SessionMemory(ledger=ledger, scope=None)
        partition = agent.longterm.partition(self._user, session.session_id)
        page = await self._store.list_memories(partition, limit=limit, cursor=cursor)
        untaken = await self._store.untaken_of(self._user, session.session_id)
        return SessionMemory(
            ledger=ledger,
            scope=agent.longterm.scope,
            memories=page.items,
            next_cursor=page.next_cursor,
            pending=untaken.upto - untaken.mark if untaken else 0,
        )

    async def search(self, agent: Agent, session: Session, query: str, *, limit: int) -> Sequence[RecalledMemory]:
        """See `SessionService.search_memory`."""
        if not query.strip():
            raise InvalidRequest("The query is empty.", hint="Say what to look for.")
        await self._remembering.settle(agent, self._user)
        longterm = _longterm(agent)
        return await longterm.search(
            self._store, user=self._user, session_id=session.session_id, text=query, limit=limit
        )

    async def correct(self, agent: Agent, session: Session, memory_id: str, text: str) -> Memory:
        """See `SessionService.correct_memory`."""
        return await _longterm(agent).correct(
            self._store, user=self._user, session_id=session.session_id, memory_id=memory_id, text=text
        )

    async def forget(self, agent: Agent, session: Session, memory_id: str) -> None:
        """See `SessionService.forget_memory`."""
        longterm = _longterm(agent)
        memory = await self._store.get_memory(longterm.partition(self._user, session.session_id), memory_id)
        await longterm.forget(self._store, user=self._user, session_id=session.session_id, memory_id=memory_id)
        if memory is not None:
            self._forgotten.keep(memory)

    async def restore(self, agent: Agent, session: Session, memory_id: str) -> Memory:
        """See `SessionService.restore_memory`."""
        return await self._forgotten.put_back(
            self._store, _longterm(agent), user=self._user, session_id=session.session_id, memory_id=memory_id
        )

    async def context(self, turn: Turn) -> Ledger:
        """See `SessionService.get_context`."""
        stored = await self._store.get_ledger(self._user, turn.turn_id)
        if stored is None:
            raise TurnNotFound(
                f"The turn {turn.turn_id!r} has not asked its model.",
                hint="It waits, was stopped before, or ran before ledgers were kept.",
            )
        return stored_ledger(stored)

    async def _present(self, agent: Agent, session: Session) -> Ledger:
        """The ledger of what the model would see before a new message."""
        room = await room_of(agent, await agent.toolbox.schemas())
        summary, history, first = await self._store.read_window(
            self._user, session.session_id, window=await window_of(agent)
        )
        begun = BegunTurn(
            session=session,
            turn=_no_turn(session),
            message=_NOBODY,
            message_number=0,
            history=history,
            first_position=first,
            summary=summary,
        )
        return present_ledger(await build_context(agent, begun, room), session.session_id)


def _no_turn(session: Session) -> Turn:
    return Turn(
        turn_id="",
        session_id=session.session_id,
        agent=session.agent,
        user=session.user,
        status="queued",
        message_id="",
        created_at=session.last_active_at,
    )


def _longterm(agent: Agent) -> LongTermMemory:
    if agent.longterm is None:
        raise InvalidRequest(
            f"The agent {agent.name!r} has no long-term memory.",
            hint="Give it a block memory.longterm in the configuration.",
        )
    return agent.longterm
