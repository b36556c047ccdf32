"""A running turn's log in memory, and its readers.

The log is one list that all readers share; a reader is only a position in it. A slow reader therefore costs nobody anything: it
takes all that has come since it last looked. Readers on the same event loop are woken once per loop tick, however many events
that tick brought.
"""

import asyncio
from collections.abc import Callable, Sequence

from hector_nb.events import Event, LoggedEvent, TurnFailed, is_last


class Broadcast:
    """The events of one turn that follow `seq` `start`, and those who wait for the next.

    A turn that went on in this process after another had begun it starts later than at 0: what came before is in the store.
    `on_empty` is called when the last reader has left an unfinished turn.
    """

    def __init__(self, on_empty: Callable[[], None], on_join: Callable[[], None], *, start: int = 0) -> None:
        self.events: list[LoggedEvent] = []
        self.start = start
        self.readers = 0
        self._closed = False
        self._notice: TurnFailed | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._on_empty = on_empty
        self._on_join = on_join

    @property
    def finished(self) -> bool:
        """Whether the last event is there."""
        return bool(self.events) and is_last(self.events[-1].event)

    @property
    def last_seq(self) -> int:
        """The number of the newest event."""
        return self.start + len(self.events)

    def publish(self, event: Event) -> None:
        """Append an event and wake the readers."""
        self.events.append(LoggedEvent(self.start + len(self.events) + 1, event))
        if self._waiting:
            self._wake()

    def notify(self, failure: TurnFailed) -> None:
        """Tell readers, until the next event is there, that it cannot be had now. This is no part of the log.

        Its number is beyond that of the turn's last event, so that whoever resumes there is shown how the turn has ended.
        """
        self._notice = failure
        self._wake()

    def close(self) -> None:
        """The log ends here for the readers of this process, though the turn does not."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def read(self, after: int) -> Sequence[LoggedEvent]:
        """All events after `seq` `after`, which is not before `start`, waiting for one; empty when the log ends there."""
        while self.last_seq <= after:
            if self.finished or self._closed:
                return ()
            if self._notice is not None:
                return (LoggedEvent(max(after, self.last_seq + 1) + 1, self._notice),)
            future = asyncio.get_running_loop().create_future()
            self._waiting.append(future)
            await future
        return self.events[after - self.start :]

    def join(self) -> None:
        """One more reader."""
        self.readers += 1
        self._on_join()

    def leave(self) -> None:
        """One reader less."""
        self.readers -= 1
        if self.readers == 0 and not self.finished:
            self._on_empty()
