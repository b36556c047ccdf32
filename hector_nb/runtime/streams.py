"""Readers of turns.

One reads a turn that runs in this process, one a turn in the store (finished, or running in another process), one shapes either for
agents that do not stream, and one gives the turns of a session as they come.

Where events after a reader's cursor are gone (expired, or lost with a process that died), it gets a `TurnReset` with the whole text
and then the turn's last event: nothing is lost silently.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self

from hector_nb.errors import ModelInterrupted, StoreError, TurnNotFound
from hector_nb.events import Event, LoggedEvent, TextDelta, TurnDone, TurnFailed, TurnReset, is_last
from hector_nb.messages import Usage
from hector_nb.runtime.intervals import LOOK_EVERY
from hector_nb.runtime.run import TurnRun, failed
from hector_nb.service import SessionFeed, TurnStream
from hector_nb.sessions import Session, Turn
from hector_nb.stores.base_turns import TurnLog, Watch

if TYPE_CHECKING:
    from hector_nb.runtime.runtime import Runtime


class LiveStream(TurnStream):
    """Reads a turn that runs in this process. It is a reader from the moment it is made."""

    def __init__(self, run: TurnRun, *, after: int = 0) -> None:
        self.session_id = run.session_id
        self.turn_id = run.turn_id
        self.last_seq = run.log.last_seq if run.log.finished else None
        self._run = run
        self._log = run.log
        self._after = after
        self._left = False
        self._over = False
        self._log.join()

    async def read(self) -> Sequence[LoggedEvent]:
        """See `TurnStream`."""
        if self._over:
            return ()
        batch = await self._earlier(self._after) if self._after < self._log.start else ()
        batch = batch or await self._log.read(max(self._after, self._log.start))
        if not batch and self._log.finished and self._after > self._log.last_seq:
            batch = _reset(self.turn_id, await self._text(), self._log.events[-1])
        if batch:
            self._after = batch[-1].seq
            self._over = is_last(batch[-1].event)
        return batch

    async def _earlier(self, after: int) -> Sequence[LoggedEvent]:
        """Events from before the turn came to this process."""
        log = await self._run.store.read_turn(self._run.user, self.turn_id, after=after)
        return [logged for logged in log.events if logged.seq <= self._log.start] if log else ()

    async def _text(self) -> str:
        """The whole answer."""
        events: list[LoggedEvent] = []
        while earlier := await self._earlier(events[-1].seq if events else 0) if self._log.start else ():
            events += earlier
        return "".join(each.event.text for each in (*events, *self._log.events) if isinstance(each.event, TextDelta))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""
        if not self._left:
            self._left = True
            self._log.leave()


class StoredStream(TurnStream):
    """Reads a turn from the store, and waits there for what another process adds."""

    def __init__(self, turn: Turn, *, runtime: "Runtime", after: int = 0) -> None:
        self.session_id = turn.session_id
        self.turn_id = turn.turn_id
        self.last_seq = turn.last_seq if turn.finished else None
        self._user = turn.user
        self._runtime = runtime
        self._store = runtime.store
        self._after = after
        self._ended = False
        self._joined = False

    async def __aenter__(self) -> Self:
        """Join: the process that runs the turn learns that somebody reads it here."""
        if self.last_seq is None:
            await self._runtime.join_elsewhere(self.turn_id)
            self._joined = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""
        if self._joined:
            self._joined = False
            await self._runtime.leave_elsewhere(self.turn_id)

    async def read(self) -> Sequence[LoggedEvent]:
        """See `TurnStream`."""
        if self._ended:
            return ()
        try:
            found = await self._look()
            if found is None:
                async with self._store.watch(self.session_id) as watch:
                    found = await self._wait(watch)
        except StoreError:
            if not self._runtime.closing:
                raise
            return ()
        if found:
            self._after = found[-1].seq
        self._ended = not found or is_last(found[-1].event)
        return found

    async def _wait(self, watch: Watch) -> Sequence[LoggedEvent]:
        while (found := await self._look()) is None:
            await watch.wait(LOOK_EVERY)
        return found

    async def _look(self) -> Sequence[LoggedEvent] | None:
        """Events that are there, () at the end, None if there may be more later."""
        log = await self._store.read_turn(self._user, self.turn_id, after=self._after)
        if log is None:
            erased = failed(TurnNotFound("This turn was erased."))
            return (LoggedEvent(self._after + 1, erased),)
        if log.events:
            return await self._unbroken(log)
        if not log.turn.finished:
            return None
        return () if self._after == log.turn.last_seq else await self._rest(log.turn)

    async def _unbroken(self, log: TurnLog) -> Sequence[LoggedEvent]:
        """The events, unless this reader has seen some that were lost with their process."""
        first = log.events[0]
        if (
            isinstance(first.event, TurnFailed)
            and first.event.kept_until is not None
            and first.event.kept_until < self._after < first.seq - 1
        ):
            return _reset(self.turn_id, await self._store.answer(self._user, self.turn_id), first)
        return log.events

    async def _rest(self, turn: Turn) -> Sequence[LoggedEvent]:
        """What a reader gets whose events have expired, or who is ahead of a finished turn."""
        log = await self._store.read_turn(self._user, self.turn_id, after=turn.last_seq - 1)
        last = log.events[-1] if log and log.events else LoggedEvent(turn.last_seq, _closing(turn))
        if self._after == turn.last_seq - 1:
            return (last,)
        return _reset(self.turn_id, await self._store.answer(self._user, self.turn_id), last)


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
                if self._text and not isinstance(logged.event, TurnReset):
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


class StoredFeed(SessionFeed):
    """The turns of a session in their order, whoever starts them and wherever they run."""

    def __init__(
        self,
        runtime: "Runtime",
        session: Session,
        *,
        first: Turn | None = None,
        after: str | None = None,
        position: str = "start",
    ) -> None:
        self.position = position
        self._runtime = runtime
        self._user = session.user
        self._session_id = session.session_id
        self._first = first
        self._after = after

    async def next_turn(self) -> TurnStream | None:
        """See `SessionFeed`; it ends with its process, too."""
        try:
            return await self._next()
        except StoreError:
            if not self._runtime.closing:
                raise
            return None

    async def _next(self) -> TurnStream | None:
        store = self._runtime.store
        if self._first is not None:
            first, self._first = self._first, None
            self._after = first.turn_id
            return open_turn(self._runtime, first)
        async with store.watch(self._session_id) as watch:
            while True:
                session = await store.get_session(self._user, self._session_id)
                if session is None:
                    return None
                if turn := await store.next_turn(self._user, self._session_id, after=self._after):
                    self._after = turn.turn_id
                    return open_turn(self._runtime, turn)
                if session.status != "active":
                    return None
                await watch.wait(_until_expiry(session))


def _until_expiry(session: Session) -> float:
    """How long to wait for news of a session: nobody announces that its time has passed."""
    if session.expires_at is None:
        return LOOK_EVERY
    return min(LOOK_EVERY, max(1.0, (session.expires_at - datetime.now(UTC)).total_seconds()))


def open_turn(runtime: "Runtime", turn: Turn, *, after: int = 0) -> TurnStream:
    """A reader of a turn, wherever it runs."""
    run = runtime.runs.get(turn.turn_id)
    live = run is not None and not run.finished.is_set() and not turn.finished
    stream = LiveStream(run, after=after) if run and live else StoredStream(turn, runtime=runtime, after=after)
    return shaped(runtime, turn.agent, stream)


def shaped(runtime: "Runtime", agent: str, stream: TurnStream) -> TurnStream:
    """The stream as the agent's `enable_streaming` wants it."""
    known = runtime.agents.get(agent)
    return stream if known is None or known.config.reasoning.enable_streaming else WholeAnswer(stream)


def _reset(turn_id: str, text: str, last: LoggedEvent) -> Sequence[LoggedEvent]:
    return LoggedEvent(last.seq - 1, TurnReset(turn_id=turn_id, text=text)), last


def _closing(turn: Turn) -> Event:
    """The last event of a turn whose log has expired."""
    if turn.status in {"complete", "cancelled"}:
        return TurnDone(
            turn_id=turn.turn_id,
            message_id=None,
            finish_reason="cancelled" if turn.status == "cancelled" else "stop",
            usage=turn.usage or Usage(estimated=True),
        )
    return failed(ModelInterrupted(f"The turn has {turn.status}; its events have expired."))
