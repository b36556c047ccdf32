"""Sessions that begin with the past of another one, or lose some of theirs, in memory."""

from collections.abc import Sequence
from dataclasses import replace

from hector_nb.errors import Conflict, SessionBusy
from hector_nb.messages import Message
from hector_nb.sessions import Session
from hector_nb.stores.in_memory_state import InMemoryState, utc_now


class InMemoryHistories(InMemoryState):
    """Imports, forks and rewinds."""

    async def import_session(self, session: Session, messages: Sequence[Message]) -> Session:
        """See `Store`."""
        if not self._create(session)[1]:
            raise Conflict(f"The session id {session.session_id!r} is in use.", hint="Choose another id.")
        kept = self._sessions[session.user, session.session_id]
        for message in messages:
            kept.append(message)
        for said in (message.content for message in messages if message.role == "user"):
            kept.name(said)
        return kept.seen(utc_now())

    async def fork_session(self, session_id: str, new: Session, *, after: str | None = None) -> Session:
        """See `Store`."""
        source = self._find(new.user, session_id)
        upto = len(source.messages) if after is None else source.position_of(after)
        session = await self.import_session(new, source.messages[:upto])
        self._sessions[new.user, new.session_id].outputs = source.outputs_upto(upto)
        return session

    async def rewind_session(self, user: str, session_id: str, *, after: str | None = None) -> Session:
        """See `Store`."""
        kept = self._find(user, session_id)
        upto = 0 if after is None else kept.position_of(after)
        if unfinished := kept.unfinished():
            raise SessionBusy(details={"running_turn": unfinished[0].turn.turn_id})
        rest, erased = kept.messages[:upto], {message.turn_id for message in kept.messages[upto:]}
        kept.messages, kept.user_messages, kept.outputs = [], 0, kept.outputs_upto(upto)
        kept.session = replace(kept.session, message_count=0, token_count=0)
        for message in rest:
            kept.append(message)
        self._forget(kept, [turn for turn in kept.turns if turn.turn.turn_id in erased])
        self._wake(session_id)
        return kept.seen(utc_now())
