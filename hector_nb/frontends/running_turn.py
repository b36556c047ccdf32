"""A turn that the event-loop thread reads while the calling thread shows it."""

import asyncio
import queue
from collections.abc import Iterator, Sequence
from concurrent.futures import Future

from hector_nb.events import Event
from hector_nb.frontends.connect import LoopThread
from hector_nb.service import SendMessage, SessionService, TurnStream
from hector_nb.tools.main_thread import MAIN_THREAD

TICK = 0.1
"""Seconds between two signs of life while nothing comes."""


class RunningTurn:
    """One message and the events that follow it. Start it, then read `batches` in the calling thread."""

    def __init__(self, service: SessionService, agent: str, request: SendMessage, *, loop: LoopThread) -> None:
        self.turn_id = ""
        self._service = service
        self._agent = agent
        self._request = request
        self._loop = loop
        self._batches: queue.SimpleQueue[Sequence[Event] | None] = queue.SimpleQueue()
        self._stream: TurnStream | None = None
        self._stopped = False
        self._stored = asyncio.Event()
        self._future: Future[None] = loop.submit(self._read())
        self._future.add_done_callback(lambda _: self._batches.put(None))

    def batches(self) -> Iterator[Sequence[Event]]:
        """The events as they come; an empty batch after each `TICK` of silence. Ends with the turn.

        Between them, on the main thread, the notebook's own functions run if an agent calls them.

        Raises:
            HectorError: the message was refused, or the turn could not be read.
            KeyboardInterrupt: somebody stopped a function.
        """
        with MAIN_THREAD.waiting(lambda: self._batches.put(())):
            while True:
                try:
                    # An untimed wait cannot be interrupted on Windows.
                    batch = self._batches.get(timeout=TICK)
                except queue.Empty:
                    batch = ()
                if batch is None:
                    return self._future.result()
                yield batch
                if not self._stopped:
                    MAIN_THREAD.run_pending()

    def stop(self) -> None:
        """Ask the turn to end; its last events still come."""
        self._stopped = True
        self._loop.submit(self._cancel())

    def leave(self) -> None:
        """Read no more."""
        self._future.cancel()

    async def _read(self) -> None:
        try:
            self._stream = await self._service.stream_message(self._agent, self._request)
            self.turn_id = self._stream.turn_id
        finally:
            self._stored.set()
        async with self._stream as stream:
            while batch := await stream.read():
                self._batches.put([logged.event for logged in batch])

    async def _cancel(self) -> None:
        # A message that is on its way into the store cannot be taken back, but its turn can be stopped.
        await self._stored.wait()
        if self._stream is not None:
            await self._service.cancel_turn(self._agent, self._stream.session_id, turn_id=self._stream.turn_id)
