"""What all parts of the in-memory store share: its dicts, and how things in them are found, made and forgotten."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from hector_nb.errors import Conflict, SessionNotFound
from hector_nb.sessions import Session
from hector_nb.stores import codec
from hector_nb.stores.base_sessions import Idempotency
from hector_nb.stores.base_turns import Watch
from hector_nb.stores.in_memory_records import KeptMemory, KeptRequest, KeptSession, KeptTurn


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


def utc_now() -> datetime:
    """The time in UTC."""
    return datetime.now(UTC)


class InMemoryState:
    """Plain dicts. No method awaits anything on its way, so each one is a transaction."""

    def __init__(self) -> None:
        self._keys = itertools.count(1)
        self._sessions: dict[tuple[str, str], KeptSession] = {}
        self._turns: dict[str, KeptTurn] = {}
        self._holders: dict[str, datetime] = {}
        self._watches: dict[str, set[_Watch]] = {}
        self._requests: dict[tuple[str, str], KeptRequest] = {}
        self._readers: set[tuple[str, str]] = set()
        self._memories: dict[str, KeptMemory] = {}

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

    def _made_by(self, user: str, idempotency: Idempotency | None) -> KeptRequest | None:
        """What the same request made before."""
        made = self._requests.get((user, idempotency.key)) if idempotency else None
        if idempotency is None or made is None or not made.known(utc_now()):
            return None
        idempotency.check(made.fingerprint)
        return made

    def _remember(self, idempotency: Idempotency | None, session: KeptSession, turn_id: str | None) -> None:
        if idempotency is not None:
            made = KeptRequest(fingerprint=idempotency.fingerprint, session=session, turn_id=turn_id, made_at=utc_now())
            self._requests[session.session.user, idempotency.key] = made

    def _forget(self, session: KeptSession, turns: Sequence[KeptTurn]) -> None:
        """Erase turns with all that belongs to them."""
        gone = {kept.turn.turn_id for kept in turns}
        session.turns = [kept for kept in session.turns if kept.turn.turn_id not in gone]
        self._turns = {turn_id: kept for turn_id, kept in self._turns.items() if turn_id not in gone}
        self._readers = {reader for reader in self._readers if reader[0] not in gone}
        self._requests = {key: made for key, made in self._requests.items() if made.turn_id not in gone}

    def _forget_memories(self, unwanted: Callable[[KeptMemory], bool]) -> list[KeptMemory]:
        """Erase memories; those that are gone."""
        gone = [kept for kept in self._memories.values() if unwanted(kept)]
        self._memories = {name: kept for name, kept in self._memories.items() if kept not in gone}
        return gone

    def _create(self, session: Session) -> tuple[Session, bool]:
        kept = self._sessions.get((session.user, session.session_id))
        if kept is None:
            kept = KeptSession(key=next(self._keys), session=codec.stored_session(session))
            self._sessions[session.user, session.session_id] = kept
            return kept.seen(utc_now()), True
        if kept.session.agent != session.agent:
            raise Conflict(
                f"The session id {session.session_id!r} is in use with the agent {kept.session.agent!r}.",
                hint="Choose another id.",
            )
        return kept.seen(utc_now()), False

    def _find(self, user: str, session_id: str) -> KeptSession:
        kept = self._sessions.get((user, session_id))
        if kept is None:
            raise SessionNotFound(f"There is no session {session_id!r}.")
        return kept

    def _unfinished(self) -> list[KeptTurn]:
        return [kept for kept in self._turns.values() if not kept.turn.finished]

    def _wake(self, session_id: str) -> None:
        for watch in self._watches.get(session_id, ()):
            watch.changed.set()
