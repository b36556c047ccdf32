"""A question to the person at the keyboard that can be taken back while it stands."""

import _thread
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_LOOK_EVERY = 0.1
_ON_ITS_WAY = 2.0
"""Seconds within which an interrupt arrives."""


class TakenBack(Exception):
    """The question is of no interest any more."""


def ask_until(over: threading.Event, ask: Callable[[], T]) -> T:
    """What `ask` answers; on the main thread it is interrupted when `over` is set, as a person would interrupt it.

    Raises:
        TakenBack: it was over before there was an answer.
        KeyboardInterrupt: a person interrupted it.
    """
    if over.is_set():
        raise TakenBack
    if threading.current_thread() is not threading.main_thread():
        return ask()
    watch = _Watch(over)
    try:
        try:
            return ask()
        finally:
            watch.end()
    except KeyboardInterrupt:
        if watch.interrupted:
            raise TakenBack from None
        raise


class _Watch:
    """Interrupts the main thread once, if it is over before `end`."""

    def __init__(self, over: threading.Event) -> None:
        self.interrupted = False
        self._over = over
        self._ended = False
        self._lock = threading.Lock()
        threading.Thread(target=self._run, name="hector_nb question", daemon=True).start()

    def end(self) -> None:
        with self._lock:
            self._ended = True
        if self.interrupted:
            time.sleep(_ON_ITS_WAY)

    def _run(self) -> None:
        while not self._over.wait(_LOOK_EVERY):
            if self._ended:
                return
        with self._lock:
            if not self._ended:
                self.interrupted = True
                _interrupt()


def _interrupt() -> None:
    """A real signal, where there is one: it also ends a read that blocks."""
    if os.name == "nt":
        _thread.interrupt_main()
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
