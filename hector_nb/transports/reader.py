"""How a reader of a turn or of a session is set up, the same for every wire that takes frames."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from hector_nb.errors import InvalidRequest, SessionEnded, SessionNotFound, TurnNotFound
from hector_nb.events import LoggedEvent, TurnFailed, TurnReset, is_last
from hector_nb.service import AgentInfo, SessionFeed, SessionService, TurnStream
from hector_nb.wire.framer import Framer
from hector_nb.wire.frames import LOG, START, Cursor, View
from hector_nb.wire.log_framer import LogFramer


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """Who reads, with which agent's settings, and what is to be seen."""

    service: SessionService
    info: AgentInfo
    view: View

    def framer(self, cursor: Cursor | None = None) -> Framer | LogFramer:
        """A framer with the agent's settings, from the cursor on."""
        if self.view.events == LOG:
            return LogFramer(seq=cursor.seq if cursor else 0)
        at = cursor or Cursor(turn_id="")
        whole = not self.info.reasoning.enable_streaming
        return Framer(self.view, seq=at.seq, offset=at.offset, streaming=self.info.streaming, whole=whole)

    async def resume(self, cursor: Cursor, session_id: str | None = None) -> TurnStream:
        """A stream that holds all that a framer needs to go on at the cursor.

        Raises:
            TurnNotFound: there is no such turn.
        """
        stream = await self._open(cursor, session_id, after=cursor.seq)
        if is_over(stream, cursor):
            return stream
        history = None
        tells_more = self.view.thinking or bool(self.info.tools)
        if cursor.seq and tells_more and Framer.needs_history(self.view):
            try:
                history = await self._open(cursor, session_id, after=0)
            except BaseException:
                await stream.__aexit__(None, None, None)
                raise
        return _Resumed(self, stream, history, cursor)

    async def follow(self, session_id: str, last: str | None = None) -> "Following | None":
        """What a follower of a session gets after the event `last` (`start`: everything); None if nothing is left to come.

        Raises:
            InvalidRequest: `last` is no id of an event.
            SessionNotFound, SessionEnded: there is nothing to follow, and never was for this reader.
        """
        cursor = None if last in {None, START} else Cursor.parse(last or "")
        feed: SessionFeed | None = None
        try:
            after = cursor.turn_id if cursor else last
            feed = await self.service.follow_session(self.info.name, session_id, after=after)
        except (SessionNotFound, SessionEnded):
            if last is None:
                raise
        rest = await self._rest(cursor, session_id, feed) if cursor else None
        if feed is None and rest is None:
            return None
        return Following(position=last or (feed.position if feed else START), cursor=cursor, rest=rest, feed=feed)

    async def _rest(self, cursor: Cursor, session_id: str, feed: SessionFeed | None) -> TurnStream | None:
        """What is left of the turn that a follower had come to."""
        try:
            stream = await self.resume(cursor, session_id)
        except TurnNotFound as error:
            return None if feed is None else _Erased(session_id, cursor, error)
        if not is_over(stream, cursor):
            return stream
        async with stream:
            return None

    async def _open(self, cursor: Cursor, session_id: str | None, *, after: int) -> TurnStream:
        return await self.service.follow_turn(self.info.name, cursor.turn_id, session_id=session_id, after=after)


@dataclass(frozen=True, kw_only=True, slots=True)
class Following:
    """A session as one follower gets it: the `rest` of the turn that it had come to at `cursor`, then the feed's turns."""

    position: str
    cursor: Cursor | None
    rest: TurnStream | None
    feed: SessionFeed | None


def cursor_at(turn_id: str | None, last: str | None) -> Cursor:
    """Where to go on in a turn: after the event `last`, or at the beginning.

    Raises:
        InvalidRequest: `last` is no id of an event, or one of another turn.
    """
    cursor = Cursor.parse(last if last is not None else f"{turn_id}:0")
    if turn_id not in {None, cursor.turn_id}:
        raise InvalidRequest("The id of the last event belongs to another turn than `turn_id`.")
    return cursor


def is_over(stream: TurnStream, cursor: Cursor) -> bool:
    """Whether the reader has the turn's last frame already."""
    return (cursor.seq, cursor.offset) == (stream.last_seq, 0)


class _Resumed(TurnStream):
    """Goes on after a cursor. First comes what a framer must know of the events before it.

    A cursor inside an event that is not to be had any more is moved behind that event: there the service knows that something is
    lost, and says so.
    """

    def __init__(self, reader: Reader, stream: TurnStream, history: TurnStream | None, cursor: Cursor) -> None:
        self.session_id = stream.session_id
        self.turn_id = stream.turn_id
        self.last_seq = stream.last_seq
        self._reader = reader
        self._stream = stream
        self._history = history
        self._cursor = cursor
        self._inside = cursor.offset > 0

    async def read(self) -> Sequence[LoggedEvent]:
        """See `TurnStream`."""
        if self._history is not None:
            batch = await self._history.read()
            known = [each for each in batch if each.seq <= self._cursor.seq and not _ends(each)]
            if not known or known[-1].seq == self._cursor.seq:
                await self._forget_history()
            if known:
                return known
        batch = await self._stream.read()
        if self._inside:
            self._inside = False
            if not batch or batch[0].seq > self._cursor.seq + 1:
                await self._stream.__aexit__(None, None, None)
                self._stream = await self._reader._open(self._cursor, self.session_id, after=self._cursor.seq + 1)
                await self._stream.__aenter__()
                batch = await self._stream.read()
        return batch

    async def _forget_history(self) -> None:
        if self._history is not None:
            history, self._history = self._history, None
            await history.__aexit__(None, None, None)

    async def __aenter__(self) -> Self:
        """Join."""
        await self._stream.__aenter__()
        if self._history is not None:
            await self._history.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""
        try:
            await self._forget_history()
        finally:
            await self._stream.__aexit__(kind, error, traceback)


class _Erased(TurnStream):
    """What a follower gets whose turn is gone, because the session was rewound: nothing is left of it."""

    def __init__(self, session_id: str, cursor: Cursor, error: TurnNotFound) -> None:
        self.session_id = session_id
        self.turn_id = cursor.turn_id
        self.last_seq = None
        last = TurnFailed(code=error.code, message="This turn was erased.")
        self._events = [
            LoggedEvent(cursor.seq + 1, TurnReset(turn_id=cursor.turn_id, text="")),
            LoggedEvent(cursor.seq + 2, last),
        ]

    async def read(self) -> Sequence[LoggedEvent]:
        """See `TurnStream`."""
        events, self._events = self._events, []
        return events

    async def __aexit__(self, *_: object) -> None:
        """There is nothing to leave."""


def _ends(logged: LoggedEvent) -> bool:
    return is_last(logged.event) or isinstance(logged.event, TurnReset)


class Silence:
    """Calls `act` whenever nothing was sent for `seconds`."""

    def __init__(self, seconds: float, act: Callable[[], None]) -> None:
        self.seconds = seconds
        self._act = act
        self._since = 0.0
        self._sending = False

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self.broken()
        self._timer = self._loop.call_later(self.seconds, self._look)
        return self

    def broken(self) -> None:
        """Something is sent."""
        self._since = self._loop.time()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Whatever this block sends stays together: until it ends there is no silence, however slow the client or the pace is."""
        self._sending = True
        try:
            yield
        finally:
            self._sending = False
            self.broken()

    def _look(self) -> None:
        if self._sending:
            self.broken()
        due = self._since + self.seconds
        if self._loop.time() >= due - 0.001:
            self._act()
            self.broken()
            due = self._since + self.seconds
        self._timer = self._loop.call_at(due, self._look)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
