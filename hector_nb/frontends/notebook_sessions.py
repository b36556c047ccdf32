"""Which agent and which session the next message of a notebook goes to."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from hector_nb.errors import AgentNotFound
from hector_nb.frontends.magics_arguments import PromptArguments
from hector_nb.messages import Message
from hector_nb.service import AgentInfo, SessionService
from hector_nb.sessions import Session

_PAGE = 100


class NotebookSessions:
    """One session with each agent, made when it is first needed. `server` is the address of the server that has them; None: this process.

    Args:
        notebook: The path of the notebook, where the kernel knows it.
    """

    def __init__(self, notebook: str | None) -> None:
        self.agent: str | None = None
        self.server: str | None = None
        self._notebook = notebook
        self._by_agent: dict[str, str] = {}

    def move(self, server: str | None) -> None:
        """Begin anew on a server, or with the engine in this process (None)."""
        self.agent, self.server = None, server
        self._by_agent.clear()

    def current(self, agent: str) -> str | None:
        """The notebook's session with an agent, if there is one yet."""
        return self._by_agent.get(agent)

    async def info(self, service: SessionService, agent: str | None = None) -> AgentInfo:
        """The agent of that name, or the one in use, or the first."""
        if name := agent or self.agent:
            return await service.get_agent(name)
        agents = await service.list_agents()
        if not agents:
            raise AgentNotFound("There are no agents.", hint="Name one under `agents:` in hector.yaml.")
        return agents[0]

    async def choose(self, service: SessionService, arguments: PromptArguments) -> tuple[AgentInfo, str]:
        """Where a prompt goes: the agent, and a session that exists."""
        info = await self.info(service, arguments.agent)
        if arguments.session:
            session, _ = await service.create_session(info.name, session_id=arguments.session, **self._description())
            return info, session.session_id
        if arguments.new or info.name not in self._by_agent:
            await self._make(service, info)
        return info, self._by_agent[info.name]

    async def open(self, service: SessionService, session_id: str | None = None) -> tuple[AgentInfo, str]:
        """The session that a command is about: the one of this id, else the notebook's with the agent in use, made if there is none yet.

        Raises:
            SessionNotFound: there is no session of this id.
        """
        if session_id:
            session = await service.find_session(session_id)
            return await service.get_agent(session.agent), session.session_id
        info = await self.info(service)
        if info.name not in self._by_agent:
            await self._make(service, info)
        return info, self._by_agent[info.name]

    async def use(self, service: SessionService, agent: str, session_id: str | None) -> AgentInfo:
        """Talk to this agent from now on; in this session, if one is named."""
        info = await service.get_agent(agent)
        if session_id:
            session, _ = await service.create_session(info.name, session_id=session_id, **self._description())
            self._by_agent[info.name] = session.session_id
        self.agent = info.name
        return info

    async def forget(self, service: SessionService, agent: str | None) -> AgentInfo:
        """Let the next message begin a new session."""
        info = await self.info(service, agent)
        self._by_agent.pop(info.name, None)
        self.agent = info.name
        return info

    async def _make(self, service: SessionService, info: AgentInfo) -> None:
        session, _ = await service.create_session(info.name, **self._description())
        self._by_agent[info.name] = session.session_id

    def _description(self) -> Mapping[str, Any]:
        if not self._notebook:
            return {}
        return {"title": PurePath(self._notebook).stem, "metadata": {"notebook": self._notebook}}


async def last_messages(asked: SessionService, session: Session, limit: int) -> list[Message]:
    """What was said last in a session, at most so many messages, oldest first."""
    messages: list[Message] = []
    cursor: str | None = None
    while True:
        page = await asked.list_messages(session.agent, session.session_id, limit=_PAGE, cursor=cursor)
        messages = [*messages, *page.items][-limit:]
        cursor = page.next_cursor
        if cursor is None:
            return messages
