"""A store in SQL, whichever database it is: every method of the port as a call on that database.

Above are `sqlite` and `postgres`, which run the calls in threads of theirs; below is what the calls do (`sql_sessions`, `sql_messages`,
`sql_turns` and their like). Nothing blocks the event loop, and each method is one job and one transaction. A write that was handed
over is done even if its caller is cancelled while it waits, and writes of one process happen in the order in which they were called.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeVar

from hector_nb.approvals import Approval, Decision
from hector_nb.events import Event
from hector_nb.memories import Summary
from hector_nb.messages import Message
from hector_nb.sessions import Lifetime, Page, Session, SessionStatus, Turn
from hector_nb.stores import (
    codec,
    sql_approvals,
    sql_beginnings,
    sql_erasure,
    sql_histories,
    sql_holders,
    sql_listing,
    sql_messages,
    sql_requests,
    sql_sessions,
    sql_summaries,
    sql_turns,
)
from hector_nb.stores.base_approvals import ToolOutput
from hector_nb.stores.base_memories import LedgerRecord
from hector_nb.stores.base_sessions import Idempotency, Window
from hector_nb.stores.base_turns import BegunTurn, NewTurn, QueuedTurn, RepeatedTurn, TurnLog, TurnOutcome, Watch
from hector_nb.stores.sql_memory_store import SQLMemoryStore
from hector_nb.stores.watches import LoopWatch

T = TypeVar("T")


class SQLStore(SQLMemoryStore):
    """A `Store` in a database."""

    async def create_session(self, session: Session, *, idempotency: Idempotency | None = None) -> tuple[Session, bool]:
        """See `Store`."""
        return await self._write(partial(sql_requests.create, session=session, idempotency=idempotency))

    async def get_session(self, user: str, session_id: str) -> Session | None:
        """See `Store`."""
        return await self._read(partial(sql_sessions.get, user=user, session_id=session_id))

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
        wanted = partial(sql_listing.listing, agent=agent, status=status, query=query, limit=limit, cursor=cursor)
        return await self._read(partial(wanted, user=user))

    async def count_sessions(self) -> Mapping[SessionStatus, int]:
        """See `Store`."""
        return await self._read(sql_sessions.count)

    async def update_session(
        self, user: str, session_id: str, *, title: str | None = None, metadata: Mapping[str, Any] | None = None
    ) -> Session:
        """See `Store`."""
        change = partial(sql_sessions.update, title=title, metadata=metadata)
        return await self._write(partial(change, user=user, session_id=session_id))

    async def end_session(self, user: str, session_id: str) -> Session:
        """See `Store`."""
        return await self._write(partial(sql_sessions.end, user=user, session_id=session_id))

    async def delete_session(self, user: str, session_id: str, *, forget: bool = False) -> bool:
        """See `Store`."""
        return await self._write(partial(sql_erasure.delete, user=user, session_id=session_id, forget=forget))

    async def read_window(
        self, user: str, session_id: str, *, window: Window
    ) -> tuple[Summary | None, Sequence[Message], int]:
        """See `Store`."""
        wanted = partial(sql_summaries.read_window, window=window)
        return await self._read(partial(wanted, user=user, session_id=session_id))

    async def list_messages(
        self, user: str, session_id: str, *, limit: int = 100, cursor: str | None = None
    ) -> Page[Message]:
        """See `Store`."""
        wanted = partial(sql_messages.page, limit=limit, cursor=cursor)
        return await self._read(partial(wanted, user=user, session_id=session_id))

    async def begin_turn(
        self, new: NewTurn, *, window: Window, lifetime: Lifetime
    ) -> BegunTurn | QueuedTurn | RepeatedTurn:
        """See `Store`."""
        begin = partial(sql_beginnings.begin, new=new, window=window, lifetime=lifetime)
        return await self._write(self._living(new.holder, begin))

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
        payload = codec.encode_events(events) if events else None
        written = partial(sql_turns.write, payload=payload, count=len(events), skip=skip, ledger=ledger)
        written = partial(written, approvals=approvals, outputs=outputs)
        return await self._write(partial(written, turn_id=turn_id, messages=messages, outcome=outcome))

    async def resume_turn(self, turn_id: str, holder: str, *, window: Window) -> BegunTurn | None:
        """See `Store`."""
        resume = partial(sql_beginnings.resume, turn_id=turn_id, holder=holder, window=window)
        return await self._write(self._living(holder, resume))

    async def approvals(self, user: str, session_id: str) -> Sequence[Approval]:
        """See `Store`."""
        return await self._read(partial(sql_approvals.listing, user=user, session_id=session_id))

    async def decide(
        self, user: str, session_id: str, call_id: str, decision: Decision, *, edited: Mapping[str, Any] | None = None
    ) -> Approval:
        """See `Store`."""
        word = partial(sql_approvals.decide, call_id=call_id, decision=decision, edited=edited)
        return await self._write(partial(word, user=user, session_id=session_id))

    async def get_output(self, user: str, session_id: str, call_id: str) -> str | None:
        """See `Store`."""
        return await self._read(partial(sql_approvals.output, user=user, session_id=session_id, call_id=call_id))

    async def get_turn(self, user: str, turn_id: str) -> Turn | None:
        """See `Store`."""
        return await self._read(partial(sql_turns.get, user=user, turn_id=turn_id))

    async def read_turn(self, user: str, turn_id: str, *, after: int = 0, limit: int = 10_000) -> TurnLog | None:
        """See `Store`."""
        return await self._read(partial(sql_turns.read, user=user, turn_id=turn_id, after=after, limit=limit))

    async def unfinished_turns(self, user: str, session_id: str) -> Sequence[Turn]:
        """See `Store`."""
        return await self._read(partial(sql_turns.unfinished, user=user, session_id=session_id))

    async def request_cancel(self, turn_id: str) -> None:
        """See `Store`."""
        await self._write(partial(sql_turns.request_cancel, turn_id=turn_id))

    async def cancel_requests(self, holder: str) -> Sequence[str]:
        """See `Store`."""
        return await self._read(partial(sql_turns.cancel_requests, holder=holder))

    async def heartbeat(self, holder: str) -> None:
        """See `Store`."""
        await self._write(self._living(holder, partial(sql_holders.heartbeat, holder=holder)))

    async def take_over(self, holder: str, *, dead_after: float) -> Sequence[Turn]:
        """See `Store`."""
        look = partial(sql_holders.dead_besides, signs=self._signs, holder=holder, dead_after=dead_after)
        dead, something = await self._read(look)
        if not something:
            return []
        return await self._write(self._living(holder, partial(sql_holders.take_over, holder=holder, dead=dead)))

    async def goodbye(self, holder: str) -> None:
        """See `Store`."""
        await self._write(partial(sql_holders.goodbye, signs=self._signs, holder=holder))

    @asynccontextmanager
    async def watch(self, session_id: str) -> AsyncIterator[Watch]:
        """See `Store`."""
        watch = LoopWatch()
        self._watches.add(session_id, watch)
        self._look_up()
        try:
            yield watch
        finally:
            self._watches.remove(session_id, watch)

    async def sweep(self, *, limit: int = 500) -> int:
        """See `Store`."""
        return await self._write(partial(sql_turns.sweep, limit=limit))

    async def import_session(self, session: Session, messages: Sequence[Message], *, take_in: bool = False) -> Session:
        """See `Store`."""
        filled = partial(sql_histories.import_session, messages=messages, take_in=take_in)
        return await self._write(partial(filled, session=session))

    async def fork_session(
        self, session_id: str, new: Session, *, after: str | None = None, take_in: bool = False
    ) -> Session:
        """See `Store`."""
        fork = partial(sql_histories.fork, session_id=session_id, after=after, take_in=take_in)
        return await self._write(partial(fork, new=new))

    async def rewind_session(self, user: str, session_id: str, *, after: str | None = None) -> Session:
        """See `Store`."""
        return await self._write(partial(sql_histories.rewind, user=user, session_id=session_id, after=after))

    async def answer(self, user: str, turn_id: str) -> str:
        """See `Store`."""
        return await self._read(partial(sql_turns.answer, user=user, turn_id=turn_id))

    async def next_turn(self, user: str, session_id: str, *, after: str | None = None) -> Turn | None:
        """See `Store`."""
        return await self._read(partial(sql_turns.next_turn, user=user, session_id=session_id, after=after))

    async def last_turn(self, user: str, session_id: str) -> Turn | None:
        """See `Store`."""
        return await self._read(partial(sql_turns.last_turn, user=user, session_id=session_id))

    async def expire_sessions(self, *, limit: int = 100) -> Sequence[Session]:
        """See `Store`."""
        return await self._write(partial(sql_sessions.expire, limit=limit))

    async def join_turn(self, turn_id: str, holder: str) -> None:
        """See `Store`."""
        await self._write(self._living(holder, partial(sql_holders.join, turn_id=turn_id, holder=holder)))

    async def leave_turn(self, turn_id: str, holder: str) -> None:
        """See `Store`."""
        await self._write(partial(sql_holders.leave, turn_id=turn_id, holder=holder))

    async def has_readers(self, turn_id: str, *, besides: str, dead_after: float) -> bool:
        """See `Store`."""
        look = partial(sql_holders.has_readers, signs=self._signs, dead_after=dead_after)
        return await self._read(partial(look, turn_id=turn_id, besides=besides))
