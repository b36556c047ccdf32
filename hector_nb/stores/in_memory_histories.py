"""Sessions that begin with the past of another one, or lose some of theirs, in memory."""

from collections.abc import Sequence

from hector_nb.errors import Conflict, SessionBusy
from hector_nb.messages import Message
from hector_nb.sessions import Session
from hector_nb.stores.in_memory_state import InMemoryState, utc_now


class InMemoryHistories(InMemoryState):
    """Imports, forks and rewinds."""

    async def import_session(self, session: Session, messages: Sequence[Message], *, take_in: bool = False) -> Session:
        """See `Store`."""
        if not self._create(session)[1]:
            raise Conflict(f"The session id {session.session_id!r} is in use.", hint="Choose another id.")
        kept = self._sessions[session.user, session.session_id]
        for message in messages:
            kept.append(message)
        kept.mark = 0 if take_in else len(messages)
        for said in (message.content for message in messages if message.role == "user"):
            kept.name(said)
        return kept.seen(utc_now())

    async def fork_session(
        self, session_id: str, new: Session, *, after: str | None = None, take_in: bool = False
    ) -> Session:
        """See `Store`."""
        source = self._find(new.user, session_id)
        upto = len(source.messages) if after is None else source.position_of(after)
        forked = await self.import_session(new, source.messages[:upto], take_in=take_in)
        kept = self._sessions[new.user, new.session_id]
        kept.outputs = source.outputs_upto(upto)
        kept.summaries = [summary for summary in source.summaries if summary.position <= upto]
        kept.outputs = source.outputs_upto(upto)
        return forked

    async def rewind_session(self, user: str, session_id: str, *, after: str | None = None) -> Session:
        """See `Store`."""
        kept = self._find(user, session_id)
        upto = 0 if after is None else kept.position_of(after)
        if unfinished := kept.unfinished():
            raise SessionBusy(details={"running_turn": unfinished[0].turn.turn_id})
        erased = {message.turn_id for message in kept.messages[upto:]}
        kept.shorten(upto)
        gone = self._forget_memories(lambda memory: memory.session is kept and memory.last_position > upto)
        if any(memory.memory.kind == "summary" for memory in gone):
            kept.mark = 0
        self._forget(kept, [turn for turn in kept.turns if turn.turn.turn_id in erased])
        self._wake(session_id)
        return kept.seen(utc_now())
