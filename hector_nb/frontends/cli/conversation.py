"""The state of a chat: which agent, which session, and what happens when something is said."""

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from rich.text import Text

from hector_nb.errors import SessionEnded, SessionNotFound, TurnNotFound
from hector_nb.events import TurnDone
from hector_nb.frontends.cli.approving import Nobody, Person
from hector_nb.frontends.cli.console import make_console
from hector_nb.frontends.cli.figures import ago, counts, foot
from hector_nb.frontends.cli.options import model_of
from hector_nb.frontends.cli.person import PersonAtTerminal
from hector_nb.frontends.cli.screen import make_screen
from hector_nb.frontends.cli.turn import AnswerOnScreen, choose_view
from hector_nb.frontends.render import plain_line
from hector_nb.ids import new_id
from hector_nb.memories import Ledger
from hector_nb.service import AgentInfo, SendMessage, SessionService
from hector_nb.sessions import Session
from hector_nb.wire.frames import START

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
        self.last_turn: str | None = None
        self.listed: tuple[Session, ...] = ()
        self._interactive = interactive
        self._person: Person = PersonAtTerminal(self.console) if interactive else Nobody()

    async def open(self, session_id: str) -> None:
        """Go on in this session; an unknown id is created."""
        self.session, _ = await self.service.create_session(self.agent.name, session_id=session_id)
        self.session_id, self.last_turn = session_id, None

    def renew(self, agent: AgentInfo | None = None) -> None:
        """Begin another session, with another agent if one is given."""
        self.agent = agent or self.agent
        self.session_id, self.session, self.last_turn = new_id("sess"), None, None

    async def catch_up(self) -> None:
        """Show the turn that is under way in the session, and ask what it waits for.

        Raises:
            HectorError: it failed.
        """
        turn_id = self.session.running_turn if self.session else None
        if turn_id is not None:
            self.tell("A turn is under way here:")
            await self._show(lambda answer: answer.follow(self.session_id, turn_id))

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
        request = SendMessage(message=message, session_id=self.session_id)
        return await self._show(lambda answer: answer.play(request))

    async def _show(self, play: Callable[[AnswerOnScreen], Awaitable[TurnDone | None]]) -> bool:
        """Show an answer; False if it was stopped."""
        if self._interactive:
            self.console.print()
        started = time.monotonic()
        view = choose_view(self.agent.reasoning, thinking=self.thinking, debug=self.debug)
        screen = make_screen(self.agent.model)
        answer = AnswerOnScreen(self.service, self.agent.name, screen, view, self._person)
        try:
            done = await play(answer)
        finally:
            self.last_turn = answer.turn_id or self.last_turn
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
            Text.assemble((plain_line(self.agent.name), "bold"), (f" · {plain_line(model_of(self.agent))}", "dim"))
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

    async def seen(self) -> Ledger:
        """What the last turn's model saw; what the model would see now where there is none to be had.

        Raises:
            SessionNotFound: nothing was said yet.
        """
        if self.last_turn is None:
            with suppress(SessionEnded):
                feed = await self.service.follow_session(self.agent.name, self.session_id)
                self.last_turn = feed.position.partition(":")[0] if feed.position != START else None
        if self.last_turn is not None:
            with suppress(TurnNotFound):
                return await self.service.get_context(self.agent.name, self.last_turn, session_id=self.session_id)
        return (await self.service.get_memory(self.agent.name, self.session_id, limit=1)).ledger

    async def refresh(self) -> Session | None:
        """The session as it is stored now; None if nothing was said in it yet."""
        try:
            self.session = await self.service.get_session(self.agent.name, self.session_id)
        except SessionNotFound:
            self.session = None
        return self.session
