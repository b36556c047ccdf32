"""Calls that the engine's thread hands to the main thread, and who runs them there.

The engine works on a thread of its own, but a notebook's objects live on the main thread. While a cell (or a plain call in a script)
waits for an answer there, it also runs these calls. Standard library only: every front end loads this module.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

_PATIENCE = 5.0
"""Seconds that a call waits for somebody who would run it."""


class NobodyWaits(Exception):
    """Nothing on the main thread waits for an answer, so nothing there runs the call."""


class Stopped(Exception):
    """A person interrupted the main thread while it ran the call, or before it came to it."""


class MainThread:
    """The calls that wait, and those who wait on the main thread."""

    def __init__(self, *, patience: float = _PATIENCE) -> None:
        self._patience = patience
        self._lock = threading.Lock()
        self._calls: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._waiting: list[Callable[[], None]] = []

    async def call(self, work: Callable[[], T]) -> T:
        """Have the work done on the main thread. A call that is cancelled is not begun; begun, it runs on to its end.

        Raises:
            NobodyWaits: nobody was there to do it.
            Stopped: a person interrupted it.
        """
        future: Future[T] = Future()
        self._put(future, work)
        result = asyncio.wrap_future(future)
        try:
            while not (await asyncio.wait([result], timeout=self._patience))[0]:
                # One that waits behind others has somebody who will come to it.
                if not self._waiting and future.cancel():
                    raise NobodyWaits
            return result.result()
        finally:
            future.cancel()
            result.cancel()  # nobody hears any more of how a call ends that cannot be stopped

    @contextmanager
    def waiting(self, wake: Callable[[], None]) -> Iterator[None]:
        """While this block waits on the main thread, calls are for it: `wake`, from any thread, asks it to `run_pending`."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        with self._lock:
            self._waiting.append(wake)
        self._wake()
        try:
            yield
        finally:
            with self._lock:
                self._waiting.remove(wake)
            self._wake()

    def run_pending(self) -> None:
        """Run the calls that wait; nothing on any other thread than the main one.

        Raises:
            KeyboardInterrupt: a person stopped it; the calls that waited are not made.
        """
        if threading.current_thread() is not threading.main_thread():
            return
        while (call := self._next()) is not None:
            future, work = call
            try:
                if future.set_running_or_notify_cancel():
                    future.set_result(work())
            except KeyboardInterrupt:
                self._stop(future)
                raise
            except BaseException as error:  # noqa: BLE001 -- whoever waits for the call hears of it
                future.set_exception(error)

    def _put(self, future: Future[Any], work: Callable[[], Any]) -> None:
        with self._lock:
            self._calls.append((future, work))
        self._wake()

    def _next(self) -> tuple[Future[Any], Callable[[], Any]] | None:
        with self._lock:
            return self._calls.popleft() if self._calls else None

    def _wake(self) -> None:
        """Tell the one who waits and was the last to begin: those before it are blocked by it."""
        with self._lock:
            wake = self._waiting[-1] if self._waiting and self._calls else None
        if wake is not None:
            wake()

    def _stop(self, future: Future[Any]) -> None:
        """Nothing that was asked for before an interrupt begins after it."""
        if not future.done():
            future.set_exception(Stopped())
        while (call := self._next()) is not None:
            if call[0].set_running_or_notify_cancel():
                call[0].set_exception(Stopped())


MAIN_THREAD = MainThread()
"""That of this process."""
