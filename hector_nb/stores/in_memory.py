"""The in-memory store: plain dicts, for tests and for sessions that need not outlive the process.

Use it from one event loop: no method awaits anything on its way, so each one is a transaction.
"""

from hector_nb.stores.in_memory_approvals import InMemoryApprovals
from hector_nb.stores.in_memory_histories import InMemoryHistories
from hector_nb.stores.in_memory_holders import InMemoryHolders
from hector_nb.stores.in_memory_memories import InMemoryMemories
from hector_nb.stores.in_memory_sessions import InMemorySessions
from hector_nb.stores.in_memory_state import utc_now
from hector_nb.stores.in_memory_turns import InMemoryTurns


class InMemoryStore(
    InMemorySessions, InMemoryTurns, InMemoryApprovals, InMemoryHolders, InMemoryHistories, InMemoryMemories
):
    """A `Store` that forgets everything with the process."""

    async def aopen(self) -> None:
        """Nothing to open."""

    async def aclose(self) -> None:
        """Nothing to close."""

    async def sweep(self, *, limit: int = 500) -> int:
        """See `Store`."""
        moment = utc_now()
        expired = [
            kept for kept in self._turns.values() if kept.events_until is not None and kept.events_until <= moment
        ]
        for kept in expired[:limit]:
            session = self._sessions.get((kept.turn.user, kept.turn.session_id))
            if session is not None and session.forgettable(moment):
                await self.delete_session(kept.turn.user, kept.turn.session_id)
            kept.log = []
            kept.events_until = None
        old = [key for key, made in self._requests.items() if not made.known(moment)][:limit]
        for key in old:
            del self._requests[key]
        return min(limit, len(expired)) + len(old)
