"""What memory does beside the turns, in this process: folding old messages into summaries, and taking finished turns in for good.

Both run after the answer and cost it nothing. What is not done when the process ends, however it ends, is found by the next look of any
process: a session's newest summary and its mark say where to go on.
"""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hector_nb.errors import HectorError, ModelError, StoreError
from hector_nb.memories import Summary
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.context import room_of
from hector_nb.sessions import Session
from hector_nb.stores.base import Store
from hector_nb.stores.base_memories import Untaken

_log = logging.getLogger("hector_nb.runtime")

_WAIT_FOR_FOLD = 20.0
"""Seconds that a turn which would not fit waits for a summary."""
_WAIT_FOR_OTHERS = 0.25
"""Seconds that recall waits for what this process is about to take in."""
_FINISH_WITHIN = 20.0
"""Seconds that the end of a session waits for its last memories; what takes longer is done later."""
_LOOK_EVERY = 60.0
"""Seconds between looks for sessions that some process left with something to take in."""
_READ = 400
"""Messages read at once to be folded."""
_IDLE = timedelta(minutes=5)
"""How long nobody must have spoken for a session to be taken in although its process may still do it."""

Key = tuple[str, str]


class Remembering:
    """The background work of one process. `wake` and `fold` are cheap; the work has its own tasks."""

    def __init__(self, *, store: Store, agents: Mapping[str, Agent]) -> None:
        self._store = store
        self._agents = agents
        self._folds: dict[Key, asyncio.Task[None]] = {}
        self._given_up: set[Key] = set()
        self._taking: dict[Key, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._remembering = [name for name, agent in agents.items() if agent.longterm]

    def start(self) -> None:
        """Begin to look for what was left, and to bring vectors up to date."""
        if self._remembering:
            self._looking = asyncio.create_task(self._look())

    async def stop(self, *, within: float) -> None:
        """Finish what is under way, for at most so many seconds."""
        tasks = [*self._taking.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=within)
        tasks += self._folds.values()
        if self._looking:
            tasks.append(self._looking)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def after_turn(self, agent: Agent, session: Session) -> None:
        """A turn of this session is over, and its outcome is durable."""
        if agent.summarizer:
            self._given_up.discard((session.user, session.session_id))
            self._fold(agent, session)
        if agent.longterm and session.listed:
            self._take(agent, session)

    async def make_room(self, agent: Agent, session: Session) -> None:
        """Wait until older messages are folded, where that can be had; a summariser that fails or is slow is not waited for again."""
        key = session.user, session.session_id
        if not agent.summarizer or key in self._given_up:
            return
        task = self._fold(agent, session)
        done, _ = await asyncio.wait([task], timeout=_WAIT_FOR_FOLD)
        if not done:
            self._given_up.add(key)

    async def settle(self) -> None:
        """Wait a moment for what is being taken in, so that a fact told in one session is there in the next."""
        if self._taking:
            await asyncio.wait(self._taking.values(), timeout=_WAIT_FOR_OTHERS)

    async def finish(self, agent: Agent, session: Session) -> None:
        """Take in the last of a session that is over."""
        if agent.longterm and session.listed:
            await asyncio.wait([self._take(agent, session)], timeout=_FINISH_WITHIN)

    def _fold(self, agent: Agent, session: Session) -> "asyncio.Task[None]":
        key = session.user, session.session_id
        if key not in self._folds:
            self._folds[key] = asyncio.create_task(self._fold_session(agent, session))
            self._folds[key].add_done_callback(lambda _: self._folds.pop(key, None))
        return self._folds[key]

    def _take(self, agent: Agent, session: Session) -> "asyncio.Task[None]":
        """One task a session; a call while it runs has another look follow."""
        key = session.user, session.session_id
        before = self._taking.get(key)
        task = asyncio.create_task(self._take_session(agent, session, before))
        self._taking[key] = task
        task.add_done_callback(lambda done: self._taking.pop(key, None) if self._taking.get(key) is done else None)
        return task

    async def _fold_session(self, agent: Agent, session: Session) -> None:
        try:
            while await self._fold_once(agent, session):
                pass
        except ModelError as error:
            _log.warning("No summary of %s: %s", session.session_id, error.message)
            self._given_up.add((session.user, session.session_id))
        except HectorError as error:
            _log.warning("No summary of %s: %s", session.session_id, error.message)
        except Exception:  # noqa: BLE001 - a background task must not die in silence
            _log.exception("A summary failed for a reason that is ours")

    async def _fold_once(self, agent: Agent, session: Session) -> bool:
        """Fold one piece of the transcript; whether there may be more."""
        assert agent.summarizer
        room = await room_of(agent)
        window = replace(agent.memory.window(room.tokens), max_tokens=0)
        previous, _, _ = await self._store.read_window(session.user, session.session_id, window=window)
        mark = previous.position if previous else 0
        messages = await self._store.messages_between(session.user, session.session_id, after=mark, limit=_READ)
        folded = agent.memory.fold(messages, summary_tokens=previous.tokens if previous else 0, budget=room.tokens)
        if not folded:
            return False
        text = await agent.summarizer.summarize(previous, folded)
        summary = Summary(
            text=text,
            tokens=await agent.counter.count(text),
            message_id=folded[-1].message_id,
            position=mark + len(folded),
            created_at=datetime.now(UTC),
        )
        return await self._store.store_summary(session.user, session.session_id, summary, after=mark)

    async def _take_session(self, agent: Agent, session: Session, before: "asyncio.Task[None] | None") -> None:
        if before:
            await asyncio.wait([before])
        try:
            if untaken := await self._store.untaken_of(session.user, session.session_id):
                await self._take_in(agent, untaken)
        except HectorError as error:
            _log.warning("%s is not remembered yet: %s", session.session_id, error.message)
        except Exception:  # noqa: BLE001 - a background task must not die in silence
            _log.exception("Remembering failed for a reason that is ours")

    async def _take_in(self, agent: Agent, untaken: Untaken) -> None:
        assert agent.longterm
        idle = untaken.idle_since < datetime.now(UTC) - _IDLE
        await agent.longterm.take_in(self._store, untaken, final=idle or untaken.session.status != "active")

    async def _look(self) -> None:
        """Every so often, take in what some process has left, and give vectors to memories that have none."""
        everything = True
        while True:
            with suppress(StoreError):
                await self._take_left_behind(over=True)
                await self._take_left_behind(idle_before=None if everything else datetime.now(UTC) - _IDLE)
                await self._reindex()
                everything = False
            await asyncio.sleep(_LOOK_EVERY)

    async def _take_left_behind(self, *, over: bool | None = None, idle_before: datetime | None = None) -> None:
        for each in await self._store.untaken(self._remembering, over=over, idle_before=idle_before):
            await asyncio.wait([self._take(self._agents[each.session.agent], each.session)])

    async def _reindex(self) -> None:
        for name in self._remembering:
            longterm = self._agents[name].longterm
            assert longterm
            await longterm.embed_missing(self._store)
