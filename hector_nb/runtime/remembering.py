"""What memory does beside the turns, in this process: folding old messages into summaries, and taking finished turns in for good.

Both run after the answer and cost it nothing. What is not done when the process ends, however it ends, is found by the next look of any
process: a session's newest summary and its mark say where to go on.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

from hector_nb.errors import HectorError, StoreError
from hector_nb.memories import Summary
from hector_nb.memory.session_summaries import IDLE
from hector_nb.messages import Message
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.context import Room, as_notes, message_room, room_of
from hector_nb.runtime.errands import Errands
from hector_nb.sessions import Session
from hector_nb.stores.base import Store

_log = logging.getLogger("hector_nb.runtime")

_WAIT_FOR_FOLD = 10.0
"""Seconds that a turn whose conversation does not fit waits for a summary."""
_REST = 30.0
"""Seconds for which a summarizer that failed is not asked again."""
_WAIT_FOR_OTHERS = 2.0
"""Seconds that recall waits for what this process is about to take in."""
_FINISH_WITHIN = 20.0
"""Seconds that the end of a session waits for its last memories; what takes longer is done later."""
_LOOK_EVERY = 60.0
"""Seconds between looks for sessions that some process left with something to take in."""
_READ = 400
"""Messages read at once to be folded."""
_LONGEST_TURN = 4096
"""Messages after which a turn is too long to be folded."""
_AT_ONCE = 20
"""Sessions left behind that are listed at once."""


class Remembering:
    """The background work of one process. `after_turn` and `look_soon` are cheap; the work has its own tasks."""

    def __init__(self, *, store: Store, agents: Mapping[str, Agent]) -> None:
        self._store = store
        self._agents = agents
        self._folds = Errands(self._fold_session)
        self._takes = Errands(self._take_session)
        self._not_waited_for: set[str] = set()
        self._rests_until: dict[str, float] = {}
        self._looking: asyncio.Task[None] | None = None
        self._look_now = asyncio.Event()
        self._remembering = [name for name, agent in agents.items() if agent.longterm]

    def start(self) -> None:
        """Begin to look for what was left, and to bring vectors up to date."""
        if self._remembering:
            self._looking = asyncio.create_task(self._look())

    async def stop(self, *, within: float) -> None:
        """Finish what is being taken in, for at most so many seconds."""
        if self._looking:
            self._looking.cancel()
        if takes := self._takes.under_way():
            await asyncio.wait(takes, timeout=within)
        tasks = [*self._takes.under_way(), *self._folds.under_way(), *([self._looking] if self._looking else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def after_turn(self, agent: Agent, session: Session) -> None:
        """A turn of this session is over, and its outcome is durable."""
        if not session.listed:
            return
        if agent.summarizer:
            self._folds.ask(agent, session)
        if agent.longterm:
            self._takes.ask(agent, session)

    def take_in(self, agent: Agent, session: Session) -> None:
        """This session has come with messages that nobody has said in it."""
        if agent.longterm:
            self._takes.ask(agent, session)

    async def make_room(self, agent: Agent, session: Session) -> None:
        """Wait until older messages are folded, where that can be had.

        A summarizer that failed, or was too slow, is not waited for again until it has written a summary.
        """
        task = self._folds.ask(agent, session)
        if agent.name not in self._not_waited_for:
            done, _ = await asyncio.wait([task], timeout=_WAIT_FOR_FOLD)
            if not done:
                self._not_waited_for.add(agent.name)

    async def settle(self, agent: Agent, user: str, *, besides: str | None = None) -> None:
        """Wait a moment for what is being taken in of this user, so that a fact told in one session is there in the next.

        A turn that recalls does not wait for what was said in its own session, `besides`: its model sees that anyway.
        """
        if tasks := self._takes.under_way(agent=agent.name, user=user, besides=besides):
            await asyncio.wait(tasks, timeout=_WAIT_FOR_OTHERS)

    async def finish(self, agent: Agent, session: Session) -> None:
        """Take in the last of a session that is over."""
        if agent.longterm and session.listed:
            await asyncio.wait([self._takes.ask(agent, session)], timeout=_FINISH_WITHIN)

    def look_soon(self) -> None:
        """Sessions are over: take in what is left of them."""
        self._look_now.set()

    async def _fold_session(self, agent: Agent, session: Session) -> None:
        if asyncio.get_running_loop().time() < self._rests_until.get(agent.name, 0):
            return
        try:
            while await self._fold_once(agent, session):
                self._not_waited_for.discard(agent.name)
        except StoreError as error:
            _log.warning("No summary of %s: %s", session.session_id, error.message)
        except Exception as error:  # noqa: BLE001 - a background task must not die in silence
            self._not_waited_for.add(agent.name)
            self._rests_until[agent.name] = asyncio.get_running_loop().time() + _REST
            if isinstance(error, HectorError):
                _log.warning("No summary of %s: %s", session.session_id, error.message)
            else:
                _log.exception("A summary failed for a reason that is ours")

    async def _fold_once(self, agent: Agent, session: Session) -> bool:
        """Fold one piece of the transcript; whether there may be more."""
        assert agent.summarizer
        room = await room_of(agent, await agent.toolbox.schemas())
        window = replace(agent.memory.window(room.tokens), max_tokens=0)
        previous, _, _ = await self._store.read_window(session.user, session.session_id, window=window)
        folded = await self._to_fold(agent, session, previous, room)
        if not folded:
            return False
        text = await agent.summarizer.summarize(previous, folded)
        after = previous.position if previous else 0
        summary = Summary(
            text=text,
            tokens=await agent.counter.count(as_notes(text)),
            message_id=folded[-1].message_id,
            position=after + len(folded),
            created_at=datetime.now(UTC),
        )
        return await self._store.store_summary(session.user, session.session_id, summary, after=after)

    async def _to_fold(self, agent: Agent, session: Session, previous: Summary | None, room: Room) -> Sequence[Message]:
        """The oldest messages that the next summary should stand for; more is read only where one turn is longer than what was."""
        after, tokens = (previous.position, previous.tokens) if previous else (0, 0)
        limit = _READ
        while True:
            messages = await self._store.messages_between(session.user, session.session_id, after=after, limit=limit)
            folded = agent.memory.fold(messages, summary_tokens=tokens, budget=message_room(agent, room))
            if folded or len(messages) < limit or limit >= _LONGEST_TURN:
                return folded
            limit *= 4

    async def _take_session(self, agent: Agent, session: Session) -> None:
        try:
            assert agent.longterm
            if untaken := await self._store.untaken_of(session.user, session.session_id):
                await agent.longterm.take_in(self._store, untaken)
        except HectorError as error:
            _log.warning("%s is not remembered yet: %s", session.session_id, error.message)
        except Exception:  # noqa: BLE001 - a background task must not die in silence
            _log.exception("Remembering failed for a reason that is ours")

    async def _look(self) -> None:
        """Every so often, take in what some process has left, and give vectors to memories that have none."""
        everything = True
        while True:
            self._look_now.clear()
            try:
                await self._take_left_behind(over=True)
                await self._take_left_behind(idle_before=None if everything else datetime.now(UTC) - IDLE)
                await self._reindex()
                everything = False
            except StoreError as error:
                _log.warning("Memories are looked after later: %s", error.message)
            except Exception:  # noqa: BLE001 - a background task must not die in silence
                _log.exception("Looking after memories failed for a reason that is ours")
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._look_now.wait()

    async def _take_left_behind(self, *, over: bool | None = None, idle_before: datetime | None = None) -> None:
        """Take in one session after the other, as long as that leaves fewer of them."""
        seen: set[str] = set()
        while found := await self._store.untaken(
            self._remembering, over=over, idle_before=idle_before, limit=len(seen) + _AT_ONCE
        ):
            new = [each.session for each in found if each.session.session_id not in seen]
            if not new:
                return
            for session in new:
                seen.add(session.session_id)
                await asyncio.wait([self._takes.ask(self._agents[session.agent], session)])

    async def _reindex(self) -> None:
        for name in self._remembering:
            longterm = self._agents[name].longterm
            assert longterm
            await longterm.embed_missing(self._store)
