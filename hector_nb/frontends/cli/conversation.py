"""The state of a chat: which agent, which session, and what happens when something is said."""

import time

from rich.text import Text

from hector_nb.errors import SessionNotFound
from hector_nb.frontends.cli.approving import Nobody, Person, PersonAtTerminal
from hector_nb.frontends.cli.console import make_console
from hector_nb.frontends.cli.options import place_of
from hector_nb.frontends.cli.screen import make_screen
from hector_nb.frontends.cli.turn import AnswerOnScreen, choose_view
from hector_nb.frontends.cli.words import ago, counts, foot
from hector_nb.frontends.render import plain_line
from hector_nb.ids import new_id
from hector_nb.service import AgentInfo, SendMessage, SessionService
from hector_nb.sessions import Session

_TITLE = 60
"""Characters of the first message that become the session's title."""


class Conversation:
    """A chat with one agent in one session; both can be changed on the way. A session is stored with its first message."""

    def __init__(
        self,
        service: SessionService,
        agent: AgentInfo,
        *,
        interactive: bool,
        thinking: bool = False,
        debug: bool = False,
    ) -> None:
        self.service = service
        self.agent = agent
        self.console = make_console("out" if interactive else "err")
        self.over = False
        self.thinking = thinking
        self.debug = debug
        self.session_id = new_id("sess")
        self.session: Session | None = None
        self.listed: tuple[Session, ...] = ()
        self._interactive = interactive
        self._person: Person = PersonAtTerminal(self.console) if interactive else Nobody()

    async def open(self, session_id: str) -> None:
        """Go on in this session; an unknown id is created."""
        self.session, _ = await self.service.create_session(self.agent.name, session_id=session_id)
        self.session_id = session_id

    def renew(self, agent: AgentInfo | None = None) -> None:
        """Begin another session, with another agent if one is given."""
        self.agent = agent or self.agent
        self.session_id, self.session = new_id("sess"), None

    async def say(self, message: str) -> bool:
        """Send a message and show the answer; False if it was stopped.

        Raises:
            HectorError: the message was refused, or the turn failed.
        """
        if self.session is None:
            title = plain_line(message)[:_TITLE]
            self.session, _ = await self.service.create_session(
                self.agent.name, session_id=self.session_id, title=title
            )
        if self._interactive:
            self.console.print()
        started = time.monotonic()
        view = choose_view(self.agent.reasoning, thinking=self.thinking, debug=self.debug)
        answer = AnswerOnScreen(self.service, self.agent.name, make_screen(self.agent.model), view, self._person)
        done = await answer.play(SendMessage(message=message, session_id=self.session_id))
        if done is None:
            self.tell("Stopped before the message was sent.")
            return False
        if self._interactive or done.finish_reason != "stop":
            self.tell(foot(done, time.monotonic() - started))
        if self._interactive:
            self.console.print()
        return done.finish_reason != "cancelled"

    def tell(self, line: str) -> None:
        """Say something that is not the answer."""
        self.console.print(Text(plain_line(line), "dim"), soft_wrap=not self.console.is_terminal)

    def introduce(self) -> None:
        """Who answers, and in which session."""
        self.console.print(
            Text.assemble((plain_line(self.agent.name), "bold"), (f" · {plain_line(place_of(self.agent))}", "dim"))
        )
        if self.agent.description:
            self.tell(self.agent.description)
        self.tell(self.where())
        self.console.print()

    def where(self) -> str:
        """The session in a few words."""
        if self.session is None or not self.session.message_count:
            return f"New session {self.session_id} · /help lists the commands"
        status = "" if self.session.status == "active" else f" · {self.session.status}"
        return f"Session {self.session_id} · {counts(self.session)} · {ago(self.session.last_active_at)}{status}"

    def part(self) -> None:
        """How to come back."""
        if self.session is not None:
            self.tell(f"Continue with: hector chat {self.agent.name} --session {self.session_id}")

    async def refresh(self) -> Session | None:
        """The session as it is stored now; None if nothing was said in it yet."""
        try:
            self.session = await self.service.get_session(self.agent.name, self.session_id)
        except SessionNotFound:
            self.session = None
        return self.session
