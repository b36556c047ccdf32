"""The port to the database. It keeps four things: sessions, their messages, turns, and each turn's event log.

A method is one transaction. What it returns is durable, so a message is safe once `begin_turn` has returned. A write is carried
out even if its caller is cancelled while it waits, and the writes of one process in the order of their calls. Several processes
may use one store: a turn names the `holder` (a process) that runs it, holders send heartbeats, and turns of one session begin
strictly in the order in which they were queued, whoever holds them.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

from hector_nb.events import Event, LoggedEvent
from hector_nb.messages import Message, Usage
from hector_nb.sessions import IfBusy, Lifetime, Page, Session, SessionStatus, Turn, TurnStatus

MAX_WAITING = 16
"""Messages that may wait in one session."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTurn:
    """A turn as it is asked for: the user's `message` (role `user`, already counted) and who will run it.

    `create_session` is for one-off turns: it is created, unlisted, in the same transaction.
    """

    turn_id: str
    agent: str
    user: str
    session_id: str
    message: Message
    holder: str
    if_busy: IfBusy = "queue"
    create_session: Session | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """How much of the transcript to read, newest first: at most so many messages and tokens, and only what follows `after`, a position."""

    max_messages: int | None = None
    max_tokens: int | None = None
    after: int = 0

    def select(self, newest_first: Iterable[Message]) -> list[Message]:
        """The messages inside the limits, oldest first; no more are drawn from the iterable than are needed."""
        chosen: list[Message] = []
        tokens = 0
        for message in islice(newest_first, self.max_messages):
            tokens += message.tokens
            if self.max_tokens is not None and tokens > self.max_tokens:
                break
            chosen.append(message)
        return chosen[::-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class BegunTurn:
    """The turn holds its session.

    `message_number` counts the session's user messages, this one included. `history` is what `Window` asked for, oldest first,
    without this turn's own message. `first_position` is the position in the session (counted from 1) of the oldest message of
    `history`, or of this turn's message if there is no history.
    """

    session: Session
    turn: Turn
    message: Message
    message_number: int
    history: Sequence[Message]
    first_position: int


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuedTurn:
    """Another turn of the session is first; `ahead` is the id of the one right before, `running` of the one that holds the session."""

    turn: Turn
    ahead: str
    running: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnOutcome:
    """How a turn ended."""

    status: TurnStatus
    finish_reason: str | None = None
    usage: Usage | None = None
    keep_events: float = 3600.0
    """Seconds for which the turn's event log is kept from now on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnLog:
    """A turn and a part of its event log."""

    turn: Turn
    events: Sequence[LoggedEvent]


class Watch(Protocol):
    """Waits for changes of one session. Changes since `watch()` or the last `wait()` are not lost."""

    async def wait(self, timeout: float) -> bool:
        """True as soon as something may have changed, False after `timeout` seconds."""
        ...


class Store(Protocol):
    """The truth. All methods raise `StoreError` where the database fails, `StoreFull` where it has no room left."""

    async def aopen(self) -> None:
        """Open the database and bring its schema up to date."""
        ...

    async def aclose(self) -> None:
        """Finish pending writes and close."""
        ...

    async def create_session(self, session: Session) -> tuple[Session, bool]:
        """Store a session; where its user has that id already, the stored one and False.

        Raises:
            Conflict: the id is in use with another agent.
        """
        ...

    async def get_session(self, user: str, session_id: str) -> Session | None:
        """One session, `expired` where its time has passed."""
        ...

    async def list_sessions(
        self,
        user: str,
        *,
        agent: str | None = None,
        status: SessionStatus | None = None,
        query: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[Session]:
        """Listed sessions, newest activity first. `query` finds titles that have, for each of its words, a word that begins with it.

        Raises:
            InvalidRequest: the cursor is not one of ours.
        """
        ...

    async def update_session(
        self, user: str, session_id: str, *, title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Session:
        """Change what is given.

        Raises:
            SessionNotFound: there is no such session.
        """
        ...

    async def end_session(self, user: str, session_id: str) -> Session:
        """Mark it ended; no more turns can be queued. Ending an ended session changes nothing.

        Raises:
            SessionNotFound: there is no such session.
        """
        ...

    async def delete_session(self, user: str, session_id: str) -> bool:
        """Erase the session, its messages, turns and events. False where there is none."""
        ...

    async def list_messages(
        self, user: str, session_id: str, *, limit: int = 100, cursor: str | None = None
    ) -> Page[Message]:
        """The transcript, oldest first.

        Raises:
            SessionNotFound: there is no such session.
            InvalidRequest: the cursor is not one of ours.
        """
        ...

    async def begin_turn(self, new: NewTurn, *, window: Window, lifetime: Lifetime) -> BegunTurn | QueuedTurn:
        """Queue the turn and begin it if no other is before it; called again for a queued turn, begin it when its time has come.

        Beginning appends the user's message to the transcript and refreshes the session's activity. With `if_busy` `interrupt`
        the session's unfinished turns are asked to stop. A turn that waits in the queue when its session expires still begins.
        A call for a turn that has begun already, by its holder, gives the same answer again and changes nothing.

        Raises:
            SessionNotFound, SessionEnded: there is nothing to talk to.
            SessionBusy: `if_busy` is `reject` and another turn is unfinished; `details` names it as `running_turn`.
            TooManyWaiting: `MAX_WAITING` turns are queued.
            TurnNotFound: the turn was queued and is finished, erased or taken over by now.
        """
        ...

    async def write_turn(
        self,
        turn_id: str,
        *,
        events: Sequence[Event] = (),
        messages: Sequence[Message] = (),
        outcome: TurnOutcome | None = None,
    ) -> Turn | None:
        """Append to the turn's log and to its session's transcript, and finish the turn if there is an outcome.

        Returns None, and writes nothing, where the turn is finished already or erased. A turn finished while queued has its
        user message appended first, so that nothing acknowledged is lost.
        """
        ...

    async def get_turn(self, user: str, turn_id: str) -> Turn | None:
        """One turn."""
        ...

    async def read_turn(self, user: str, turn_id: str, *, after: int = 0, limit: int = 10_000) -> TurnLog | None:
        """The turn and those of its events whose `seq` is greater than `after`."""
        ...

    async def unfinished_turns(self, user: str, session_id: str) -> Sequence[Turn]:
        """The running turn and the queued ones, in their order."""
        ...

    async def request_cancel(self, turn_id: str) -> None:
        """Ask the turn's holder to cancel it."""
        ...

    async def cancel_requests(self, holder: str) -> Sequence[str]:
        """The unfinished turns of this holder that somebody wants cancelled."""
        ...

    async def heartbeat(self, holder: str) -> None:
        """Say that this holder lives. Queueing a turn says so too."""
        ...

    async def take_over(self, holder: str, *, dead_after: float) -> Sequence[Turn]:
        """Unfinished turns whose holder sent no heartbeat for `dead_after` seconds or has said goodbye; they are held by `holder` from now on."""
        ...

    async def goodbye(self, holder: str) -> None:
        """This holder stops; its turns may be taken over at once."""
        ...

    def watch(self, session_id: str) -> AbstractAsyncContextManager[Watch]:
        """Watch a session for changes by any process (its turns, events, cancel requests)."""
        ...

    async def sweep(self, *, limit: int = 500) -> int:
        """Erase a bounded number of event logs whose time has passed, and with them their one-off sessions; how many."""
        ...
