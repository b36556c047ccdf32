"""The in-memory store: plain dicts, for tests and for sessions that need not outlive the process.

Use it from one event loop: no method awaits anything on its way, so each one is a transaction.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from hector_nb.errors import (
    Conflict,
    SessionBusy,
    SessionEnded,
    SessionNotFound,
    TooManyWaiting,
    TurnNotFound,
)
from hector_nb.events import Event, LoggedEvent
from hector_nb.messages import Message, joined
from hector_nb.sessions import FINISHED, Lifetime, Page, Session, SessionStatus, Turn
from hector_nb.stores import codec
from hector_nb.stores.base import (
    MAX_WAITING,
    BegunTurn,
    Idempotency,
    NewTurn,
    QueuedTurn,
    RepeatedTurn,
    TurnLog,
    TurnOutcome,
    Watch,
    Window,
)
from hector_nb.stores.in_memory_records import KeptRequest, KeptSession, KeptTurn


class _Watch:
    def __init__(self) -> None:
        self.changed = asyncio.Event()

    async def wait(self, timeout: float) -> bool:
        try:
            async with asyncio.timeout(timeout):
                await self.changed.wait()
        except TimeoutError:
            return False
        self.changed.clear()
        return True


def _now() -> datetime:
    return datetime.now(UTC)


class InMemoryStore:
    """A `Store` that forgets everything with the process."""

    def __init__(self) -> None:
        self._keys = itertools.count(1)
        self._sessions: dict[tuple[str, str], KeptSession] = {}
        self._turns: dict[str, KeptTurn] = {}
        self._holders: dict[str, datetime] = {}
        self._watches: dict[str, set[_Watch]] = {}
        self._requests: dict[tuple[str, str], KeptRequest] = {}
        self._readers: set[tuple[str, str]] = set()

    async def aopen(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def create_session(self, session: Session, *, idempotency: Idempotency | None = None) -> tuple[Session, bool]:
        """See `Store`."""
        if made := self._made_by(session.user, idempotency):
            return made.session.seen(_now()), False
        created = self._create(session)
        self._remember(idempotency, self._sessions[session.user, session.session_id], None)
        return created

    async def get_session(self, user: str, session_id: str) -> Session | None:
        """See `Store`."""
        kept = self._sessions.get((user, session_id))
        return kept.seen(_now()) if kept else None

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
        """See `Store`."""
        before = codec.decode_cursor(cursor, 2) if cursor else None
        starts = codec.asked(query or "")
        now = _now()
        found = [
            kept
            for kept in self._sessions.values()
            if kept.session.user == user
            and kept.session.listed
            and (agent is None or kept.session.agent == agent)
            and (status is None or kept.seen(now).status == status)
            and (query is None or kept.found_by(starts))
            and (before is None or kept.place() < before)
        ]
        found.sort(key=KeptSession.place, reverse=True)
        more = codec.encode_cursor(*found[limit - 1].place()) if len(found) > limit else None
        return Page(items=[kept.seen(now) for kept in found[:limit]], next_cursor=more)

    async def update_session(
        self, user: str, session_id: str, *, title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Session:
        """See `Store`."""
        kept = self._find(user, session_id)
        if title is not None:
            kept.session = codec.stored_session(replace(kept.session, title=title))
        if metadata is not None:
            kept.session = codec.stored_session(replace(kept.session, metadata=metadata))
        self._wake(session_id)
        return kept.seen(_now())

    async def end_session(self, user: str, session_id: str) -> Session:
        """See `Store`."""
        kept = self._find(user, session_id)
        kept.session = replace(kept.session, status="ended")
        self._wake(session_id)
        return kept.seen(_now())

    async def delete_session(self, user: str, session_id: str) -> bool:
        """See `Store`."""
        kept = self._sessions.pop((user, session_id), None)
        if kept is None:
            return False
        self._forget(kept, kept.turns)
        self._requests = {key: made for key, made in self._requests.items() if made.session is not kept}
        self._wake(session_id)
        return True

    async def list_messages(
        self, user: str, session_id: str, *, limit: int = 100, cursor: str | None = None
    ) -> Page[Message]:
        """See `Store`."""
        after = codec.decode_cursor(cursor, 1)[0] if cursor else 0
        messages = self._find(user, session_id).messages
        more = codec.encode_cursor(after + limit) if len(messages) > after + limit else None
        return Page(items=messages[after : after + limit], next_cursor=more)

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
        for message in messages:
            session.append(message)
        if outcome is not None:
            now = _now() if outcome.status in FINISHED else None
            kept.turn = replace(
                kept.turn,
                status=outcome.status,
                finish_reason=outcome.finish_reason,
                usage=outcome.usage,
                finished_at=now,
            )
            kept.events_until = now and now + timedelta(seconds=outcome.keep_events)
        self._wake(kept.turn.session_id)
        return kept.turn

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

    async def request_cancel(self, turn_id: str) -> None:
        """See `Store`."""
        kept = self._turns.get(turn_id)
        if kept is not None and not kept.turn.finished:
            kept.cancel = True
            self._wake(kept.turn.session_id)

    async def cancel_requests(self, holder: str) -> Sequence[str]:
        """See `Store`."""
        return [kept.turn.turn_id for kept in self._unfinished() if kept.cancel and kept.holder == holder]

    async def heartbeat(self, holder: str) -> None:
        """See `Store`."""
        self._holders[holder] = _now()

    async def take_over(self, holder: str, *, dead_after: float) -> Sequence[Turn]:
        """See `Store`."""
        now = _now()
        self._holders[holder] = now
        last = now - timedelta(seconds=dead_after)
        dead = {name for name, beat in self._holders.items() if beat <= last and name != holder}
        for name in dead:
            await self.goodbye(name)
        taken = [kept for kept in self._unfinished() if kept.holder not in self._holders]
        for kept in taken:
            kept.holder = holder
        return [kept.turn for kept in taken]

    async def goodbye(self, holder: str) -> None:
        """See `Store`."""
        self._holders.pop(holder, None)
        self._readers = {reader for reader in self._readers if reader[1] != holder}

    @asynccontextmanager
    async def watch(self, session_id: str) -> AsyncIterator[Watch]:
        """See `Store`."""
        watch = _Watch()
        watches = self._watches.setdefault(session_id, set())
        watches.add(watch)
        try:
            yield watch
        finally:
            watches.discard(watch)
            if not watches:
                self._watches.pop(session_id, None)

    async def sweep(self, *, limit: int = 500) -> int:
        """See `Store`."""
        now = _now()
        expired = [kept for kept in self._turns.values() if kept.events_until is not None and kept.events_until <= now]
        for kept in expired[:limit]:
            session = self._sessions.get((kept.turn.user, kept.turn.session_id))
            if session is not None and session.forgettable(now):
                await self.delete_session(kept.turn.user, kept.turn.session_id)
            kept.log = []
            kept.events_until = None
        old = [key for key, made in self._requests.items() if not made.known(now)][:limit]
        for key in old:
            del self._requests[key]
        return min(limit, len(expired)) + len(old)

    async def import_session(self, session: Session, messages: Sequence[Message]) -> Session:
        """See `Store`."""
        if not self._create(session)[1]:
            raise Conflict(f"The session id {session.session_id!r} is in use.", hint="Choose another id.")
        kept = self._sessions[session.user, session.session_id]
        for message in messages:
            kept.append(message)
        for said in (message.content for message in messages if message.role == "user"):
            kept.name(said)
        return kept.seen(_now())

    async def fork_session(self, session_id: str, new: Session, *, after: str | None = None) -> Session:
        """See `Store`."""
        source = self._find(new.user, session_id)
        upto = len(source.messages) if after is None else source.position_of(after)
        return await self.import_session(new, source.messages[:upto])

    async def rewind_session(self, user: str, session_id: str, *, after: str | None = None) -> Session:
        """See `Store`."""
        kept = self._find(user, session_id)
        upto = 0 if after is None else kept.position_of(after)
        if unfinished := kept.unfinished():
            raise SessionBusy(details={"running_turn": unfinished[0].turn.turn_id})
        rest, erased = kept.messages[:upto], {message.turn_id for message in kept.messages[upto:]}
        kept.messages, kept.user_messages = [], 0
        kept.session = replace(kept.session, message_count=0, token_count=0)
        for message in rest:
            kept.append(message)
        self._forget(kept, [turn for turn in kept.turns if turn.turn.turn_id in erased])
        self._wake(session_id)
        return kept.seen(_now())

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

    async def expire_sessions(self, *, limit: int = 100) -> Sequence[Session]:
        """See `Store`."""
        now = _now()
        over = [
            kept
            for kept in self._sessions.values()
            if kept.session.status == "active" and kept.seen(now).status == "expired" and not kept.unfinished()
        ][:limit]
        for kept in over:
            kept.session = replace(kept.session, status="expired")
            self._wake(kept.session.session_id)
        return [kept.session for kept in over]

    async def join_turn(self, turn_id: str, holder: str) -> None:
        """See `Store`."""
        self._holders[holder] = _now()
        if turn_id in self._turns:
            self._readers.add((turn_id, holder))

    async def leave_turn(self, turn_id: str, holder: str) -> None:
        """See `Store`."""
        if (turn_id, holder) in self._readers:
            self._readers.discard((turn_id, holder))
            self._wake(self._turns[turn_id].turn.session_id)

    async def has_readers(self, turn_id: str, *, besides: str, dead_after: float) -> bool:
        """See `Store`."""
        last = _now() - timedelta(seconds=dead_after)
        return any(
            name == turn_id and holder != besides and self._holders.get(holder, last) > last
            for name, holder in self._readers
        )

    def _made_by(self, user: str, idempotency: Idempotency | None) -> KeptRequest | None:
        """What the same request made before."""
        made = self._requests.get((user, idempotency.key)) if idempotency else None
        if idempotency is None or made is None or not made.known(_now()):
            return None
        idempotency.check(made.fingerprint)
        return made

    def _remember(self, idempotency: Idempotency | None, session: KeptSession, turn_id: str | None) -> None:
        if idempotency is not None:
            made = KeptRequest(fingerprint=idempotency.fingerprint, session=session, turn_id=turn_id, made_at=_now())
            self._requests[session.session.user, idempotency.key] = made

    def _forget(self, session: KeptSession, turns: Sequence[KeptTurn]) -> None:
        """Erase turns with all that belongs to them."""
        gone = {kept.turn.turn_id for kept in turns}
        session.turns = [kept for kept in session.turns if kept.turn.turn_id not in gone]
        self._turns = {turn_id: kept for turn_id, kept in self._turns.items() if turn_id not in gone}
        self._readers = {reader for reader in self._readers if reader[0] not in gone}
        self._requests = {key: made for key, made in self._requests.items() if made.turn_id not in gone}

    def _create(self, session: Session) -> tuple[Session, bool]:
        kept = self._sessions.get((session.user, session.session_id))
        if kept is None:
            kept = KeptSession(key=next(self._keys), session=codec.stored_session(session))
            self._sessions[session.user, session.session_id] = kept
            return kept.seen(_now()), True
        if kept.session.agent != session.agent:
            raise Conflict(
                f"The session id {session.session_id!r} is in use with the agent {kept.session.agent!r}.",
                hint="Choose another id.",
            )
        return kept.seen(_now()), False

    def _find(self, user: str, session_id: str) -> KeptSession:
        kept = self._sessions.get((user, session_id))
        if kept is None:
            raise SessionNotFound(f"There is no session {session_id!r}.")
        return kept

    def _queue(self, session: KeptSession, new: NewTurn) -> KeptTurn:
        status = session.seen(_now()).status
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
        turn = Turn(
            turn_id=new.turn_id,
            session_id=new.session_id,
            agent=new.agent,
            user=new.user,
            status="queued",
            message_id=new.message.message_id,
            created_at=_now(),
        )
        kept = KeptTurn(turn=turn, holder=new.holder, input=new.message)
        self._turns[new.turn_id] = kept
        self._remember(new.idempotency, session, new.turn_id)
        session.turns.append(kept)
        self._holders[new.holder] = _now()
        self._wake(new.session_id)
        return kept

    def _begin(self, session: KeptSession, kept: KeptTurn, lifetime: Lifetime) -> None:
        now = _now()
        session.append_input(kept)
        expires = lifetime.expires_at(session.session.created_at, now)
        session.session = replace(session.session, last_active_at=now, expires_at=expires)
        kept.turn = replace(kept.turn, status="running")
        self._wake(kept.turn.session_id)

    def _unfinished(self) -> list[KeptTurn]:
        return [kept for kept in self._turns.values() if not kept.turn.finished]

    def _wake(self, session_id: str) -> None:
        for watch in self._watches.get(session_id, ()):
            watch.changed.set()


def _begun(session: KeptSession, kept: KeptTurn, window: Window) -> BegunTurn:
    assert kept.position is not None
    before = kept.position - 1
    history = window.select(reversed(session.messages[window.after : before]))
    return BegunTurn(
        session=session.seen(_now()),
        turn=kept.turn,
        message=session.messages[before],
        message_number=kept.number,
        history=history,
        first_position=kept.position - len(history),
    )
