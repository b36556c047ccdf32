"""Turns of agents that other agents call: each in a session of its own, linked to the call.

A call, its session and its turn have ids that differ in their prefix alone (`call_X`, `sess_X`, `turn_X`), so that each is found from the
others in every process. The session is listed if the caller's is, and names its caller in `metadata.called_by`; people may open it
and go on with it. The nested turn runs in the process of its caller and never outlives it: where the process stops or dies, neither
goes on, even if the nested one waits for an approval.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hector_nb.errors import Unavailable
from hector_nb.ids import new_id
from hector_nb.messages import Message
from hector_nb.runtime.streams import LiveStream
from hector_nb.runtime.transcript import open_calls
from hector_nb.service import TurnStream, every
from hector_nb.sessions import Session, Turn
from hector_nb.stores.base import Store
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import NewTurn
from hector_nb.tools.base import CallContext

if TYPE_CHECKING:
    from hector_nb.runtime.runtime import Runtime

CALLED_BY = "called_by"
_CLOSE_WITHIN = 5.0
"""Seconds to wait for a stopped turn to be written down."""
_NEWEST = Window(max_messages=200)
"""Where the calls under way stand."""


class NestedTurns:
    """Asks agents for agents; see `AgentTurns`. It needs the engine (`runtime`) that its agents run in."""

    runtime: "Runtime | None" = None

    @asynccontextmanager
    async def asked(self, agent: str, message: str, context: CallContext) -> AsyncIterator[TurnStream]:
        """See `AgentTurns`."""
        if self.runtime is None:
            raise Unavailable("Agents cannot be called before the engine is open.")
        run = self.runtime.start(
            await self._turn(self.runtime, agent, message, context), grace=None, above=context.callers
        )
        stream = LiveStream(run)
        try:
            await asyncio.shield(run.placed)
            yield stream
        finally:
            await stream.__aexit__(None, None, None)
            run.cancel()
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_WITHIN):
                    await run.finished.wait()

    async def _turn(self, runtime: "Runtime", agent: str, message: str, context: CallContext) -> NewTurn:
        found = runtime.agent(agent)
        caller = await runtime.store.get_session(context.user, context.session_id)
        now = datetime.now(UTC)
        turn_id = nested_turn(context.call_id)
        session = Session(
            session_id=nested_session(context.call_id),
            agent=agent,
            user=context.user,
            metadata={
                CALLED_BY: {
                    "agent": context.agent,
                    "session_id": context.session_id,
                    "turn_id": context.turn_id,
                    "call_id": context.call_id,
                }
            },
            created_at=now,
            last_active_at=now,
            expires_at=found.lifetime.expires_at(now, now),
            listed=caller is not None and caller.listed,
        )
        said = Message(message_id=new_id("msg"), turn_id=turn_id, role="user", content=message, created_at=now)
        return NewTurn(
            turn_id=turn_id,
            agent=agent,
            user=context.user,
            session_id=session.session_id,
            message=await found.count(said),
            holder=runtime.holder,
            create_session=session,
        )


def nested_session(call_id: str) -> str:
    """The session in which a call of an agent is answered."""
    return f"sess_{call_id.partition('_')[2]}"


def nested_turn(call_id: str) -> str:
    """The turn that answers a call of an agent."""
    return f"turn_{call_id.partition('_')[2]}"


def is_nested(turn: Turn) -> bool:
    """Whether this turn answers a call of an agent. Later turns of its session do not."""
    return turn.turn_id.partition("_")[2] == turn.session_id.partition("_")[2]


async def called_from(store: Store, user: str, session_id: str) -> Sequence[Session]:
    """The sessions in which calls of this session, that are under way, are answered, and those of the calls made there."""
    found: list[Session] = []
    _, messages, _ = await store.read_window(user, session_id, window=_NEWEST)
    for call in open_calls(messages):
        if session := await store.get_session(user, nested_session(call.call_id)):
            found += [session, *await called_from(store, user, session.session_id)]
    return found


async def all_called_from(store: Store, user: str, session_id: str) -> Sequence[Session]:
    """The sessions in which all calls of this session were answered. Those of a session that it was forked from are not among them."""
    found: list[Session] = []
    async for message in every(lambda cursor: store.list_messages(user, session_id, limit=1000, cursor=cursor)):
        for call in message.tool_calls:
            session = await store.get_session(user, nested_session(call.call_id))
            if session and _caller(session) == session_id:
                found.append(session)
    return found


def _caller(session: Session) -> object:
    called_by = session.metadata.get(CALLED_BY)
    return called_by.get("session_id") if isinstance(called_by, dict) else None
