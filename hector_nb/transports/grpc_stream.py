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
from hector_nb.service import TurnStream, failure
from hector_nb.transports.grpc_errors import Ended
from hector_nb.wire.framer import Framer
from hector_nb.wire.frames import Chunk, Cursor, Failed, Frame
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

    def __init__(self, context: Context, stream: TurnStream, streaming: StreamingConfig) -> None:
        self._context = context
        self._stream = stream
        self._silence = streaming.heartbeat if streaming.chunk_size else None
        self._delay = streaming.delay_ms / 1000

    async def relay(self, framer: Framer | LogFramer) -> None:
        """Write the turn's chunks to its last. In silence, what waits for its chunk to be filled is let go.

        Raises:
            Ended: the turn has failed.
            Unavailable: the log ended before the turn did.
        """
        ids = (("hector-session-id", self._stream.session_id), ("hector-turn-id", self._stream.turn_id))
        await self._context.send_initial_metadata(ids)
        reading: asyncio.Future[Sequence[LoggedEvent]] | None = None
        try:
            while not framer.finished:
                reading = reading or asyncio.ensure_future(self._stream.read())
                await asyncio.wait([reading], timeout=self._silence)
                if not reading.done():
                    await self._write(framer.flush())
                    continue
                events, reading = reading.result(), None
                if not events:
                    raise Unavailable("The stream was cut.", hint="ResumeTurn goes on after the last id.")
                for some in _slices(events):
                    await self._write(framer.feed(some))
        finally:
            if reading is not None:
                reading.cancel()
                await asyncio.wait([reading])

    async def _write(self, frames: list[Frame]) -> None:
        for frame in frames:
            if isinstance(frame, Failed):
                last_id = str(Cursor(turn_id=self._stream.turn_id, seq=frame.seq))
                raise Ended(failure(frame.event), retryable=frame.event.retryable, last_id=last_id)
            if (chunk := chunk_message(self._stream.turn_id, frame)) is not None:
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
