"""A chat as the kernel's main thread and any other thread see it: commands go to the event-loop thread, messages come from there."""

from collections.abc import Callable, Mapping
from typing import Any

from hector_nb.errors import HectorError, SessionNotFound
from hector_nb.frontends.cell_approvals import Allowed
from hector_nb.frontends.connect import LoopThread
from hector_nb.frontends.looking import memory_view
from hector_nb.frontends.memory_view import MemoryView
from hector_nb.frontends.widget.belonging import Belonging
from hector_nb.frontends.widget.cards import served_by_jupyter
from hector_nb.frontends.widget.commands import Commands, markdown
from hector_nb.frontends.widget.conversation import Conversation
from hector_nb.frontends.widget.hold import MainThreadHold
from hector_nb.frontends.widget.kernel import kernel_loop, notebook_variables, within_cell
from hector_nb.frontends.widget.welcome import notebook_offers
from hector_nb.ids import new_id
from hector_nb.service import AgentInfo, SessionService
from hector_nb.sessions import Session

_PATIENCE = 5.0
"""Seconds that closing waits."""


class Controller:
    """One chat over a service whose event loop is that of `loop`.

    `on_message` takes what is for the front ends, `on_freeze` the Markdown that takes their place; both are called on the event-loop thread.
    """

    def __init__(
        self,
        service: SessionService,
        loop: LoopThread,
        *,
        allowed: Allowed | None = None,
        belonging: Belonging | None = None,
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        self.on_message: Callable[[Mapping[str, Any]], None] = _nobody
        self.on_freeze: Callable[[str], None] = _nobody
        self._loop = loop
        self._on_close = on_close
        self._hold = MainThreadHold(kernel_loop(), within_cell())
        self._chat: Conversation
        self._commands: Commands
        self._closed = False
        self._belonging = belonging
        loop.run(self._make(service, allowed))

    async def _make(self, service: SessionService, allowed: Allowed | None) -> None:
        self._chat = Conversation(
            service,
            send=lambda message: self.on_message(message),
            hold=self._hold,
            allowed=allowed,
            reachable=served_by_jupyter(service),
            offers=lambda: notebook_offers(notebook_variables()),
            belonging=self._belonging,
        )
        self._commands = Commands(self._chat, freeze=lambda text: self.on_freeze(text))

    def start(self, agent: str | None, session_id: str | None) -> None:
        """Open a session, else the one that this chat was in before, else an empty chat with an agent (None: the first).

        Raises:
            HectorError: there is no such session or agent.
        """
        self._loop.run(self._start(agent, session_id))

    async def _start(self, agent: str | None, session_id: str | None) -> None:
        service = self._chat.service
        if session_id is not None:
            session = await (service.get_session(agent, session_id) if agent else service.find_session(session_id))
            await self._chat.open(session)
            return
        if self._belonging is not None and (before := await self._belonging.last(service, agent)) is not None:
            await self._chat.open(before)
            return
        await self._chat.begin(await _agent(service, agent))

    def command(self, content: Any) -> None:
        """Begin to obey a command; returns at once, on whatever thread."""
        if not self._closed:
            self._loop.submit(self._commands.obey(content))

    def say(self, text: str) -> None:
        """Send a message, or let it wait behind what runs.

        Raises:
            HectorError: it was refused.
        """

        async def work() -> None:
            async with self._chat.changing:
                await self._chat.say(text, new_id("msg"))
            self._chat.outbox.tell()

        self._loop.run(work())

    def snapshot(self) -> dict[str, Any]:
        """The whole state."""
        return self._chat.record.snapshot()

    @property
    def state(self) -> dict[str, Any]:
        """A copy of the state."""
        found: dict[str, Any] = self._chat.record.get()
        return found

    @property
    def session(self) -> Session | None:
        """The session; None before the first message."""
        return self._chat.session

    @property
    def info(self) -> AgentInfo:
        """The agent."""
        return self._chat.info

    @property
    def memory(self) -> MemoryView:
        """What the session remembers.

        Raises:
            SessionNotFound: nothing was said yet.
        """
        if (session := self._chat.session) is None:
            raise SessionNotFound("Nothing was said yet.", hint="The session is made with the first message.")
        return self._loop.run(memory_view(self._chat.service, self._chat.info, session.session_id))

    def markdown(self) -> str:
        """The whole conversation as safe Markdown."""
        return self._loop.run(markdown(self._chat))

    def close(self) -> None:
        """Follow the session no more; a turn that runs goes on."""
        if not self._closed:
            self._closed = True
            self._loop.submit(self._chat.aclose()).result(_PATIENCE)
            self._on_close()


def _nobody(_: object) -> None:
    """Nobody is there yet; a snapshot has it all."""


async def _agent(service: SessionService, name: str | None) -> AgentInfo:
    if name is not None:
        return await service.get_agent(name)
    agents = await service.list_agents()
    if not agents:
        raise HectorError("There are no agents.", hint="Name one under `agents:` in hector.yaml.")
    return agents[0]
