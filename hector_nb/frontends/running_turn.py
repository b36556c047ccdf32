"""A turn that the event-loop thread reads while the calling thread shows it."""

import asyncio
import queue
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from hector_nb.approvals import Approval, Decision
from hector_nb.events import ApprovalDecided, Event
from hector_nb.frontends.connect import LoopThread
from hector_nb.service import SendMessage, SessionService, TurnStream
from hector_nb.tools.main_thread import MAIN_THREAD

TICK = 0.1
"""Seconds between two signs of life while nothing comes."""


class RunningTurn:
    """One message and the events that follow it. Start it, then read `batches` in the calling thread.

    `on_stored` is told the id of the turn as soon as its message is stored.
    """

    def __init__(
        self,
        service: SessionService,
        agent: str,
        request: SendMessage,
        *,
        loop: LoopThread,
        on_stored: Callable[[SessionService, str], Awaitable[None]] | None = None,
    ) -> None:
        self.turn_id = ""
        self._on_stored = on_stored
        self._service = service
        self._agent = agent
        self._request = request
        self._loop = loop
        self._batches: queue.SimpleQueue[Sequence[Event] | None] = queue.SimpleQueue()
        self._stream: TurnStream | None = None
        self._stopped = False
        self._decided: dict[str, threading.Event] = defaultdict(threading.Event)
        self._words: dict[str, ApprovalDecided] = {}
        self._over = False
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

    def decided(self, call_id: str) -> threading.Event:
        """Set as soon as the word on a tool call is known, or the turn is over."""
        event = self._decided[call_id]
        if self._over:
            event.set()
        return event

    def word(self, call_id: str) -> ApprovalDecided | None:
        """The word on a tool call, where it is known."""
        return self._words.get(call_id)

    def approval(self, call_id: str) -> tuple[Approval, str] | None:
        """A tool call that waits, and the agent that wants to make it: this turn's, or one that it has called; None: it waits no more.

        Raises:
            HectorError: as for `SessionService.list_approvals`.
        """
        return self._loop.run(self._find(call_id))

    async def _find(self, call_id: str) -> tuple[Approval, str] | None:
        assert self._stream is not None  # it was read in this turn's events
        for approval in await self._service.list_approvals(self._agent, self._stream.session_id):
            if approval.call_id == call_id:
                own = approval.session_id == self._stream.session_id
                agent = self._agent if own else (await self._service.find_session(approval.session_id)).agent
                return approval, agent
        return None

    def decide(self, call_id: str, decision: Decision, edited: Mapping[str, Any] | None) -> None:
        """Give the word on a tool call of this turn.

        Raises:
            HectorError: as for `SessionService.decide_approval`.
        """
        assert self._stream is not None  # it was read in this turn's events
        session_id = self._stream.session_id
        self._loop.run(self._service.decide_approval(self._agent, session_id, call_id, decision, edited=edited))

    def leave(self) -> None:
        """Read no more."""
        self._future.cancel()

    async def _read(self) -> None:
        try:
            self._stream = await self._service.stream_message(self._agent, self._request)
            self.turn_id = self._stream.turn_id
        finally:
            self._stored.set()
        try:
            async with self._stream as stream:
                if self._on_stored is not None:
                    await self._on_stored(self._service, self.turn_id)
                while batch := await stream.read():
                    events = [logged.event for logged in batch]
                    for event in events:
                        if isinstance(event, ApprovalDecided):
                            self._words[event.call_id] = event
                            self._decided[event.call_id].set()
                    self._batches.put(events)
        finally:
            self._over = True
            for decided in list(self._decided.values()):
                decided.set()

    async def _cancel(self) -> None:
        # A message that is on its way into the store cannot be taken back, but its turn can be stopped.
        await self._stored.wait()
        if self._stream is not None:
            await self._service.cancel_turn(self._agent, self._stream.session_id, turn_id=self._stream.turn_id)
