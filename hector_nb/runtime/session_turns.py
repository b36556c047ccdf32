"""The turns of one user's sessions: starting, following and stopping them."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hector_nb.errors import MessageTooLarge, SessionEnded, SessionNotFound, TurnNotFound
from hector_nb.ids import new_id
from hector_nb.messages import Message
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.requests import check_after, check_message, idempotency_of
from hector_nb.runtime.streams import LiveStream, StoredFeed, open_turn, shaped
from hector_nb.service import SendMessage, SessionFeed, TurnStream
from hector_nb.sessions import Session, Turn
from hector_nb.stores.base_turns import NewTurn

if TYPE_CHECKING:
    from hector_nb.runtime.runtime import Runtime

_CANCEL_WITHIN = 5.0
"""Seconds to wait for a cancelled turn to be written down."""


class SessionTurns:
    """What one user can do with turns, in process. Sessions are checked by the caller; `above` are the agents whose calls led here."""

    def __init__(self, runtime: "Runtime", user: str, *, above: Sequence[str]) -> None:
        self._runtime = runtime
        self._store = runtime.store
        self._user = user
        self._above = above

    async def start(self, agent: Agent, request: SendMessage) -> TurnStream:
        """See `SessionService.stream_message`."""
        check_message(request)
        turn_id = new_id("turn")
        message = await _message(agent, turn_id, request.message)
        session_id = request.session_id or new_id("sess")
        if request.session_id is not None and request.if_busy == "interrupt":
            await self._interrupt(agent, session_id)
        one_off = None if request.session_id else agent.new_session(self._user, session_id, listed=False)
        new = NewTurn(
            turn_id=turn_id,
            agent=agent.name,
            user=self._user,
            session_id=session_id,
            message=message,
            holder=self._runtime.holder,
            if_busy="reject" if request.if_busy == "reject" else "queue",
            create_session=one_off,
            idempotency=idempotency_of(
                request.idempotency_key, "turn", agent.name, request.session_id, request.message
            ),
        )
        grace = agent.grace(one_off=request.session_id is None, on_disconnect=request.on_disconnect)
        run = self._runtime.start(new, grace=grace, above=self._above)
        stream = LiveStream(run)
        try:
            await asyncio.shield(run.placed)
        except BaseException as error:
            await stream.__aexit__(None, None, None)
            if isinstance(error, SessionNotFound):
                raise no_session(session_id) from error
            raise
        if run.repeats is not None:
            await stream.__aexit__(None, None, None)
            return open_turn(self._runtime, run.repeats)
        return shaped(self._runtime, agent.name, stream)

    async def _interrupt(self, agent: Agent, session_id: str) -> None:
        session = await self._store.get_session(self._user, session_id)
        if session is None or session.agent != agent.name:
            raise no_session(session_id)
        await self.cancel(session)

    async def follow(self, agent: str, turn_id: str, session_id: str | None, *, after: int) -> TurnStream:
        """See `SessionService.follow_turn`."""
        check_after(after)
        return open_turn(self._runtime, await self.find(agent, turn_id, session_id), after=after)

    async def feed(self, session: Session, *, after: str | None) -> SessionFeed:
        """See `SessionService.follow_session`."""
        session_id = session.session_id
        running = await self._store.unfinished_turns(self._user, session_id)
        if session.status != "active" and not running and not await self._is_followed(session_id, after):
            raise SessionEnded(f"The session {session_id!r} has {session.status}.", hint="Fork it to go on.")
        if after is not None:
            return StoredFeed(self._runtime, session, after=_turn_of(after))
        if running:
            return StoredFeed(self._runtime, session, first=running[0], position=f"{running[0].turn_id}:0")
        if last := await self._store.last_turn(self._user, session_id):
            return StoredFeed(self._runtime, session, after=last.turn_id, position=f"{last.turn_id}:{last.last_seq}")
        return StoredFeed(self._runtime, session)

    async def _is_followed(self, session_id: str, after: str | None) -> bool:
        """Whether there are turns after this one; None: only those to come count."""
        return (
            after is not None and await self._store.next_turn(self._user, session_id, after=_turn_of(after)) is not None
        )

    async def find(self, agent: str, turn_id: str, session_id: str | None) -> Turn:
        """One turn; `session_id`, where it is known, must be that of its session."""
        self._runtime.agent(agent)
        turn = await self._store.get_turn(self._user, turn_id)
        if turn is None or turn.agent != agent or session_id not in {None, turn.session_id}:
            raise TurnNotFound(f"There is no turn {turn_id!r}.", hint="Its session may have been deleted.")
        return turn

    async def cancel(self, session: Session, *, turn_id: str | None = None) -> Turn | None:
        """See `SessionService.cancel_turn`."""
        for turn in await self._store.unfinished_turns(self._user, session.session_id):
            if turn_id in {None, turn.turn_id}:
                return await self._cancel(turn)
        return None

    async def cancel_all(self, session_id: str) -> None:
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


def _turn_of(after: str) -> str | None:
    """The turn that a feed begins after; None: none."""
    return None if after == "start" else after


def no_session(session_id: str) -> SessionNotFound:
    """The error for a session that is not there, or not this user's."""
    return SessionNotFound(f"There is no session {session_id!r}.", hint="Create it first, or list the sessions.")
