"""Whether a front end has drawn a chat. One that cannot, because anywidget is missing where the Jupyter server runs, says nothing at all."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

TICK = 1.0
"""Seconds between two looks."""
TICKS = 6
"""Looks in a row, while the kernel has nothing else to do, after which nobody is expected any more."""


class Attendance:
    """Waits for the first message of a front end, from when a chat is displayed. Everything happens on the kernel's main thread.

    A kernel that runs a cell hears nothing meanwhile: only the time counts in which it could have heard something.

    Args:
        shell: The shell, whose hooks say when cells run.
        loop: The event loop of the kernel's main thread.
        on_absence: Called once, when nobody has come.
    """

    def __init__(self, shell: Any, loop: asyncio.AbstractEventLoop, on_absence: Callable[[], None]) -> None:
        self._events = shell.events
        self._loop = loop
        self._on_absence = on_absence
        self._hooks = (("pre_execute", self._busy), ("post_execute", self._idle))
        self._timer: asyncio.TimerHandle | None = None
        self._running = True
        self._calm = 0
        self._due = 0.0

    def begin(self) -> None:
        """The chat is displayed, by a cell that runs; nothing happens if it was displayed before."""
        if self._timer is None:
            for name, hook in self._hooks:
                self._events.register(name, hook)
            self._wait()

    def end(self) -> None:
        """Somebody is there, or the chat is closed."""
        if self._timer is not None:
            self._timer.cancel()
            for name, hook in self._hooks:
                with suppress(ValueError):
                    self._events.unregister(name, hook)

    def _busy(self) -> None:
        self._running = True

    def _idle(self) -> None:
        self._running = False
        self._calm = 0

    def _wait(self) -> None:
        self._due = self._loop.time() + TICK
        self._timer = self._loop.call_later(TICK, self._look)

    def _look(self) -> None:
        late = self._loop.time() - self._due > TICK
        self._calm = 0 if self._running or late else self._calm + 1
        if self._calm < TICKS:
            self._wait()
            return
        self.end()
        self._on_absence()
