"""Work for a store's threads: calls on a database whose results go back to the event loops that asked for them."""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from hector_nb.errors import StoreError
from hector_nb.stores.sql_database import Database

Call = Callable[[Database], Any]


class Job:
    """One call, its outcome, and the future of the loop that waits for it.

    A job that was handed over is done, even if its caller is cancelled while it waits. `erases` is the number of the erasure that it
    was a part of, 0 if none.
    """

    __slots__ = ("asked_at", "call", "erases", "error", "future", "loop", "result")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: Any = None
        self.error: Exception | None = None
        self.erases = 0
        self.asked_at = time.monotonic()

    def settle(self) -> None:
        """Tell the caller; on its loop."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


def settle(jobs: Iterable[Job]) -> None:
    """Tell all callers, with one call to each loop."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[Job]] = defaultdict(list)
    for job in jobs:
        by_loop[job.loop].append(job)
    for loop, of_loop in by_loop.items():
        with suppress(RuntimeError):  # this loop is closed, and nobody waits there any more
            loop.call_soon_threadsafe(_settle_all, of_loop)


def _settle_all(jobs: Iterable[Job]) -> None:
    for job in jobs:
        job.settle()


class Inbox:
    """Where jobs wait for a thread. None is a nudge."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return self._queue.empty()

    @property
    def finished(self) -> bool:
        """Whether nothing waits and nothing more will come."""
        return self._closed and self._queue.empty()

    def put(self, job: Job) -> None:
        """Hand over a job.

        Raises:
            StoreError: the store is closed.
        """
        with self._lock:
            if self._closed:
                raise StoreError("The store is closed.")
            self._queue.put(job)

    def nudge(self) -> None:
        """Let a thread look up."""
        self._queue.put(None)

    def close(self, *, threads: int = 1) -> None:
        """Take no more, and let that many threads know."""
        with self._lock:
            self._closed = True
        for _ in range(threads):
            self._queue.put(None)

    def get(self, timeout: float | None = None) -> Job | None:
        """The next job; None for a nudge, or after `timeout` seconds."""
        try:
            return self._queue.get(timeout=timeout)
        except Empty:
            return None

    def rest(self, most: int) -> list[Job]:
        """Jobs that wait already, not more than so many."""
        jobs: list[Job] = []
        with suppress(Empty):
            while len(jobs) < most:
                if (job := self._queue.get_nowait()) is not None:
                    jobs.append(job)
        return jobs
