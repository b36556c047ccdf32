"""The engine: the agents, the turns under way in this process, and the store they share with other processes."""

import asyncio
from collections.abc import Mapping, Sequence

from hector_nb.errors import AgentNotFound, StoreError, Unavailable
from hector_nb.ids import new_id
from hector_nb.runtime.agents import Agent
from hector_nb.runtime.forgotten import Forgotten
from hector_nb.runtime.lifecycle import Lifecycle
from hector_nb.runtime.recovery import Recovery
from hector_nb.runtime.remembering import Remembering
from hector_nb.runtime.run import ResumedTurn, TurnRun
from hector_nb.runtime.sessions import UserSessions
from hector_nb.service import SessionService
from hector_nb.stores.base import Store
from hector_nb.stores.base_turns import NewTurn
from hector_nb.telemetry.base import Telemetry

_STOP_WITHIN = 4.0
"""Seconds that a stopping process gives its turns to be written down."""
_REMEMBER_WITHIN = 2.0
"""Seconds that it gives what is being taken in; the rest is found by the next process."""


class Runtime:
    """Runs turns. Open it on the event loop that it is to use, and close it there.

    `place` names where the agents' tools are: a call that was allowed there is made by no process of another place. `telemetry` is told
    what the turns do.
    """

    def __init__(
        self, *, store: Store, agents: Mapping[str, Agent], place: str = "", telemetry: Telemetry | None = None
    ) -> None:
        self.store = store
        self.telemetry = telemetry or Telemetry()
        self.agents = dict(agents)
        self.holder = f"{new_id('node')}.{place}" if place else new_id("node")
        self.runs: dict[str, TurnRun] = {}
        self._readers: dict[str, int] = {}
        self.forgotten = Forgotten()
        self.remembering = Remembering(store=store, agents=self.agents)
        self._lifecycle = Lifecycle(
            store=store,
            holder=self.holder,
            runs=self.runs,
            readers=self._readers,
            remembering=self.remembering,
            recovery=Recovery(store=store, holder=self.holder, agents=self.agents, resume=self.resume),
        )
        self.closing = False

    async def aopen(self) -> None:
        """Open the store and pick up what dead processes left behind."""
        await self.store.aopen()
        self._lifecycle.start()
        self.remembering.start()

    async def aclose(self) -> None:
        """Stop all turns, keeping what was said, and free everything."""
        self.closing = True
        runs = list(self.runs.values())
        for run in runs:
            run.interrupt()
        if runs:
            await asyncio.wait([run.task for run in runs], timeout=_STOP_WITHIN)
            for run in runs:
                run.task.cancel()
        await self.remembering.stop(within=_REMEMBER_WITHIN)
        await self._lifecycle.stop()
        await self.store.aclose()
        for agent in self.agents.values():
            await agent.aclose()

    def for_user(self, user: str, *, above: Sequence[str] = ()) -> SessionService:
        """The sessions of one user. `above` are the agents, the topmost first, whose calls lead to what is asked for here."""
        return UserSessions(self, user, above=above)

    def agent(self, name: str) -> Agent:
        """One agent.

        Raises:
            AgentNotFound: there is none of that name.
        """
        if found := self.agents.get(name):
            return found
        raise AgentNotFound.among(name, self.agents)

    def start(self, new: NewTurn, *, grace: float | None, above: Sequence[str] = ()) -> TurnRun:
        """Put a turn under way."""
        if self.closing:
            raise Unavailable("The server is stopping.", hint="Send the message again in a moment.")
        return self._run(new, self.agent(new.agent), grace=grace, above=above)

    def resume(self, resumed: ResumedTurn) -> None:
        """Go on with a turn that another process left waiting, unless this one stops: then the next one deals with it."""
        if self.closing:
            return
        session = resumed.begun.session
        agent = self.agent(session.agent)
        self._run(resumed, agent, grace=agent.grace(one_off=not session.listed))

    def _run(
        self, start: NewTurn | ResumedTurn, agent: Agent, *, grace: float | None, above: Sequence[str] = ()
    ) -> TurnRun:
        run = TurnRun(
            start,
            agent=agent,
            store=self.store,
            remembering=self.remembering,
            runs=self.runs,
            grace=grace,
            above=above,
            telemetry=self.telemetry,
        )
        self.runs[run.turn_id] = run
        self._lifecycle.wake()
        return run

    async def recover(self) -> None:
        """Take over the turns of processes that have died, at once."""
        if not self.closing:
            await self._lifecycle.recover()

    async def join_elsewhere(self, turn_id: str) -> None:
        """One more reader here of a turn that another process runs."""
        self._readers[turn_id] = self._readers.get(turn_id, 0) + 1
        if self._readers[turn_id] == 1:
            await self.store.join_turn(turn_id, self.holder)
            self._lifecycle.wake()

    async def leave_elsewhere(self, turn_id: str) -> None:
        """One reader less."""
        self._readers[turn_id] -= 1
        if not self._readers[turn_id]:
            del self._readers[turn_id]
            try:
                await self.store.leave_turn(turn_id, self.holder)
            except StoreError:
                if not self.closing:  # a process that has said goodbye has no readers
                    raise
