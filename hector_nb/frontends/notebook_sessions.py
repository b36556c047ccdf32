"""Which agent and which session the next message of a notebook goes to."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path, PurePath
from typing import Any

from hector_nb.errors import AgentNotFound, InvalidRequest
from hector_nb.frontends.magics_arguments import PromptArguments
from hector_nb.frontends.session_notes import NOTEBOOK
from hector_nb.messages import Message
from hector_nb.service import AgentInfo, SessionService, every
from hector_nb.sessions import Session

_PAGE = 100
_PAGES = 10
"""How far back a session of the notebook is looked for; one that is older than these is not gone on with."""


class NotebookSessions:
    """One session with each agent: the one that the notebook had with it last, else one that is made when it is first needed.

    `server` is the address of the server that has them; None: this process.

    Args:
        notebook: The path of the notebook, where the kernel knows it; without one nothing is gone on with.
    """

    def __init__(self, notebook: str | None) -> None:
        self.agent: str | None = None
        self.server: str | None = None
        self._notebook = str(Path.cwd() / notebook) if notebook else None
        self._by_agent: dict[str, str] = {}
        self._anew: set[str] = set()
        self.resumed: dict[str, Session] = {}
        """Sessions of an earlier kernel, as they were when this one found them."""

    def move(self, server: str | None) -> None:
        """Begin anew on a server, or with the engine in this process (None)."""
        self.agent, self.server = None, server
        self._by_agent.clear()
        self._anew.clear()
        self.resumed.clear()

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
        if arguments.new or await self.find(service, info) is None:
            await self._make(service, info)
        return info, self._by_agent[info.name]

    async def find(self, service: SessionService, info: AgentInfo) -> str | None:
        """The notebook's session with an agent; at first the one that it had in an earlier kernel, if that goes on."""
        if self._notebook and info.name not in self._by_agent and info.name not in self._anew:
            self._anew.add(info.name)  # it is looked for once
            if (session := await self._earlier(service, info)) is not None:
                self._by_agent[info.name] = session.session_id
                self.resumed[session.session_id] = session
        return self._by_agent.get(info.name)

    async def _earlier(self, service: SessionService, info: AgentInfo) -> Session | None:
        async for session in active_sessions(service, info.name):
            if session.metadata.get(NOTEBOOK) == self._notebook:
                return session
        return None

    async def adopt(self, service: SessionService, session: Session) -> None:
        """Go on in this session, which belongs to the notebook from now on."""
        if self._notebook:
            metadata = {**session.metadata, **self._description()["metadata"]}
            await service.update_session(session.agent, session.session_id, metadata=metadata)
        self._by_agent[session.agent] = session.session_id

    async def open(self, service: SessionService, session_id: str | None = None) -> tuple[AgentInfo, str]:
        """The session that a command is about: the one of this id, else the notebook's with the agent in use, made if there is none yet.

        Raises:
            SessionNotFound: there is no session of this id.
        """
        if session_id:
            session = await service.find_session(session_id)
            return await service.get_agent(session.agent), session.session_id
        info = await self.info(service)
        if await self.find(service, info) is None:
            await self._make(service, info)
        return info, self._by_agent[info.name]

    async def spoken(self, service: SessionService, session_id: str | None = None) -> Session:
        """The session that a command about what was said is about: the one of this id, else the notebook's.

        Raises:
            SessionNotFound: there is no session of this id.
            InvalidRequest: nothing was said in it yet.
        """
        if session_id is None:
            info = await self.info(service)
            session_id = await self.find(service, info)
        session = await service.find_session(session_id) if session_id else None
        if session is None or session.message_count == 0:
            raise InvalidRequest("Nothing was said in this session yet.", hint="Send a message first: %hector Hello")
        return session

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
        self._anew.add(info.name)
        self.agent = info.name
        return info

    async def _make(self, service: SessionService, info: AgentInfo) -> None:
        session, _ = await service.create_session(info.name, **self._description())
        self._by_agent[info.name] = session.session_id

    def _description(self) -> Mapping[str, Any]:
        if not self._notebook:
            return {}
        return {"title": PurePath(self._notebook).stem, "metadata": {NOTEBOOK: self._notebook}}


def active_sessions(service: SessionService, agent: str | None) -> AsyncIterator[Session]:
    """The newest sessions that can be gone on in, with an agent or (None) all; not those that are older than `_PAGES` pages."""
    return every(lambda cursor: service.list_sessions(agent, status="active", limit=_PAGE, cursor=cursor), pages=_PAGES)


async def last_messages(asked: SessionService, session: Session, limit: int) -> list[Message]:
    """What was said last in a session, at most so many messages, oldest first."""
    page = await asked.list_messages(session.agent, session.session_id, limit=limit, newest=True)
    return list(page.items)
