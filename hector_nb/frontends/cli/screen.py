"""Where an answer goes: drawn live as Markdown in a terminal (`live_screen.py`), or written as it is into a pipe.

Above is `turn.py`.
"""

import sys
from types import TracebackType
from typing import Protocol, Self, TextIO

from hector_nb.frontends.cli.console import can_draw, make_console
from hector_nb.frontends.render import PlainText, plain
from hector_nb.wire.codec import without_surrogates


class Screen(Protocol):
    """Shows one turn. Use it as an asynchronous context manager."""

    def text(self, piece: str) -> None:
        """A piece of the answer."""
        ...

    def thinking(self, piece: str) -> None:
        """A piece of the model's reasoning."""
        ...

    def note(self, line: str) -> None:
        """Something about the turn, on a line of its own."""
        ...

    def stopping(self) -> None:
        """The turn is being stopped."""
        ...

    async def __aenter__(self) -> Self:
        """Begin."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Show what is left."""
        ...


def make_screen(model: str) -> Screen:
    """The screen that fits standard output."""
    if can_draw():
        from hector_nb.frontends.cli.live_screen import LiveScreen

        return LiveScreen(make_console(), waiting_for=model)
    return StreamScreen(sys.stdout, sys.stderr)


class StreamScreen:
    """Writes the answer to `out` and all else to `notes`: exactly into a pipe or file, made safe on a terminal."""

    def __init__(self, out: TextIO, notes: TextIO) -> None:
        self._out = out
        self._notes = notes
        self._safe = PlainText() if out.isatty() else None
        self._line_open = False

    def text(self, piece: str) -> None:
        """See `Screen`."""
        shown = self._safe.feed(piece) if self._safe else without_surrogates(piece)
        self._out.write(shown)
        self._out.flush()
        self._line_open = True

    def thinking(self, piece: str) -> None:
        """See `Screen`."""
        self._notes.write(plain(piece))
        self._notes.flush()

    def note(self, line: str) -> None:
        """See `Screen`."""
        if self._line_open and self._out.isatty():
            self._out.write("\n")
        print(plain(line), file=self._notes, flush=True)

    def stopping(self) -> None:
        """See `Screen`."""

    async def __aenter__(self) -> Self:
        """See `Screen`."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """See `Screen`."""
        if self._safe:
            self._out.write(self._safe.close())
        if self._line_open:
            self._out.write("\n")
            self._out.flush()
