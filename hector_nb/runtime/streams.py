"""Readers of turns.

One reads a turn that runs in this process, one a turn in the store (finished, or running in another process), and one
shapes either for agents that do not stream.
"""

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from hector_nb.events import LoggedEvent, TextDelta, is_last
from hector_nb.runtime.run import TurnRun
from hector_nb.service import TurnStream
from hector_nb.sessions import Turn
from hector_nb.stores.base import Store, Watch

_LOOK_EVERY = 1.0
"""Seconds after which a reader looks at the store again even if nothing was announced."""


class LiveStream(TurnStream):
    """Reads a turn that runs in this process. It is a reader from the moment it is made."""

    def __init__(self, run: TurnRun, *, after: int = 0) -> None:
        self.session_id = run.new.session_id
        self.turn_id = run.new.turn_id
        self.last_seq = None
        self._log = run.log
        self._after = after
        self._log.join()

    async def read(self) -> Sequence[LoggedEvent]:
        """See `TurnStream`."""
        batch = await self._log.read(self._after)
        if batch:
            self._after = batch[-1].seq
        return batch

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""
        self._log.leave()


class StoredStream(TurnStream):
    """Reads a turn from the store, and waits there for what another process adds."""

    def __init__(self, turn: Turn, *, store: Store, after: int = 0) -> None:
        self.session_id = turn.session_id
        self.turn_id = turn.turn_id
        self.last_seq = turn.last_seq if turn.finished else None
        self._user = turn.user
        self._store = store
        self._after = after
        self._ended = False

    async def read(self) -> Sequence[LoggedEvent]:
        """See `TurnStream`."""
        if self._ended:
            return ()
        found = await self._look()
        if found is None:
            async with self._store.watch(self.session_id) as watch:
                found = await self._wait(watch)
        return found

    async def _wait(self, watch: Watch) -> Sequence[LoggedEvent]:
        while (found := await self._look()) is None:
            await watch.wait(_LOOK_EVERY)
        return found

    async def _look(self) -> Sequence[LoggedEvent] | None:
        """Events that are there, () at the end, None if there may be more later."""
        log = await self._store.read_turn(self._user, self.turn_id, after=self._after)
        if log is not None and log.events:
            self._after = log.events[-1].seq
            self._ended = is_last(log.events[-1].event)
            return log.events
        if log is None or log.turn.finished:
            self._ended = True
            return ()
        return None

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""


class WholeAnswer(TurnStream):
    """Reads another stream and gives the text of the answer in one piece, at its end."""

    def __init__(self, stream: TurnStream) -> None:
        self.session_id = stream.session_id
        self.turn_id = stream.turn_id
        self.last_seq = stream.last_seq
        self._stream = stream
        self._text: list[str] = []
        self._seq = 0

    async def read(self) -> Sequence[LoggedEvent]:
        """See `TurnStream`."""
        while batch := await self._stream.read():
            passed: list[LoggedEvent] = []
            for logged in batch:
                if isinstance(logged.event, TextDelta):
                    self._text.append(logged.event.text)
                    self._seq = logged.seq
                    continue
                if self._text:
                    passed.append(LoggedEvent(self._seq, TextDelta(text="".join(self._text))))
                    self._text.clear()
                passed.append(logged)
            if passed:
                return passed
        return ()

    async def __aenter__(self) -> Self:
        """Join."""
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""
        await self._stream.__aexit__(kind, error, traceback)
