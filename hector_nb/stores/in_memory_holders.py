"""Who runs and who reads turns, in memory."""

from collections.abc import Sequence
from datetime import timedelta

from hector_nb.sessions import Turn
from hector_nb.stores.in_memory_state import InMemoryState, utc_now


class InMemoryHolders(InMemoryState):
    """Holders, their signs of life, and what they are asked to do."""

    async def request_cancel(self, turn_id: str) -> None:
        """See `Store`."""
        kept = self._turns.get(turn_id)
        if kept is not None and not kept.turn.finished:
            kept.cancel = True
            self._wake(kept.turn.session_id)
            self._wake(kept.holder)

    async def cancel_requests(self, holder: str) -> Sequence[str]:
        """See `Store`."""
        return [kept.turn.turn_id for kept in self._unfinished() if kept.cancel and kept.holder == holder]

    async def heartbeat(self, holder: str) -> None:
        """See `Store`."""
        self._holders[holder] = utc_now()

    async def take_over(self, holder: str, *, dead_after: float) -> Sequence[Turn]:
        """See `Store`."""
        now = utc_now()
        self._holders[holder] = now
        last = now - timedelta(seconds=dead_after)
        dead = {name for name, beat in self._holders.items() if beat <= last and name != holder}
        for name in dead:
            await self.goodbye(name)
        taken = [
            kept
            for kept in self._unfinished()
            if kept.holder not in self._holders and not kept.waits(now, holder=holder)
        ]
        for kept in taken:
            kept.holder = holder
        return [kept.turn for kept in taken]

    async def goodbye(self, holder: str) -> None:
        """See `Store`."""
        self._holders.pop(holder, None)
        self._readers = {reader for reader in self._readers if reader[1] != holder}

    async def join_turn(self, turn_id: str, holder: str) -> None:
        """See `Store`."""
        self._holders[holder] = utc_now()
        if turn_id in self._turns:
            self._readers.add((turn_id, holder))

    async def leave_turn(self, turn_id: str, holder: str) -> None:
        """See `Store`."""
        if (turn_id, holder) in self._readers:
            self._readers.discard((turn_id, holder))
            self._wake(self._turns[turn_id].turn.session_id)

    async def has_readers(self, turn_id: str, *, besides: str, dead_after: float) -> bool:
        """See `Store`."""
        last = utc_now() - timedelta(seconds=dead_after)
        return any(
            name == turn_id and holder != besides and self._holders.get(holder, last) > last
            for name, holder in self._readers
        )
