"""Sessions and their transcripts in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hector_nb.memories import Summary
from hector_nb.messages import Message
from hector_nb.sessions import STATUSES, Page, Session, SessionStatus
from hector_nb.stores import codec
from hector_nb.stores.base_sessions import Idempotency, Window
from hector_nb.stores.in_memory_records import KeptSession
from hector_nb.stores.in_memory_state import InMemoryState, utc_now


class InMemorySessions(InMemoryState):
    """Sessions, from their beginning to their end."""

    async def create_session(self, session: Session, *, idempotency: Idempotency | None = None) -> tuple[Session, bool]:
        """See `Store`."""
        if made := self._made_by(session.user, idempotency):
            return made.session.seen(utc_now()), False
        created = self._create(session)
        self._remember(idempotency, self._sessions[session.user, session.session_id], None)
        return created

    async def get_session(self, user: str, session_id: str) -> Session | None:
        """See `Store`."""
        kept = self._sessions.get((user, session_id))
        return kept.seen(utc_now()) if kept else None

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
        now = utc_now()
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
        return kept.seen(utc_now())

    async def end_session(self, user: str, session_id: str) -> Session:
        """See `Store`."""
        kept = self._find(user, session_id)
        kept.session = replace(kept.session, status="ended")
        self._wake(session_id)
        return kept.seen(utc_now())

    async def delete_session(self, user: str, session_id: str, *, forget: bool = False) -> bool:
        """See `Store`."""
        kept = self._sessions.pop((user, session_id), None)
        if kept is None:
            return False
        self._forget_memories(lambda memory: memory.session is kept and (forget or memory.partition.scope == "session"))
        for memory in self._memories.values():
            memory.session = None if memory.session is kept else memory.session
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

    async def read_window(
        self, user: str, session_id: str, *, window: Window
    ) -> tuple[Summary | None, Sequence[Message], int]:
        """See `Store`."""
        kept = self._find(user, session_id)
        before = len(kept.messages) + 1
        summary, history = kept.view(window, before=before)
        return summary, history, before - len(history)

    async def count_sessions(self) -> Mapping[SessionStatus, int]:
        """See `Store`."""
        listed = [kept.session.status for kept in self._sessions.values() if kept.session.listed]
        return {status: listed.count(status) for status in STATUSES}

    async def expire_sessions(self, *, limit: int = 100) -> Sequence[Session]:
        """See `Store`."""
        now = utc_now()
        over = [
            kept
            for kept in self._sessions.values()
            if kept.session.status == "active" and kept.seen(now).status == "expired" and not kept.unfinished()
        ][:limit]
        for kept in over:
            kept.session = replace(kept.session, status="expired")
            self._wake(kept.session.session_id)
        return [kept.session for kept in over]
