"""What goes on beside the turns: heartbeats, cancel requests from other processes, recovery of turns whose process died, and sweeping."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from hector_nb.errors import StoreError
from hector_nb.runtime.intervals import DEAD_AFTER, LOOK_EVERY
from hector_nb.runtime.recovery import Recovery
from hector_nb.runtime.remembering import Remembering
from hector_nb.runtime.run import TurnRun
from hector_nb.sessions import Turn
from hector_nb.stores.base import Store

_log = logging.getLogger("hector_nb.runtime")

_BEAT_EVERY = 2.0
_RECOVER_EVERY = 5.0
_NOTICE_WITHIN = 1.0
"""Seconds between looks for dead processes while somebody here waits for another's turn."""
_LISTEN_AFTER = 0.2
"""Seconds between the end of a watch for cancel requests and the next: turns came, or the store refused."""
_SWEEP_EVERY = 60.0


class Lifecycle:
    """The background tasks of one process. Heartbeats and listening cost nothing while no turn runs."""

    def __init__(
        self,
        *,
        store: Store,
        holder: str,
        runs: Mapping[str, TurnRun],
        readers: Mapping[str, int],
        remembering: Remembering,
        recovery: Recovery,
    ) -> None:
        self._remembering = remembering
        self._recovery = recovery
        self._store = store
        self._holder = holder
        self._runs = runs
        self._readers = readers
        self._busy = asyncio.Event()
        self._left_behind: list[Turn] = []
        self._recovering = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; the first thing is to recover what others left."""
        self._tasks = [
            asyncio.create_task(self._every(_NOTICE_WITHIN, self.recover, at_least_every=_RECOVER_EVERY)),
            asyncio.create_task(self._every(_SWEEP_EVERY, self._sweep)),
            asyncio.create_task(self._every(_BEAT_EVERY, self._beat, while_busy=True)),
            asyncio.create_task(self._every(_LISTEN_AFTER, self._listen, while_busy=True)),
        ]

    def wake(self) -> None:
        """A turn is under way here, or one of another process is read here."""
        self._busy.set()

    async def recover(self) -> None:
        """Take over the turns of dead processes. What the store refuses is tried again.

        Raises:
            StoreError: the store refuses.
        """
        async with self._recovering:
            while await self._take_over() or self._left_behind:  # what is closed may leave others behind
                while self._left_behind:
                    await self._recovery.take(self._left_behind[0])
                    del self._left_behind[0]

    async def _take_over(self) -> bool:
        """Whether there were any."""
        taken = await self._store.take_over(self._holder, dead_after=DEAD_AFTER)
        self._left_behind += [turn for turn in taken if turn.turn_id not in self._runs]
        return bool(taken)

    async def stop(self) -> None:
        """End the tasks and say goodbye, so that others need not wait for our heartbeat to grow old."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        with suppress(StoreError):
            await self._store.goodbye(self._holder)

    async def _every(
        self,
        seconds: float,
        act: Callable[[], Awaitable[None]],
        *,
        while_busy: bool = False,
        at_least_every: float | None = None,
    ) -> None:
        """Act every so often: always, or `while_busy`, or less often while not busy (`at_least_every`)."""
        while True:
            if while_busy:
                await self._until_busy(None)
            try:
                await act()
            except StoreError as error:
                _log.warning("%s", error.message)
            await asyncio.sleep(seconds)
            if at_least_every is not None:
                await self._until_busy(at_least_every - seconds)

    async def _until_busy(self, seconds: float | None) -> None:
        """Wait until turns run or are read here, at most so many seconds."""
        if not self._runs and not self._readers:
            self._busy.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._busy.wait()

    async def _beat(self) -> None:
        await self._store.heartbeat(self._holder)

    async def _listen(self) -> None:
        async with self._store.watch(self._holder) as watch:
            while self._runs:
                for turn_id in await self._store.cancel_requests(self._holder):
                    if run := self._runs.get(turn_id):
                        run.cancel()
                await watch.wait(LOOK_EVERY)

    async def _sweep(self) -> None:
        while (expired := await self._store.expire_sessions()) or await self._store.sweep():
            if expired:
                self._remembering.look_soon()
