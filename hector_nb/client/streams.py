"""Turns as they come from a server: `TurnStream` and `SessionFeed` over `?events=log`.

A line that breaks is opened again after the last event that arrived, until the server has not been reached for `PATIENCE` seconds. Every
event comes once, with the number that it has in the turn's log.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from hector_nb.client.connection import Call, Connection, Cut, Line, path_of
from hector_nb.client.sse import Block
from hector_nb.errors import HectorError, TurnNotFound, Unavailable
from hector_nb.events import LoggedEvent, TurnFailed, TurnReset, decode, is_last
from hector_nb.service import SessionFeed, TurnStream
from hector_nb.wire.frames import START, Cursor
from hector_nb.wire.status import decode_failure

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds for which a server that is away is tried again."""
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_LOG = {"events": "log"}


class Retries:
    """When to try again. After `arrived` the first attempt is made at once."""

    def __init__(self) -> None:
        self._pause = 0.0
        self._since: float | None = None

    def arrived(self) -> None:
        """Something came."""
        self._pause, self._since = 0.0, None

    async def wait(self, error: HectorError) -> None:
        """Wait until it is time.

        Raises:
            HectorError: it is, when there is to be no other attempt.
        """
        now = asyncio.get_running_loop().time()
        self._since = now if self._since is None else self._since
        if now - self._since > PATIENCE:
            raise error
        await asyncio.sleep(self._pause)
        self._pause = min(_LONGEST_PAUSE, 2 * self._pause or _FIRST_PAUSE)


async def persist(attempt: Callable[[], Awaitable[T]]) -> T:
    """Try again what a broken line has cut off, and then also while the server is away.

    Raises:
        HectorError: it says why not, or could not be reached at all.
    """
    retries, broken = Retries(), False
    while True:
        try:
            return await attempt()
        except Cut as cut:
            error, broken = cut.error, True
        except Unavailable as away:
            if not broken:
                raise
            error = away
        await retries.wait(error)


def turns_path(agent: str, session_id: str | None) -> str:
    """The path of a session's streams; without a session, that of one-off turns."""
    if session_id is None:
        return path_of("agents", agent, "messages", "stream")
    return path_of("agents", agent, "sessions", session_id, "messages", "stream")


class RemoteStream(TurnStream):
    """Reads a turn from a server. Leaving it closes its line, so that the server knows."""

    def __init__(self, connection: Connection, path: str, line: Line, *, after: int = 0) -> None:
        self.session_id = line.headers.get("Hector-Session-Id", "")
        self.turn_id = line.headers.get("Hector-Turn-Id", "")
        last = line.headers.get("Hector-Last-Event-Id")
        self.last_seq = Cursor.parse(last).seq if last else None
        self.after = after
        self._connection = connection
        self._path = path
        self._line: Line | None = line
        self._over = line.status == 204
        self._retries = Retries()

    async def read(self) -> Sequence[LoggedEvent]:
        """See `TurnStream`. A cancelled read has taken nothing.

        Raises:
            Unavailable: the line broke, and the server cannot be reached any more.
        """
        while not self._over:
            try:
                blocks = await self._opened().read()
                if not blocks:
                    raise Cut(Unavailable("The stream ended before its turn did.", hint="Follow the turn again."))
            except Cut as cut:
                if lost := await self._resume(cut.error):
                    return lost
                continue
            if events := self._events(blocks):
                self._retries.arrived()
                if self._over:
                    await self._finish()
                return events
        return ()

    def _opened(self) -> Line:
        if self._line is None:
            raise Cut(Unavailable("The stream is closed."))
        return self._line

    def _events(self, blocks: Sequence[Block]) -> list[LoggedEvent]:
        """What is new in these blocks."""
        found: list[LoggedEvent] = []
        for block in blocks:
            logged = None if self._over else logged_event(block)
            if logged is None or (logged.seq <= self.after and not isinstance(logged.event, TurnReset)):
                continue
            self.after = logged.seq
            self._over = is_last(logged.event)
            found.append(logged)
        return found

    async def _resume(self, error: HectorError) -> Sequence[LoggedEvent]:
        """Open the line again after the last event; what there is to say where the turn is gone."""
        self._leave()
        while True:
            await self._retries.wait(error)
            if self._connection.closed:
                self._over = True
                return ()
            try:
                self._line = await self._connection.open(turn_call(self._path, self.turn_id, self.after))
            except Cut as cut:
                error = cut.error
            except Unavailable as away:
                error = away
            except TurnNotFound as gone:
                self._over = True
                self.after += 1
                return (LoggedEvent(self.after, TurnFailed(code=gone.code, message="This turn was erased.")),)
            else:
                self._over = self._line.status == 204
                return ()

    async def _finish(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            await line.finish()

    def _leave(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        self._over = True
        self._leave()


class RemoteFeed(SessionFeed):
    """The turns of a session on a server. Between two turns nothing is held open.

    `known` is the turn that it begins after, where `position` is not at that turn's end.
    """

    def __init__(self, connection: Connection, agent: str, session_id: str, *, position: str, known: str = "") -> None:
        self.position = position
        self._connection = connection
        self._path = turns_path(agent, session_id)
        self._after = position
        self._known = known
        self._stream: RemoteStream | None = None

    async def next_turn(self) -> TurnStream | None:
        """See `SessionFeed`."""
        if self._stream is not None:
            self._after = str(Cursor(turn_id=self._stream.turn_id, seq=self._stream.after))
            self._stream = None
        return await persist(self._next)

    async def has_next(self) -> bool:
        """Whether there is another turn, in a session to which none comes any more."""
        return await persist(self._peek)

    async def _next(self) -> TurnStream | None:
        line = await self._open()
        try:
            if (turn_id := await self._turn_in(line)) is None:
                return None
            # It is joined before the line is left, so that it always has a reader.
            self._stream = await follow(self._connection, self._path, turn_id)
            self._known = turn_id
            return self._stream
        finally:
            line.close()

    async def _peek(self) -> bool:
        line = await self._open()
        try:
            return await self._turn_in(line) is not None
        finally:
            line.close()

    async def _open(self) -> Line:
        return await self._connection.open(Call(verb="GET", path=self._path, query=_LOG, after=self._after))

    async def _turn_in(self, line: Line) -> str | None:
        """The next turn that is told of in a session's stream; None: none will be."""
        while line.status != 204:
            blocks = await line.read()
            if not blocks:
                raise Cut(Unavailable("The session's stream ended before the session did."))
            for block in blocks:
                if block.data is not None:
                    if (turn_id := Cursor.parse(block.id).turn_id) != self._known:
                        return turn_id
                    self._after = block.id
        return None


async def follow(connection: Connection, path: str, turn_id: str, *, after: int = 0) -> RemoteStream:
    """Join a turn.

    Raises:
        TurnNotFound: there is no such turn.
        Cut: the line broke.
    """
    line = await connection.open(turn_call(path, turn_id, after))
    return RemoteStream(connection, path, line, after=after)


def turn_call(path: str, turn_id: str, after: int) -> Call:
    """The request for a turn's events from the one after `after` on."""
    last = str(Cursor(turn_id=turn_id, seq=after))
    return Call(verb="GET", path=path, query={"turn_id": turn_id, **_LOG}, after=last)


async def position_of(line: Line) -> str:
    """Where a session's stream begins."""
    try:
        blocks = await line.read()
        return blocks[0].id if blocks else START
    finally:
        line.close()


def logged_event(block: Block) -> LoggedEvent | None:
    """The event in a block; None where it has none, or one that this version does not know."""
    if block.data is None or not block.name:
        return None
    cursor = Cursor.parse(block.id)
    seq = cursor.seq + (1 if cursor.offset else 0)
    data = json.loads(block.data)
    if block.name == "error":
        return LoggedEvent(seq, decode_failure(data["error"]))
    try:
        return LoggedEvent(seq, decode(data))
    except KeyError:
        return None
