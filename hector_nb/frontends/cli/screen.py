"""Where an answer goes: drawn live as Markdown in a terminal (`live_screen.py`), or written as it is into a pipe.

Above is `turn.py`.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, Self, TextIO

from hector_nb.events import NestedDelta, ToolCalled, ToolReturned
from hector_nb.frontends.cli.console import can_draw, make_console
from hector_nb.frontends.render import PlainText, plain
from hector_nb.wire.codec import without_surrogates
from hector_nb.wire.framer import said
from hector_nb.wire.frames import View

_TOOLS = View(tools=True)


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

    def called(self, call: ToolCalled) -> None:
        """The agent begins to use a tool."""
        ...

    def returned(self, result: ToolReturned) -> None:
        """The tool has answered."""
        ...

    def nested(self, piece: NestedDelta) -> None:
        """A piece of the answer of an agent that this one has called."""
        ...

    def paused(self) -> AbstractContextManager[None]:
        """Leave the terminal to somebody else for a while, who begins on a new line; nothing may be shown meanwhile."""
        ...

    def stopping(self) -> None:
        """The turn is being stopped."""
        ...

    async def __aenter__(self) -> Self:
        """Begin."""
        ...

    async def __aexit__(self, *_: object) -> None:
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
        self._end_line()
        print(plain(line), file=self._notes, flush=True)

    def called(self, call: ToolCalled) -> None:
        """See `Screen`."""
        self.note(said(call, _TOOLS).rstrip("\n"))

    def returned(self, result: ToolReturned) -> None:
        """See `Screen`."""
        if words := said(result, _TOOLS):
            self.note(words.rstrip("\n"))

    def nested(self, piece: NestedDelta) -> None:
        """See `Screen`; it is in the tool's output, too."""

    @contextmanager
    def paused(self) -> Iterator[None]:
        """See `Screen`."""
        self._end_line()
        yield

    def _end_line(self) -> None:
        """On a terminal, answer and notes share the lines."""
        if self._line_open and self._out.isatty():
            self._out.write("\n")
            self._out.flush()
            self._line_open = False

    def stopping(self) -> None:
        """See `Screen`."""

    async def __aenter__(self) -> Self:
        """See `Screen`."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """See `Screen`."""
        if self._safe:
            self._out.write(self._safe.close())
        if self._line_open:
            self._out.write("\n")
            self._out.flush()
