"""Work for the SQLite store's threads: calls on a database whose results go back to the event loops that asked for them."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from hector_nb.errors import StoreError
from hector_nb.stores.sqlite_database import Database

Call = Callable[[Database], Any]


class Job:
    """One call, its outcome, and the future of the loop that waits for it.

    A job that was handed over is done, even if its caller is cancelled while it waits.
    """

    __slots__ = ("call", "error", "future", "loop", "result")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: Any = None
        self.error: Exception | None = None

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


def abandon(queue: "SimpleQueue[Any]") -> None:
    """Refuse the jobs that nobody will do."""
    with suppress(Empty):
        while True:
            job = queue.get_nowait()
            if isinstance(job, Job):
                job.error = StoreError("The store is closed.")
                settle([job])


def _settle_all(jobs: Iterable[Job]) -> None:
    for job in jobs:
        job.settle()
