"""One chat: its agent, its session, and the turns that are read into the state, whoever began them. Belongs to the event-loop thread.

The session is followed for as long as it is open, so a message of a cell, of `curl` or of another view appears here as its own do. What a
person wants is done by `commands.py`, with the methods of this class.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

from hector_nb.errors import HectorError, InvalidRequest, SessionEnded, SessionNotFound
from hector_nb.events import ApprovalAsked, Event, TurnDone, TurnFailed, TurnStarted, is_last
from hector_nb.frontends.cell_approvals import Allowed
from hector_nb.frontends.widget import meter
from hector_nb.frontends.widget.approvals import Approvals
from hector_nb.frontends.widget.belonging import Belonging
from hector_nb.frontends.widget.cards import agent_card, session_head, tools_of
from hector_nb.frontends.widget.following import Following, feed_of
from hector_nb.frontends.widget.history import History
from hector_nb.frontends.widget.hold import MainThreadHold
from hector_nb.frontends.widget.outbox import Outbox, Send
from hector_nb.frontends.widget.own_turns import OwnTurns
from hector_nb.frontends.widget.problems import problem_of
from hector_nb.frontends.widget.queue import Queue
from hector_nb.frontends.widget.reading import TurnReader
from hector_nb.frontends.widget.remembering import Remembering
from hector_nb.frontends.widget.state import Recorder, empty_state
from hector_nb.frontends.widget.trying_again import TryingAgain
from hector_nb.frontends.widget.turns import ACTIVE, new_turn
from hector_nb.frontends.widget.welcome import welcome
from hector_nb.service import AgentInfo, SendMessage, SessionService
from hector_nb.sessions import Session

_log = logging.getLogger("hector_nb.frontends")


class Conversation:
    """The chat with one agent in one session; another agent or session can take their place.

    Args:
        service: Whose sessions these are.
        send: Takes messages to the front ends.
        hold: Lets the notebook's functions be called while a turn runs.
        allowed: Tools that need no more words, by session.
        reachable: Whether the Jupyter server has the same sessions.
        offers: What the notebook has to talk about, for the empty chat.
        belonging: What is told in which session this chat goes on.
    """

    def __init__(
        self,
        service: SessionService,
        *,
        send: Send,
        hold: MainThreadHold,
        allowed: Allowed | None = None,
        reachable: bool = False,
        offers: Callable[[], Sequence[str]] = lambda: (),
        belonging: Belonging | None = None,
    ) -> None:
        self.service = service
        self.record = Recorder(empty_state())
        self.outbox = Outbox(self.record, send)
        self.session: Session | None = None
        self.history: History | None = None
        self.info: AgentInfo
        self.changing = asyncio.Lock()
        """Held by whatever begins or takes back turns, so that one thing happens after the other."""
        self.approvals = Approvals(self, set() if allowed is None else allowed)
        self._reachable = reachable
        self._offers = offers
        self._belonging = belonging
        self._tools = 0
        self._title: str | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._following: Following | None = None
        self._remembering = Remembering(self)
        self._queue = Queue(self)
        self._own_turns = OwnTurns(self, hold)
        self._trying_again = TryingAgain(self)

    # -- opening

    async def begin(self, info: AgentInfo) -> None:
        """Be an empty chat with an agent; the session is made with the first message."""
        await self._meet(info)
        self._leave()
        self._show(None, [], more=False)
        self.spawn(self._welcome())

    async def open(self, session: Session) -> None:
        """Go on in a session.

        Raises:
            HectorError: it cannot be read; the chat stays where it is.
        """
        info = await self.service.get_agent(session.agent)
        feed = await feed_of(self.service, session)
        history = History(self.service, session)
        turns = await history.earlier()
        await self._meet(info)
        self._leave()
        self.history = history
        self._show(session, turns, more=history.more)
        if feed is not None:
            self._following = Following(self, session, feed)
        self._remembering.refresh(turns)
        if not turns:
            self.spawn(self._welcome())

    async def reload(self) -> None:
        """Read the session anew: something was taken back, here or elsewhere."""
        if self.session is not None:
            await self.open(await self.service.get_session(self.info.name, self.session.session_id))

    async def earlier(self) -> None:
        """Show older turns."""
        if self.history is None or not self.history.more:
            return
        history = self.history
        older = await history.earlier()
        if history is self.history:
            self.record.set(["turns"], [*older, *self.record.get("turns")])
            self.record.set(["more"], history.more)
            self._remembering.refresh(older)

    async def aclose(self) -> None:
        """Follow no more. A turn that runs goes on."""
        self._leave()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._own_turns.close()

    def spawn(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Do something beside; what goes wrong is shown."""
        task = asyncio.create_task(self._guard(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: work.close())  # where it was cancelled before it began
        return task

    async def _guard(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except HectorError as error:
            self.complain(error)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the person must know
            _log.exception("Something in a chat failed for a reason that is ours")
            self.complain(error)
        self.outbox.tell()

    def complain(self, error: BaseException | None) -> None:
        """Show what is wrong with the chat as a whole; None: nothing any more."""
        self.record.set(["problem"], None if error is None else problem_of(error, self.info))

    async def _meet(self, info: AgentInfo) -> None:
        others = [each.name for each in await self.service.list_agents()]
        self._tools, asking = await tools_of(self.service, info.name)
        self.info = info
        self.record.set(["agent"], agent_card(info, asks=asking, others=others, reachable=self._reachable))

    def _leave(self) -> None:
        """Follow the present session no more. Its turns go on, and functions of the notebook can still be called by them."""
        if self._following is not None:
            self._following.stop()
            self._following = None
        self._remembering.stop()
        if self.session is not None:
            self._own_turns.leave(self.session)
        self._trying_again.begin_anew()
        self.session, self.history, self._title = None, None, None

    def _show(self, session: Session | None, turns: list[dict[str, Any]], *, more: bool) -> None:
        self.session = session
        for name, value in (
            ("session", session_head(session) if session else None),
            ("turns", turns),
            ("more", more),
            ("queue", []),
            ("meter", None),
            ("window", None),
            ("problem", None),
        ):
            self.record.set([name], value)
        self.outbox.tell()

    async def _welcome(self) -> None:
        self.record.set(["welcome"], await welcome(self.service, self.info, self._offers()))

    # -- sending

    @property
    def busy(self) -> bool:
        """Whether a turn runs, or waits for its place."""
        size = self.record.size("turns")
        return any(self.record.get("turns", place, "status") in ACTIVE for place in range(max(0, size - 2), size))

    async def say(self, text: str, queued: str) -> None:
        """Send a message, or let it wait until what runs is over; then `queued` is its id.

        Raises:
            HectorError: it was refused.
        """
        if not text.strip():
            raise InvalidRequest("The message is empty.")
        if self.session is not None and self.session.status != "active":
            raise SessionEnded(f"This session has {self.session.status}.")
        if self.busy or self._queue:
            self._queue.put(queued, text)
        else:
            await self.start(text)

    async def start(self, text: str) -> None:
        """Begin a turn.

        Raises:
            HectorError: it was refused.
        """
        session = self.session or await self._make()
        if self._belonging is not None:
            await self._belonging.claim(self.service, session)
        request = SendMessage(message=text, session_id=session.session_id, on_disconnect="continue")
        stream = await self.service.stream_message(self.info.name, request)
        ended = self._own_turns.add(stream.turn_id)
        self.complain(None)
        self.show_turn(stream.turn_id, text=text, status="queued" if self.busy else "waiting")
        if isinstance(ended, TurnFailed):
            self._trying_again.failed(stream.turn_id, ended)
        self.outbox.tell()
        await stream.__aexit__(None, None, None)  # it is read by following the session

    async def _make(self) -> Session:
        session, _ = await self.service.create_session(self.info.name, title=self._title)
        feed = await self.service.follow_session(self.info.name, session.session_id, after="start")
        self.history = History(self.service, session)
        await self.history.earlier()
        self._head(session)
        self._following = Following(self, session, feed)
        return session

    def forget_from(self, turn_id: str, *, itself: bool) -> None:
        """Show a turn (`itself`) and those after it no more."""
        place = self.record.find("turn_id", turn_id, "turns")
        if place is not None:
            self.record.cut(["turns"], place if itself else place + 1)
        self._remembering.refresh(())

    async def rename(self, title: str) -> None:
        """Give the session a title, or the one that is made next."""
        if self.session is None:
            self._title = title
            return
        self._head(await self.service.update_session(self.info.name, self.session.session_id, title=title))

    def _head(self, session: Session) -> None:
        self.session = session
        self.record.set(["session"], session_head(session))

    async def end(self) -> None:
        """End the session."""
        session = self.here()
        self._head(await self.service.end_session(self.info.name, session.session_id))
        self._queue.clear()

    def here(self) -> Session:
        """The session.

        Raises:
            SessionNotFound: nothing was said yet.
        """
        if self.session is None:
            raise SessionNotFound("Nothing was said yet.", hint="The session is made with the first message.")
        return self.session

    # -- reading

    def show_turn(self, turn_id: str, *, text: str, message_id: str = "", status: str = "waiting") -> None:
        """Show a turn at its beginning, unless it is shown already."""
        if self.record.find("turn_id", turn_id, "turns") is None:
            turn = new_turn(turn_id, message_id=message_id, text=text, at=datetime.now(UTC), status=status)
            self.record.push(["turns"], turn)

    def take(self, reader: TurnReader, event: Event) -> None:
        """A turn's event came."""
        if text := getattr(event, "text", ""):
            self.outbox.pace.grow(text)
        reader.take(event)
        if isinstance(event, TurnStarted):
            self._see_start(event)
        elif isinstance(event, ApprovalAsked):
            self.spawn(self.approvals.asked(reader, event.call_id))
        if (context := getattr(event, "context", None)) is not None:
            self.record.set(["meter"], meter.meter_of_context(context, self.info, tools=self._tools))
        if is_last(event):
            self._see_end(reader.turn_id, event)

    def _see_start(self, event: TurnStarted) -> None:
        if self.history is not None:
            self.history.note(event.message_id, event.turn_id)
        self._remembering.stop()
        self.spawn(self.look_at_session())

    def _see_end(self, turn_id: str, event: Event) -> None:
        if isinstance(event, TurnDone) and self.history is not None:
            self.history.note(event.message_id, turn_id)
        own = self._own_turns.end(turn_id, event)
        self._remembering.refresh(())
        self.spawn(self.look_at_session())
        if isinstance(event, TurnFailed):
            if own:
                self._trying_again.failed(turn_id, event)
            return
        self._trying_again.begin_anew()
        self._queue.go_on()

    async def look_at_session(self) -> None:
        """Show the title, which may be new, and the time."""
        while (before := self.session) is not None:
            session = await self.service.get_session(self.info.name, before.session_id)
            if self.session is before:  # otherwise what has been shown meanwhile may be newer
                self._head(session)
                return
