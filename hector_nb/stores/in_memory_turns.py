"""Turns and their event logs in memory."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from hector_nb.approvals import Approval
from hector_nb.errors import SessionBusy, SessionEnded, SessionNotFound, TooManyWaiting, TurnNotFound
from hector_nb.events import Event, LoggedEvent
from hector_nb.messages import Message, joined
from hector_nb.sessions import FINISHED, Lifetime, Turn
from hector_nb.stores import codec, ledger_records
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_memories import LedgerRecord
from hector_nb.stores.base_sessions import Window
from hector_nb.stores.base_turns import MAX_WAITING, BegunTurn, NewTurn, QueuedTurn, RepeatedTurn, TurnLog, TurnOutcome
from hector_nb.stores.in_memory_records import KeptSession, KeptTurn
from hector_nb.stores.in_memory_state import InMemoryState, utc_now


class InMemoryTurns(InMemoryState):
    """Turns, from the queue to their outcome."""

    async def begin_turn(
        self, new: NewTurn, *, window: Window, lifetime: Lifetime
    ) -> BegunTurn | QueuedTurn | RepeatedTurn:
        """See `Store`."""
        if new.turn_id not in self._turns and (made := self._made_by(new.user, new.idempotency)) and made.turn_id:
            return RepeatedTurn(turn=self._turns[made.turn_id].turn)
        if new.create_session is not None:
            self._create(new.create_session)
        session = self._find(new.user, new.session_id)
        if session.session.agent != new.agent:
            raise SessionNotFound(f"There is no session {new.session_id!r} with the agent {new.agent!r}.")
        kept = self._turns.get(new.turn_id)
        if kept is None:
            kept = self._queue(session, new)
        elif kept not in session.turns or kept.turn.finished or kept.holder != new.holder:
            raise TurnNotFound(f"The turn {new.turn_id!r} is no longer in the queue.")
        elif kept.position is None and session.session.status == "ended":
            raise SessionEnded(f"The session {new.session_id!r} has ended.", details={"status": "ended"})
        first, *others = session.unfinished()
        if kept is not first:
            ahead = [first, *others][others.index(kept)]
            return QueuedTurn(turn=kept.turn, ahead=ahead.turn.turn_id, running=first.turn.turn_id)
        if kept.position is None:
            self._begin(session, kept, lifetime)
        return _begun(session, kept, window)

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
        """See `Store`."""
        kept = self._turns.get(turn_id)
        if kept is None or kept.turn.finished:
            return None
        session = self._sessions[kept.turn.user, kept.turn.session_id]
        first = kept.turn.last_seq + skip + 1
        kept.log += [LoggedEvent(seq, event) for seq, event in enumerate(codec.stored_events(events), first)]
        if events:
            kept.turn = replace(kept.turn, last_seq=first + len(events) - 1)
        if outcome is not None or messages:
            session.append_input(kept)
        session.keep_outputs(outputs, {message.call_id: session.append(message) for message in messages})
        for approval in approvals:
            kept.ask(approval)
        if ledger is not None:
            kept.ledger = ledger_records.stored(ledger)
        if outcome is not None:
            now = utc_now() if outcome.status in FINISHED else None
            kept.turn = replace(
                kept.turn,
                status=outcome.status,
                finish_reason=outcome.finish_reason,
                usage=outcome.usage,
                finished_at=now,
            )
            kept.events_until = now and now + timedelta(seconds=outcome.keep_events)
            kept.approvals = {} if now else kept.approvals
            if kept.turn.finished and not outcome.take_in:
                session.mark = len(session.messages)
        self._wake(kept.turn.session_id)
        return kept.turn

    async def resume_turn(self, turn_id: str, holder: str, *, window: Window) -> BegunTurn | None:
        """See `Store`."""
        kept = self._turns.get(turn_id)
        if kept is None or kept.turn.status != "waiting" or kept.holder != holder:
            return None
        kept.turn = replace(kept.turn, status="running")
        self._holders[holder] = utc_now()
        self._wake(kept.turn.session_id)
        return _begun(self._sessions[kept.turn.user, kept.turn.session_id], kept, window)

    async def get_turn(self, user: str, turn_id: str) -> Turn | None:
        """See `Store`."""
        kept = self._turns.get(turn_id)
        return kept.turn if kept and kept.turn.user == user else None

    async def read_turn(self, user: str, turn_id: str, *, after: int = 0, limit: int = 10_000) -> TurnLog | None:
        """See `Store`."""
        kept = self._turns.get(turn_id)
        if kept is None or kept.turn.user != user:
            return None
        return TurnLog(turn=kept.turn, events=[logged for logged in kept.log if logged.seq > after][:limit])

    async def unfinished_turns(self, user: str, session_id: str) -> Sequence[Turn]:
        """See `Store`."""
        session = self._sessions.get((user, session_id))
        return [kept.turn for kept in session.unfinished()] if session else []

    async def answer(self, user: str, turn_id: str) -> str:
        """See `Store`."""
        kept = self._turns.get(turn_id)
        if kept is None or kept.turn.user != user:
            return ""
        messages = self._sessions[user, kept.turn.session_id].messages
        return joined(each.content for each in messages if each.turn_id == turn_id and each.role == "assistant")

    async def next_turn(self, user: str, session_id: str, *, after: str | None = None) -> Turn | None:
        """See `Store`."""
        turns = [kept.turn for kept in self._find(user, session_id).turns]
        places = {turn.turn_id: place for place, turn in enumerate(turns)}
        if after in places:
            return next(iter(turns[places[after] + 1 :]), None)
        return next((turn for turn in turns if after is None or turn.turn_id > after), None)

    async def last_turn(self, user: str, session_id: str) -> Turn | None:
        """See `Store`."""
        turns = self._find(user, session_id).turns
        return turns[-1].turn if turns else None

    def _queue(self, session: KeptSession, new: NewTurn) -> KeptTurn:
        status = session.seen(utc_now()).status
        if status != "active":
            raise SessionEnded(f"The session {new.session_id!r} has {status}.", details={"status": status})
        unfinished = session.unfinished()
        if unfinished and new.if_busy == "reject":
            raise SessionBusy(details={"running_turn": unfinished[0].turn.turn_id})
        if sum(kept.turn.status == "queued" for kept in unfinished) >= MAX_WAITING:
            raise TooManyWaiting(hint="Wait for an answer, then send the message again.")
        if new.if_busy == "interrupt":
            for other in unfinished:
                other.cancel = True
                self._wake(other.holder)
        turn = Turn(
            turn_id=new.turn_id,
            session_id=new.session_id,
            agent=new.agent,
            user=new.user,
            status="queued",
            message_id=new.message.message_id,
            created_at=utc_now(),
        )
        kept = KeptTurn(turn=turn, holder=new.holder, input=new.message)
        self._turns[new.turn_id] = kept
        self._remember(new.idempotency, session, new.turn_id)
        session.turns.append(kept)
        self._holders[new.holder] = utc_now()
        self._wake(new.session_id)
        return kept

    def _begin(self, session: KeptSession, kept: KeptTurn, lifetime: Lifetime) -> None:
        now = utc_now()
        session.append_input(kept)
        expires = lifetime.expires_at(session.session.created_at, now)
        session.session = replace(session.session, last_active_at=now, expires_at=expires)
        kept.turn = replace(kept.turn, status="running")
        self._wake(kept.turn.session_id)


def _begun(session: KeptSession, kept: KeptTurn, window: Window) -> BegunTurn:
    assert kept.position is not None
    summary, history = session.view(window, before=kept.position)
    return BegunTurn(
        session=session.seen(utc_now()),
        turn=kept.turn,
        message=session.messages[kept.position - 1],
        message_number=kept.number,
        history=history,
        first_position=kept.position - len(history),
        summary=summary,
        so_far=[each for each in session.messages[kept.position :] if each.turn_id == kept.turn.turn_id],
    )
