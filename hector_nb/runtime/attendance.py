"""What becomes of a turn that nobody reads: after a while it is cancelled."""

import asyncio
from collections.abc import Callable

from hector_nb.errors import StoreError
from hector_nb.runtime.intervals import DEAD_AFTER
from hector_nb.stores.base import Store

_LOOK_EVERY = 1.0
"""Seconds between looks whether another process has readers of a turn that has none here."""


class Attendance:
    """Watches over one turn. `left` and `joined` are called when its last reader here leaves, and when there is one again.

    Args:
        store: Knows the readers in other processes.
        turn_id: The turn.
        holder: This process.
        grace: Seconds for which a turn waits for a reader; None: for ever.
        excused: Whether the turn need not be read now: it waits for a person's word.
        cancel: Stops the turn.
    """

    def __init__(
        self,
        store: Store,
        turn_id: str,
        *,
        holder: str,
        grace: float | None,
        excused: Callable[[], bool],
        cancel: Callable[[], None],
    ) -> None:
        self._store = store
        self._turn_id = turn_id
        self._holder = holder
        self._grace = grace
        self._excused = excused
        self._cancel = cancel
        self._waiting: asyncio.Task[None] | None = None

    def left(self) -> None:
        """Nobody reads here any more."""
        if self._grace is not None and not self._excused():
            self._waiting = asyncio.create_task(self._cancel_unattended(self._grace))

    def joined(self) -> None:
        """Somebody reads, or it does not matter any more."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    async def _cancel_unattended(self, grace: float) -> None:
        """Cancel when nobody, in any process, has read for so many seconds."""
        left = grace
        while left > 0 or await self._read_elsewhere():
            pause = min(left, _LOOK_EVERY) or _LOOK_EVERY
            await asyncio.sleep(pause)
            left = grace if await self._read_elsewhere() else left - pause
        self._cancel()

    async def _read_elsewhere(self) -> bool:
        try:
            return await self._store.has_readers(self._turn_id, besides=self._holder, dead_after=DEAD_AFTER)
        except StoreError:
            return False
