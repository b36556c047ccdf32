"""The notebook's own functions run on the kernel's main thread while an agent of the chat is at work and the main thread is idle."""

import asyncio
import signal
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

from hector_nb.tools.main_thread import MAIN_THREAD


class MainThreadHold:
    """Runs what waits in `MAIN_THREAD` on the kernel's event loop, as long as somebody holds it. Every method may be called from any thread.

    Args:
        loop: The event loop of the main thread; None: there is none, as in tests and scripts, and nothing is run.
        within: Called around each run, for example to let its prints appear in the chat's cell.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None, within: Callable[[Callable[[], None]], Any]) -> None:
        self._loop = loop
        self._within = within
        self._lock = threading.Lock()
        self._holders: set[str] = set()
        self._stack: ExitStack | None = None

    def add(self, holder: str) -> None:
        """Somebody is at work."""
        with self._lock:
            self._holders.add(holder)
        self._settle()

    def remove(self, holder: str) -> None:
        """Somebody is done."""
        with self._lock:
            self._holders.discard(holder)
        self._settle()

    def release(self) -> None:
        """Nobody is at work that the chat knows of."""
        with self._lock:
            self._holders.clear()
        self._settle()

    def _settle(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._update()
        elif self._loop is not None:
            with suppress(RuntimeError):  # it is closed: the kernel stops
                self._loop.call_soon_threadsafe(self._update)

    def _update(self) -> None:
        """On the main thread: be there for calls, or no more."""
        if self._loop is None:
            return
        if self._holders and self._stack is None:
            self._stack = ExitStack()
            self._stack.enter_context(MAIN_THREAD.waiting(self._wake))
        elif not self._holders and self._stack is not None:
            stack, self._stack = self._stack, None
            stack.close()

    def _wake(self) -> None:
        if self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._run)

    def _run(self) -> None:
        """Run the calls. An idle kernel ignores interrupts, so they are let through meanwhile."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self._within(MAIN_THREAD.run_pending)
        except KeyboardInterrupt:
            pass  # the call that it stopped has been told
        finally:
            signal.signal(signal.SIGINT, before)
