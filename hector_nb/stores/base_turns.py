"""The port to turns and their event logs.

A turn names the `holder` (a process) that runs it, holders send heartbeats, and turns of one session begin strictly in the order in which
they were queued, whoever holds them.
"""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from hector_nb.approvals import Approval
from hector_nb.events import Event, LoggedEvent
from hector_nb.memories import Summary
from hector_nb.messages import Message, Usage
from hector_nb.sessions import IfBusy, Lifetime, Session, Turn, TurnStatus
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_memories import LedgerRecord
from hector_nb.stores.base_sessions import Idempotency, Window

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
    idempotency: Idempotency | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BegunTurn:
    """The turn holds its session.

    `message_number` counts the session's user messages, this one included. `history` is what `Window` asked for, oldest first,
    without this turn's own message. `first_position` is the position in the session (counted from 1) of the oldest message of
    `history`, or of this turn's message if there is no history. `summary` is the session's newest one, where `Window` asked for it.
    `so_far` is what the turn itself has added to the transcript after its message: calls of tools and their results, where it was
    waiting for an approval.
    """

    session: Session
    turn: Turn
    message: Message
    message_number: int
    history: Sequence[Message]
    first_position: int
    summary: Summary | None = None
    so_far: Sequence[Message] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class QueuedTurn:
    """Another turn of the session is first; `ahead` is the id of the one right before, `running` of the one that holds the session."""

    turn: Turn
    ahead: str
    running: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatedTurn:
    """The request was made before with the same key; this is the turn that it started."""

    turn: Turn


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnOutcome:
    """How a turn ended; or that it waits for approvals (`waiting`), or goes on (`running`)."""

    status: TurnStatus
    finish_reason: str | None = None
    usage: Usage | None = None
    keep_events: float = 3600.0
    """Seconds for which the turn's event log is kept from now on."""
    take_in: bool = False
    """Whether long-term memory is to take the turn's messages in; if not, the session's mark moves past them."""


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


class TurnStore(Protocol):
    """Turns, from the queue to their outcome, and the processes that hold and read them."""

    async def begin_turn(
        self, new: NewTurn, *, window: Window, lifetime: Lifetime
    ) -> BegunTurn | QueuedTurn | RepeatedTurn:
        """Queue the turn and begin it if no other is before it; called again for a queued turn, begin it when its time has come.

        Beginning appends the user's message to the transcript and refreshes the session's activity. A session without a title gets
        one from its message: the first line, not longer than 60 characters. With `if_busy` `interrupt`
        the session's unfinished turns are asked to stop. A turn that waits in the queue when its session expires still begins.
        A call for a turn that has begun already, by its holder, gives the same answer again and changes nothing.

        Raises:
            SessionNotFound, SessionEnded: there is nothing to talk to.
            SessionBusy: `if_busy` is `reject` and another turn is unfinished; `details` names it as `running_turn`.
            TooManyWaiting: `MAX_WAITING` turns are queued.
            InvalidRequest: the idempotency key was used for another request.
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
        skip: int = 0,
        ledger: LedgerRecord | None = None,
        approvals: Sequence[Approval] = (),
        outputs: Sequence[ToolOutput] = (),
    ) -> Turn | None:
        """Append to the turn's log and to its session's transcript, and finish the turn if there is an outcome that finishes it.

        `approvals` are asked for from now on; a turn that does nothing but wait for them has the outcome `waiting`: it keeps its session
        without being finished, until an outcome `running` or `resume_turn`. When the turn is finished they are gone. `outputs` belong to
        tool messages among `messages`.

        `ledger` replaces what is known of what the turn's model saw.

        `skip` numbers stay unused before the first event: a process that has died may have given them to events that
        it delivered and did not store.

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

    async def answer(self, user: str, turn_id: str) -> str:
        """What the assistant has said in a turn (`messages.joined`), from the transcript; empty where there is no such turn."""
        ...

    async def next_turn(self, user: str, session_id: str, *, after: str | None = None) -> Turn | None:
        """The turn that was queued right after `after` (None: the session's first).

        Where `after` was erased, the first one whose id, and that means whose time, is later.

        Raises:
            SessionNotFound: there is no such session.
        """
        ...

    async def last_turn(self, user: str, session_id: str) -> Turn | None:
        """The turn that was queued last.

        Raises:
            SessionNotFound: there is no such session.
        """
        ...

    async def unfinished_turns(self, user: str, session_id: str) -> Sequence[Turn]:
        """The running turn and the queued ones, in their order."""
        ...

    def watch(self, session_id: str) -> AbstractAsyncContextManager[Watch]:
        """Watch a session for changes by any process (its turns, events, cancel requests), or a holder for requests to cancel its turns."""
        ...

    async def request_cancel(self, turn_id: str) -> None:
        """Ask the turn's holder to cancel it."""
        ...

    async def cancel_requests(self, holder: str) -> Sequence[str]:
        """The unfinished turns of this holder that somebody wants cancelled."""
        ...

    async def heartbeat(self, holder: str) -> None:
        """Say that this holder lives. Queueing or joining a turn says so too."""
        ...

    async def take_over(self, holder: str, *, dead_after: float) -> Sequence[Turn]:
        """Unfinished turns whose holder is dead or has said goodbye; they are held by `holder` from now on.

        A turn that waits for approvals is taken only when it can go on: all of them are decided or past their deadline, or somebody has
        asked to cancel the turn. Where a call was approved, only a holder takes it whose name has the same after its dot as the name of the
        one that asked: the place where its tools are. A holder is dead when its process has ended, or its store was closed; where a store cannot tell, when it has sent no
        heartbeat for `dead_after` seconds. Where there is nothing to take, nothing is written.
        """
        ...

    async def goodbye(self, holder: str) -> None:
        """This holder stops; its turns may be taken over at once."""
        ...

    async def join_turn(self, turn_id: str, holder: str) -> None:
        """This process has readers of a turn that another process runs, until it says otherwise, says goodbye or dies."""
        ...

    async def leave_turn(self, turn_id: str, holder: str) -> None:
        """This process has no more readers of it."""
        ...

    async def has_readers(self, turn_id: str, *, besides: str, dead_after: float) -> bool:
        """Whether a living process other than `besides` has readers of the turn."""
        ...
