"""A helper that failed (an embedder, a summarizer) is not asked again for a while."""

from collections.abc import Callable

REST = 60.0
"""Seconds."""


class Rest:
    """Whether somebody rests. `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = float("-inf")

    @property
    def on(self) -> bool:
        """Whether it lasts."""
        return self._clock() < self._until

    def begin(self) -> None:
        """Let it begin."""
        self._until = self._clock() + REST


def told(error: Exception) -> str:
    """An error in one line for a log, without what a provider said: it may quote what it was sent."""
    return str(error).partition(" It says:")[0].partition("\n")[0] or type(error).__name__
