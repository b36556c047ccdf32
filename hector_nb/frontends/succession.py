"""Which cells run one right after the other, as those of Run All do. A kernel is not told more of it than when they come."""

import time
from typing import Any

PAUSE = 0.5
"""Seconds without a cell after which the next one was begun by a person who has seen what the last one did."""


class Succession:
    """Watches the cells of one shell, as IPython's hooks `pre_run_cell` and `post_run_cell`."""

    def __init__(self, shell: Any) -> None:
        self._shell = shell
        self._ended: float | None = None
        self.first: int = shell.execution_count
        """The execution count of the first of the cells that ran without a pause up to now."""

    def begin(self, _: Any) -> None:
        """A cell begins."""
        if self._ended is not None and time.monotonic() - self._ended > PAUSE:
            self.first = self._shell.execution_count

    def end(self, _: Any) -> None:
        """A cell is over."""
        self._ended = time.monotonic()
