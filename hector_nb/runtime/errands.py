"""Work that is done for sessions beside their turns: one task a session at a time; what is asked for meanwhile follows, once."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from hector_nb.runtime.agents import Agent
from hector_nb.sessions import Session

Key = tuple[str, str]


class Errands:
    """Does `work` for sessions. It holds nothing of sessions for which nothing is to be done; `work` deals with its errors."""

    def __init__(self, work: Callable[[Agent, Session], Awaitable[None]]) -> None:
        self._work = work
        self._asked: dict[Key, tuple[Agent, Session]] = {}
        self._running: dict[Key, tuple[str, asyncio.Task[None]]] = {}

    def ask(self, agent: Agent, session: Session) -> "asyncio.Task[None]":
        """Have it done, from a state not older than now; the task is over when it is done."""
        key = session.user, session.session_id
        self._asked[key] = agent, session
        if key not in self._running:
            self._running[key] = agent.name, asyncio.create_task(self._run(key))
        return self._running[key][1]

    def under_way(
        self, *, agent: str | None = None, user: str | None = None, besides: str | None = None
    ) -> "Sequence[asyncio.Task[None]]":
        """The tasks of an agent's and a user's sessions (None: of all), `besides` the session of that id."""
        return [
            task
            for (owner, session_id), (name, task) in self._running.items()
            if agent in {None, name} and user in {None, owner} and session_id != besides
        ]

    async def _run(self, key: Key) -> None:
        try:
            while asked := self._asked.pop(key, None):
                await self._work(*asked)
        finally:  # in one step with the last look at what is asked, so that nothing asked is missed
            self._asked.pop(key, None)
            del self._running[key]
