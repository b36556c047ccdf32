"""One call of gRPC as the reader of a turn: it joins, writes the turn's chunks, and leaves.

`grpc.py` is above. A call that is cancelled leaves as it would at any other moment, also while its turn is being started.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import grpc

from hector_nb.config.schema import StreamingConfig
from hector_nb.errors import HectorError, Unavailable
from hector_nb.events import LoggedEvent, TextDelta, ThinkingDelta
from hector_nb.futures import disregard_failure
from hector_nb.service import TurnStream, failure
from hector_nb.telemetry.base import Telemetry
from hector_nb.transports.grpc_errors import Ended
from hector_nb.transports.reader import Following, Reader
from hector_nb.wire.framer import Framer
from hector_nb.wire.frames import Chunk, Cursor, Failed, Frame, has_text
from hector_nb.wire.log_framer import LogFramer
from hector_nb.wire.proto import chunk_message

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_MOST_JOINED = 1024 * 1024
"""Characters of the events that may be joined to one chunk."""
_leaving: set[asyncio.Task[None]] = set()
"""Kept until they are done."""


@asynccontextmanager
async def joined(starting: Awaitable[TurnStream]) -> AsyncIterator[TurnStream]:
    """A turn with this call as its reader. It is joined even if the call is cancelled meanwhile, and left then."""
    joining = asyncio.ensure_future(_join(starting))
    try:
        stream = await asyncio.shield(joining)
    except asyncio.CancelledError:
        task = asyncio.create_task(_leave(joining))
        _leaving.add(task)
        task.add_done_callback(_leaving.discard)
        raise
    try:
        yield stream
    finally:
        await stream.__aexit__(None, None, None)


class Joined(TurnStream):
    """A stream that has its reader already."""

    def __init__(self, stream: TurnStream) -> None:
        self.session_id, self.turn_id, self.last_seq = stream.session_id, stream.turn_id, stream.last_seq
        self._stream = stream

    async def read(self) -> Sequence[LoggedEvent]:
        """See `TurnStream`."""
        return await self._stream.read()

    async def __aexit__(self, *_: object) -> None:
        """Whoever joined leaves."""


async def _join(starting: Awaitable[TurnStream]) -> TurnStream:
    stream = await starting
    await stream.__aenter__()
    return stream


async def _leave(joining: asyncio.Future[TurnStream]) -> None:
    try:
        stream = await joining
    except HectorError:
        return
    await stream.__aexit__(None, None, None)


class Line:
    """One call's stream."""

    def __init__(self, context: Context, streaming: StreamingConfig, telemetry: Telemetry) -> None:
        self._context = context
        self._telemetry = telemetry
        self._delivered = False
        self._silence = streaming.heartbeat if streaming.chunk_size else None
        self._delay = streaming.delay_ms / 1000
        self._follows = False

    async def name(self, stream: TurnStream) -> None:
        """Tell which turn this is, and where it ends if that is known."""
        ids = [("hector-session-id", stream.session_id), ("hector-turn-id", stream.turn_id)]
        if stream.last_seq is not None:
            ids.append(("hector-last-id", str(Cursor(turn_id=stream.turn_id, seq=stream.last_seq))))
        await self._context.send_initial_metadata(tuple(ids))

    async def turn(self, stream: TurnStream, framer: Framer | LogFramer) -> None:
        """Write one turn's chunks to its last.

        Raises:
            Ended: the turn has failed.
            Unavailable: the log ended before the turn did.
        """
        await self.name(stream)
        with self._telemetry.reading("grpc"):
            await self._relay(stream, framer)

    async def session(self, session_id: str, following: Following, reader: Reader) -> None:
        """Write what is left of one turn, then every later turn, until the session is over.

        Raises:
            Unavailable: a log ended before its turn did.
        """
        self._follows = True
        ids = (("hector-session-id", session_id), ("hector-last-id", following.position))
        await self._context.send_initial_metadata(ids)
        with self._telemetry.reading("grpc"):
            if following.rest is not None:
                async with following.rest:
                    await self._relay(following.rest, reader.framer(following.cursor))
            while following.feed and (stream := await following.feed.next_turn()):
                async with stream:
                    await self._relay(stream, reader.framer())

    async def _relay(self, stream: TurnStream, framer: Framer | LogFramer) -> None:
        """In silence, what waits for its chunk to be filled is let go."""
        reading: asyncio.Future[Sequence[LoggedEvent]] | None = None
        self._delivered = False
        try:
            while not framer.finished:
                reading = reading or asyncio.ensure_future(stream.read())
                await asyncio.wait([reading], timeout=self._silence)
                if not reading.done():
                    await self._write(stream.turn_id, framer.flush())
                    continue
                events, reading = reading.result(), None
                if not events:
                    raise Unavailable("The stream was cut.", hint="Resume or follow after the last id.")
                for some in _slices(events):
                    await self._write(stream.turn_id, framer.feed(some))
        finally:
            if framer.joined:
                self._telemetry.joined(framer.joined, "grpc")
            if reading is not None:
                reading.add_done_callback(disregard_failure)
                reading.cancel()
                await asyncio.wait([reading])

    async def _write(self, turn_id: str, frames: list[Frame]) -> None:
        for frame in frames:
            if isinstance(frame, Failed) and not self._follows:
                last_id = str(Cursor(turn_id=turn_id, seq=frame.seq))
                raise Ended(failure(frame.event), retryable=frame.event.retryable, last_id=last_id)
            if (chunk := chunk_message(turn_id, frame)) is not None:
                if not self._delivered and has_text(frame):
                    self._delivered = True
                    self._telemetry.delivered(turn_id, "grpc")
                await self._context.write(chunk)
            if self._delay and isinstance(frame, Chunk):
                await asyncio.sleep(self._delay)


def _slices(events: Sequence[LoggedEvent]) -> Iterator[Sequence[LoggedEvent]]:
    """The events in pieces of which each, joined to one chunk, fits into a gRPC message."""
    start = size = 0
    for at, (_, event) in enumerate(events):
        length = len(event.text) if isinstance(event, TextDelta | ThinkingDelta) else 0
        if size + length > _MOST_JOINED and at > start:
            yield events[start:at]
            start, size = at, 0
        size += length
    yield events[start:]
